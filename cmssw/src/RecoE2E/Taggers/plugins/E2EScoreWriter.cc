#include "CommonTools/UtilAlgos/interface/TFileService.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/one/EDAnalyzer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/ServiceRegistry/interface/Service.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "RecoE2E/DataFormats/interface/ObjectScore.h"

#include "TTree.h"

/// Writes one row per object, with its identity (run, lumi, event, object), to the tree "scores" of the TFileService.
class E2EScoreWriter : public edm::one::EDAnalyzer<edm::one::SharedResources> {
public:
  explicit E2EScoreWriter(edm::ParameterSet const& config);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  void beginJob() override;
  void analyze(edm::Event const& event, edm::EventSetup const&) override;

  edm::EDGetTokenT<e2e::ObjectScoreCollection> const scoresToken_;
  TTree* tree_ = nullptr;  // owned by the file of the TFileService
  UInt_t run_ = 0;
  UInt_t lumi_ = 0;
  ULong64_t event_ = 0;
  UInt_t object_ = 0;
  Float_t score_ = 0.f;
  Float_t logit_ = 0.f;
};

E2EScoreWriter::E2EScoreWriter(edm::ParameterSet const& config)
    : scoresToken_(consumes(config.getParameter<edm::InputTag>("scores"))) {
  usesResource(TFileService::kSharedResource);
}

void E2EScoreWriter::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Writes the scores of all objects to a tree of the TFileService.");
  desc.add<edm::InputTag>("scores", edm::InputTag("e2eTagger"));
  descriptions.add("e2eScoreWriter", desc);
}

void E2EScoreWriter::beginJob() {
  edm::Service<TFileService> files;
  tree_ = files->make<TTree>("scores", "scores of the objects");
  tree_->Branch("run", &run_);
  tree_->Branch("lumi", &lumi_);
  tree_->Branch("event", &event_);
  tree_->Branch("object", &object_);
  tree_->Branch("score", &score_);
  tree_->Branch("logit", &logit_);
}

void E2EScoreWriter::analyze(edm::Event const& event, edm::EventSetup const&) {
  run_ = event.id().run();
  lumi_ = event.id().luminosityBlock();
  event_ = event.id().event();
  for (auto const& score : event.get(scoresToken_)) {
    object_ = score.object;
    score_ = score.score;
    logit_ = score.logit;
    tree_->Fill();
  }
}

DEFINE_FWK_MODULE(E2EScoreWriter);
