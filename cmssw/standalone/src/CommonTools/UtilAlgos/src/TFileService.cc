#include "CommonTools/UtilAlgos/interface/TFileService.h"

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ServiceRegistry/interface/ActivityRegistry.h"
#include "FWCore/Utilities/interface/EDMException.h"

#include "TError.h"

std::string const TFileService::kSharedResource = "TFileService";
thread_local TFileDirectory TFileService::directory_;

TFileService::TFileService(edm::ParameterSet const& pset, edm::ActivityRegistry& registry)
    : partial_("TFileService", pset.getParameter<std::string>("fileName")) {
  writing([&] { file_.reset(TFile::Open(partial_.path().c_str(), "RECREATE")); });
  if (file_ == nullptr || file_->IsZombie())
    partial_.refuse("ROOT cannot open it");

  registry.watchPreModuleConstruction(this, &TFileService::setDirectory);
  registry.watchPreModuleBeginJob(this, &TFileService::setDirectory);
  registry.watchPreModuleEndJob(this, &TFileService::setDirectory);
  registry.watchPreModuleEvent([this](edm::StreamContext const&, edm::ModuleCallingContext const& context) {
    setDirectory(*context.moduleDescription());
  });
  registry.watchPostEndJob(this, &TFileService::finish);
}

TFileService::~TFileService() {
  if (file_ == nullptr)
    return;
  // The job has failed, and the file goes: nothing more is written, which could fail again, here where nobody catches.
  file_->SetWritable(false);
  auto const handler = SetErrorHandler([](int, Bool_t, char const*, char const*) {});
  file_.reset();
  SetErrorHandler(handler);
}

void TFileService::finish() {
  writing([this] {
    file_->Write();
    file_->Close();
  });
  if (file_->TestBit(TFile::kWriteError))
    partial_.refuse("ROOT could not write all of it; look at the free space");
  file_.reset();
  partial_.keep();
}

/// Calls ROOT, whose errors are exceptions here; they say what ROOT did, and not which file of the job it was.
template <typename F>
void TFileService::writing(F&& call) {
  try {
    call();
  } catch (cms::Exception const& error) {
    partial_.refuse(error.additionalInfo().empty() ? error.message() : error.additionalInfo().front());
  }
}

void TFileService::setDirectory(edm::ModuleDescription const& module) {
  directory_ =
      TFileDirectory(file_.get(), module.moduleLabel(), module.moduleLabel() + " (" + module.moduleName() + ") folder");
}

void TFileService::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription description;
  description.add<std::string>("fileName");
  description.addUntracked<bool>("closeFileFast", false)->setComment("Accepted, and ignored by this host.");
  descriptions.add("TFileService", description);
}
