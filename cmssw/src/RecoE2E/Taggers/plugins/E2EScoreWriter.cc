#include <cstddef>
#include <string>
#include <vector>

#include "CommonTools/UtilAlgos/interface/TFileService.h"
#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/one/EDAnalyzer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/ServiceRegistry/interface/Service.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "RecoE2E/DataFormats/interface/ObjectOutputs.h"

#include "TTree.h"

/**
 * Writes one row per object to the tree "scores" of the TFileService: its identity (the job's input file, counted from
 * 0, run, lumi, event, object), and a branch for each output of the model. These branches are made at the first event,
 * which tells the outputs' names.
 */
class E2EScoreWriter : public edm::one::EDAnalyzer<edm::one::SharedResources> {
public:
  explicit E2EScoreWriter(edm::ParameterSet const& config);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  void beginJob() override;
  void analyze(edm::Event const& event, edm::EventSetup const&) override;

  void makeBranches(std::vector<std::string> const& names);

  edm::EDGetTokenT<e2e::ObjectOutputs> const outputsToken_;
  edm::EDGetTokenT<unsigned int> const fileToken_;
  TTree* tree_ = nullptr;  // owned by the file of the TFileService
  UInt_t file_ = 0;
  UInt_t run_ = 0;
  UInt_t lumi_ = 0;
  ULong64_t event_ = 0;
  UInt_t object_ = 0;
  std::vector<std::string> names_;
  std::vector<Float_t> values_;
};

E2EScoreWriter::E2EScoreWriter(edm::ParameterSet const& config)
    : outputsToken_(consumes(config.getParameter<edm::InputTag>("scores"))),
      fileToken_(consumes(config.getParameter<edm::InputTag>("file"))) {
  usesResource(TFileService::kSharedResource);
}

void E2EScoreWriter::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Writes what a tagger gives for the objects to a tree of the TFileService.");
  desc.add<edm::InputTag>("scores", edm::InputTag("e2eTagger"));
  desc.add<edm::InputTag>("file", edm::InputTag("source", "fileIndex"))
      ->setComment("Which input file an event is from: files of several samples may have the same events.");
  descriptions.add("e2eScoreWriter", desc);
}

void E2EScoreWriter::beginJob() {
  edm::Service<TFileService> files;
  tree_ = files->make<TTree>("scores", "outputs of a model for the objects");
  tree_->Branch("file", &file_);
  tree_->Branch("run", &run_);
  tree_->Branch("lumi", &lumi_);
  tree_->Branch("event", &event_);
  tree_->Branch("object", &object_);
}

void E2EScoreWriter::makeBranches(std::vector<std::string> const& names) {
  names_ = names;
  values_.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    tree_->Branch(names[i].c_str(), &values_[i]);
}

void E2EScoreWriter::analyze(edm::Event const& event, edm::EventSetup const&) {
  auto const& outputs = event.get(outputsToken_);
  if (names_.empty())
    makeBranches(outputs.names());
  if (outputs.names() != names_)
    throw cms::Exception("InvalidScores") << "the outputs have other names than those of the first event; one tree "
                                             "takes the outputs of one model";
  file_ = event.get(fileToken_);
  run_ = event.id().run();
  lumi_ = event.id().luminosityBlock();
  event_ = event.id().event();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    object_ = outputs.object()[i];
    for (std::size_t output = 0; output < names_.size(); ++output)
      values_[output] = outputs.value(i, output);
    tree_->Fill();
  }
}

DEFINE_FWK_MODULE(E2EScoreWriter);
