#include <fstream>
#include <string>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/one/EDAnalyzer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"

/// Writes the frames of all objects to a file, float32 as they lie in memory: tests compare them with Python's.
class ObjectFrameDumper : public edm::one::EDAnalyzer<> {
public:
  explicit ObjectFrameDumper(edm::ParameterSet const& config)
      : framesToken_(consumes(config.getParameter<edm::InputTag>("frames"))),
        file_(config.getParameter<std::string>("file"), std::ios::binary) {}

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
    edm::ParameterSetDescription desc;
    desc.add<edm::InputTag>("frames", edm::InputTag("objectFrames"));
    desc.add<std::string>("file");
    descriptions.addWithDefaultLabel(desc);
  }

private:
  void analyze(edm::Event const& event, edm::EventSetup const&) override {
    auto const& data = event.get(framesToken_).data();
    file_.write(reinterpret_cast<char const*>(data.data()), data.size() * sizeof(float));
  }

  edm::EDGetTokenT<e2e::ObjectFrames> const framesToken_;
  std::ofstream file_;
};

DEFINE_FWK_MODULE(ObjectFrameDumper);
