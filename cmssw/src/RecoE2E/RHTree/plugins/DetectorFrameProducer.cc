#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/global/EDProducer.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "FWCore/Utilities/interface/StreamID.h"
#include "RecoE2E/DataFormats/interface/DetectorFrame.h"
#include "RecoE2E/DataFormats/interface/DetectorImages.h"
#include "RecoE2E/FrameTools/interface/FrameBuilder.h"

/// Makes the detector frame of an event from its images.
class DetectorFrameProducer : public edm::global::EDProducer<> {
public:
  explicit DetectorFrameProducer(edm::ParameterSet const& config)
      : imagesToken_(consumes(config.getParameter<edm::InputTag>("images"))), frameToken_(produces()) {}

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  void produce(edm::StreamID, edm::Event& event, edm::EventSetup const&) const override;

  edm::EDGetTokenT<e2e::DetectorImages> const imagesToken_;
  edm::EDPutTokenT<e2e::DetectorFrame> const frameToken_;
};

void DetectorFrameProducer::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Makes the sparse frame of the whole detector from the images of an event.");
  desc.add<edm::InputTag>("images", edm::InputTag("source"));
  descriptions.add("detectorFrame", desc);
}

void DetectorFrameProducer::produce(edm::StreamID, edm::Event& event, edm::EventSetup const&) const {
  auto const& images = event.get(imagesToken_);
  event.emplace(frameToken_, e2e::FrameBuilder(images.origin()).build(images.images()));
}

DEFINE_FWK_MODULE(DetectorFrameProducer);
