#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/global/EDProducer.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "FWCore/Utilities/interface/StreamID.h"
#include "RecoE2E/DataFormats/interface/Crop.h"
#include "RecoE2E/DataFormats/interface/DetectorFrame.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"
#include "RecoE2E/DataFormats/interface/Seed.h"
#include "RecoE2E/FrameTools/interface/FrameCropper.h"

namespace {
  /// The result of call, whose std::invalid_argument is for the framework an error of the configuration.
  template <typename F>
  auto configured(F&& call) {
    try {
      return call();
    } catch (std::invalid_argument const& error) {
      throw edm::Exception(edm::errors::Configuration) << error.what();
    }
  }
}  // namespace

/// Cuts the frames of an event's objects out of its detector frame.
class ObjectFrameProducer : public edm::global::EDProducer<> {
public:
  explicit ObjectFrameProducer(edm::ParameterSet const& config);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  void produce(edm::StreamID, edm::Event& event, edm::EventSetup const&) const override;
  void endJob() override;

  edm::EDGetTokenT<e2e::DetectorFrame> const frameToken_;
  edm::EDGetTokenT<e2e::SeedCollection> const seedsToken_;
  edm::EDPutTokenT<e2e::ObjectFrames> const framesToken_;
  e2e::FrameCropper const cropper_;
  mutable std::atomic<std::uint64_t> accepted_{0};
  mutable std::atomic<std::uint64_t> rejected_{0};
};

ObjectFrameProducer::ObjectFrameProducer(edm::ParameterSet const& config)
    : frameToken_(consumes(config.getParameter<edm::InputTag>("frame"))),
      seedsToken_(consumes(config.getParameter<edm::InputTag>("seeds"))),
      framesToken_(produces()),
      cropper_(configured([&config] {
        return e2e::FrameCropper(e2e::Crop{config.getParameter<std::uint32_t>("rows"),
                                           config.getParameter<std::uint32_t>("columns"),
                                           config.getParameter<std::uint32_t>("seedRow"),
                                           config.getParameter<std::uint32_t>("seedColumn"),
                                           config.getParameter<bool>("outward")});
      })) {}

void ObjectFrameProducer::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Cuts the frame of each object out of the detector frame; the defaults are those of a photon.");
  desc.add<edm::InputTag>("frame", edm::InputTag("detectorFrame"));
  desc.add<edm::InputTag>("seeds", edm::InputTag("source"));
  desc.add<std::uint32_t>("rows", 32)->setComment("Rows (ieta) of an object's frame.");
  desc.add<std::uint32_t>("columns", 32)->setComment("Columns (iphi) of an object's frame.");
  desc.add<std::uint32_t>("seedRow", 15)->setComment("Row of the seed in the object's frame, from 0.");
  desc.add<std::uint32_t>("seedColumn", 15)->setComment("Column of the seed in the object's frame, from 0.");
  desc.add<bool>("outward", true)
      ->setComment("Turn frames of the end at z < 0 so that rows run away from the middle of the detector.");
  descriptions.add("objectFrames", desc);
}

void ObjectFrameProducer::produce(edm::StreamID, edm::Event& event, edm::EventSetup const&) const {
  auto const& frame = event.get(frameToken_);
  auto const& seeds = event.get(seedsToken_);
  try {
    auto frames = configured([&] { return cropper_.cut(frame, seeds); });
    accepted_ += frames.size();
    rejected_ += frames.rejected();
    event.emplace(framesToken_, std::move(frames));
  } catch (std::runtime_error const& error) {
    auto const& file = frame.origin()->file;
    auto const& id = event.id();
    throw cms::Exception("InvalidFrame") << file << (file.empty() ? "" : ": ") << "event " << id.run() << ':'
                                         << id.luminosityBlock() << ':' << id.event() << ": " << error.what();
  }
}

void ObjectFrameProducer::endJob() {
  edm::LogPrint("ObjectFrameProducer") << moduleDescription().moduleLabel() << ": " << accepted_.load()
                                       << " objects framed, " << rejected_.load()
                                       << " rejected as their crop would cross the end of the detector";
}

DEFINE_FWK_MODULE(ObjectFrameProducer);
