#include <memory>
#include <stdexcept>
#include <string>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/FileInPath.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"
#include "RecoE2E/DataFormats/interface/ObjectOutputs.h"
#include "RecoE2E/Taggers/interface/TaggerModel.h"

/// Runs a model on all objects of an event in one call of its session, which the streams share.
class E2ETagger : public edm::stream::EDProducer<edm::GlobalCache<e2e::TaggerModel>> {
public:
  E2ETagger(edm::ParameterSet const& config, e2e::TaggerModel const*);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);
  static std::unique_ptr<e2e::TaggerModel> initializeGlobalCache(edm::ParameterSet const& config);
  static void globalEndJob(e2e::TaggerModel const*) {}

private:
  void produce(edm::Event& event, edm::EventSetup const&) override;

  edm::EDGetTokenT<e2e::ObjectFrames> const framesToken_;
  edm::EDPutTokenT<e2e::ObjectOutputs> const outputsToken_;
};

E2ETagger::E2ETagger(edm::ParameterSet const& config, e2e::TaggerModel const*)
    : framesToken_(consumes(config.getParameter<edm::InputTag>("frames"))),
      outputsToken_(produces()) {}

void E2ETagger::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Puts what an exported model gives for the objects of an event: scores, masses.");
  desc.add<edm::InputTag>("frames", edm::InputTag("objectFrames"));
  desc.add<std::string>("model", "RecoE2E/Taggers/data/model.onnx")
      ->setComment("The model, with its JSON beside it: an absolute path, or one in CMSSW's search path.");
  desc.add<std::string>("backend", "cpu")->setComment("cpu or cuda; cuda without a GPU is an error.");
  descriptions.add("e2eTagger", desc);
}

std::unique_ptr<e2e::TaggerModel> E2ETagger::initializeGlobalCache(edm::ParameterSet const& config) {
  auto path = config.getParameter<std::string>("model");
  if (path.empty() or path.front() != '/')
    path = edm::FileInPath(path).fullPath();
  try {
    return std::make_unique<e2e::TaggerModel>(path, config.getParameter<std::string>("backend"));
  } catch (std::invalid_argument const& error) {
    throw edm::Exception(edm::errors::Configuration) << error.what();
  } catch (std::runtime_error const& error) {
    throw cms::Exception("InvalidModel") << error.what();
  }
}

void E2ETagger::produce(edm::Event& event, edm::EventSetup const&) {
  try {
    event.emplace(outputsToken_, globalCache()->outputs(event.get(framesToken_)));
  } catch (std::runtime_error const& error) {
    throw cms::Exception("InvalidModel") << error.what();
  }
}

DEFINE_FWK_MODULE(E2ETagger);
