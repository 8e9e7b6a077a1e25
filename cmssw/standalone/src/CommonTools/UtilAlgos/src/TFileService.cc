#include "CommonTools/UtilAlgos/interface/TFileService.h"

#include <unistd.h>

#include <filesystem>

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ServiceRegistry/interface/ActivityRegistry.h"
#include "FWCore/Utilities/interface/EDMException.h"

std::string const TFileService::kSharedResource = "TFileService";
thread_local TFileDirectory TFileService::directory_;

TFileService::TFileService(edm::ParameterSet const& pset, edm::ActivityRegistry& registry)
    : fileName_(pset.getParameter<std::string>("fileName")),
      partialName_(fileName_ + ".partial-" + std::to_string(getpid())) {
  if (fileName_.rfind("file:", 0) == 0) {
    fileName_.erase(0, 5);
    partialName_.erase(0, 5);
  }
  try {
    file_.reset(TFile::Open(partialName_.c_str(), "RECREATE"));
  } catch (cms::Exception const& exception) {
    throw edm::Exception(edm::errors::FileOpenError, "TFileService cannot write " + fileName_ + "\n", exception);
  }
  if (file_ == nullptr || file_->IsZombie())
    throw edm::Exception(edm::errors::FileOpenError) << "TFileService cannot write " << fileName_ << "\n";

  registry.watchPreModuleConstruction(this, &TFileService::setDirectory);
  registry.watchPreModuleBeginJob(this, &TFileService::setDirectory);
  registry.watchPreModuleEndJob(this, &TFileService::setDirectory);
  registry.watchPreModuleEvent([this](edm::StreamContext const&, edm::ModuleCallingContext const& context) {
    setDirectory(*context.moduleDescription());
  });
  registry.watchPostEndJob(this, &TFileService::finish);
}

TFileService::~TFileService() {
  if (file_ != nullptr) {  // the job has failed
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(partialName_, ignored);
  }
}

void TFileService::finish() {
  file_->Write();
  file_->Close();
  file_.reset();
  std::filesystem::rename(partialName_, fileName_);
}

void TFileService::setDirectory(edm::ModuleDescription const& module) {
  directory_ = TFileDirectory(
      file_.get(), module.moduleLabel(), module.moduleLabel() + " (" + module.moduleName() + ") folder");
}

void TFileService::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription description;
  description.add<std::string>("fileName");
  description.addUntracked<bool>("closeFileFast", false)->setComment("Accepted, and ignored by this host.");
  descriptions.add("TFileService", description);
}
