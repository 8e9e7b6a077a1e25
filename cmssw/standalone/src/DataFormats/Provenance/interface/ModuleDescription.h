#ifndef DataFormats_Provenance_ModuleDescription_h
#define DataFormats_Provenance_ModuleDescription_h

#include <string>
#include <utility>

namespace edm {

  /// The class, label and number of a configured module, and the process it is in.
  class ModuleDescription {
  public:
    ModuleDescription() = default;
    ModuleDescription(std::string moduleName, std::string moduleLabel, std::string processName, unsigned int id)
        : moduleName_(std::move(moduleName)),
          moduleLabel_(std::move(moduleLabel)),
          processName_(std::move(processName)),
          id_(id) {}

    std::string const& moduleName() const { return moduleName_; }
    std::string const& moduleLabel() const { return moduleLabel_; }
    std::string const& processName() const { return processName_; }
    /// 0 is the source; modules follow in the order of their construction.
    unsigned int id() const { return id_; }

  private:
    std::string moduleName_;
    std::string moduleLabel_;
    std::string processName_;
    unsigned int id_ = 0xFFFFFFFFU;
  };

}  // namespace edm

#endif
