#ifndef CommonTools_UtilAlgos_TFileService_h
#define CommonTools_UtilAlgos_TFileService_h

#include <memory>
#include <string>

#include "CommonTools/Utils/interface/TFileDirectory.h"
#include "FWCore/Utilities/interface/PartialFile.h"

namespace edm {
  class ActivityRegistry;
  class ConfigurationDescriptions;
  class ModuleDescription;
  class ParameterSet;
}  // namespace edm

/// One ROOT file for all modules, with a directory for each, named by its label. Modules that use it are serial:
/// `usesResource(TFileService::kSharedResource)`.
/// The file appears under its name when the job has ended well; until then it is written beside it.
class TFileService {
public:
  static std::string const kSharedResource;

  TFileService(edm::ParameterSet const& pset, edm::ActivityRegistry& registry);
  ~TFileService();

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

  TFile& file() const { return *file_; }
  /// The directory of the module being called on this thread.
  TFileDirectory& tFileDirectory() { return directory_; }
  TFileDirectory const& tFileDirectory() const { return directory_; }

  template <typename T, typename... Args>
  T* make(Args const&... args) const {
    return directory_.make<T>(args...);
  }
  TFileDirectory mkdir(std::string const& name, std::string const& title = "") { return directory_.mkdir(name, title); }
  TDirectory* getBareDirectory(std::string const& subdirectory = "") const {
    return directory_.getBareDirectory(subdirectory);
  }
  bool cd() const { return directory_.cd(); }

private:
  void setDirectory(edm::ModuleDescription const& module);
  void finish();
  template <typename F>
  void writing(F&& call);

  static thread_local TFileDirectory directory_;

  edm::PartialFile partial_;
  std::unique_ptr<TFile> file_;
};

#endif
