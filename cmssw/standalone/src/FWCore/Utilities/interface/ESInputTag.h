#ifndef FWCore_Utilities_ESInputTag_h
#define FWCore_Utilities_ESInputTag_h

#include <string>
#include <utility>

namespace edm {

  /// Names an EventSetup product: the module that makes it and the label of its data.
  class ESInputTag {
  public:
    ESInputTag() = default;
    ESInputTag(std::string module, std::string data) : module_(std::move(module)), data_(std::move(data)) {}

    std::string const& module() const { return module_; }
    std::string const& data() const { return data_; }

    bool operator==(ESInputTag const& other) const { return module_ == other.module_ && data_ == other.data_; }

  private:
    std::string module_;
    std::string data_;
  };

}  // namespace edm

#endif
