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

/// Writes the frames of all objects to a file, float32 as they lie in memory: tests compare them with Python's. Another
/// one, .txt, has a line for each: number of the input file, run, lumi, event, object.
class ObjectFrameDumper : public edm::one::EDAnalyzer<> {
public:
  explicit ObjectFrameDumper(edm::ParameterSet const& config)
      : framesToken_(consumes(config.getParameter<edm::InputTag>("frames"))),
        fileIndexToken_(consumes(edm::InputTag("source", "fileIndex"))),
        file_(config.getParameter<std::string>("file"), std::ios::binary),
        objects_(config.getParameter<std::string>("file") + ".txt") {}

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
    edm::ParameterSetDescription desc;
    desc.add<edm::InputTag>("frames", edm::InputTag("objectFrames"));
    desc.add<std::string>("file");
    descriptions.addWithDefaultLabel(desc);
  }

private:
  void analyze(edm::Event const& event, edm::EventSetup const&) override {
    auto const& frames = event.get(framesToken_);
    auto const& data = frames.data();
    file_.write(reinterpret_cast<char const*>(data.data()), data.size() * sizeof(float));
    for (auto const object : frames.object())
      objects_ << event.get(fileIndexToken_) << ' ' << event.id().run() << ' ' << event.id().luminosityBlock() << ' '
               << event.id().event() << ' ' << object << '\n';
  }

  edm::EDGetTokenT<e2e::ObjectFrames> const framesToken_;
  edm::EDGetTokenT<unsigned int> const fileIndexToken_;
  std::ofstream file_;
  std::ofstream objects_;
};

DEFINE_FWK_MODULE(ObjectFrameDumper);
