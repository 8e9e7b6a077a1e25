#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
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
#include "RecoE2E/Taggers/interface/DomainCounts.h"
#include "RecoE2E/Taggers/interface/TaggerModel.h"

namespace {
  /// The model, and what was seen of each input file: whether it was said that its tracks lie elsewhere than those of the
  /// training, and how many of its objects lie outside the model's domain.
  class SharedTagger {
  public:
    SharedTagger(std::string const& path, std::string const& provider) : model_(path, provider) {}

    e2e::TaggerModel const& model() const { return model_; }
    void compareTracks(e2e::ObjectFrames const& frames) const;
    void compareDomain(e2e::ObjectFrames const& frames) const;
    void warnOfDomain() const;

  private:
    struct Seen {
      std::string file;
      e2e::DomainCounts counts;
    };

    e2e::TaggerModel const model_;
    mutable std::mutex mutex_;
    mutable std::set<std::uint32_t> warned_;
    mutable std::map<std::uint32_t, Seen> seen_;
  };

  void SharedTagger::compareTracks(e2e::ObjectFrames const& frames) const {
    auto const& origin = frames.origin();
    auto const& wanted = model_.contract().tracks;
    if (origin->tracks == wanted)
      return;
    std::lock_guard<std::mutex> const lock(mutex_);
    if (warned_.insert(origin->index).second)
      edm::LogWarning("E2ETagger") << origin->file << ": tracks lie at " << origin->tracks
                                   << ", but the model was trained on tracks at " << wanted << "; expect worse scores";
  }

  void SharedTagger::compareDomain(e2e::ObjectFrames const& frames) const {
    auto const& domain = model_.contract().domain;
    if (domain.empty())
      return;
    e2e::DomainCounts here(domain.size());
    here.add(domain, frames);
    std::lock_guard<std::mutex> const lock(mutex_);
    auto& seen = seen_.emplace(frames.origin()->index, Seen{frames.origin()->file, e2e::DomainCounts(domain.size())})
                     .first->second;
    seen.counts += here;
  }

  void SharedTagger::warnOfDomain() const {
    for (auto const& [index, seen] : seen_)
      for (auto const& outside : seen.counts.outside(model_.contract().domain))
        edm::LogWarning("E2ETagger") << seen.file << ": " << outside
                                     << "; the model was trained elsewhere: expect worse scores";
  }
}  // namespace

/// Runs a model on all objects of an event, which is one call of its session but for a great many; streams share it.
class E2ETagger : public edm::stream::EDProducer<edm::GlobalCache<SharedTagger>> {
public:
  E2ETagger(edm::ParameterSet const& config, SharedTagger const*);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);
  static std::unique_ptr<SharedTagger> initializeGlobalCache(edm::ParameterSet const& config);
  static void globalEndJob(SharedTagger const* shared) { shared->warnOfDomain(); }

private:
  void produce(edm::Event& event, edm::EventSetup const&) override;

  edm::EDGetTokenT<e2e::ObjectFrames> const framesToken_;
  edm::EDPutTokenT<e2e::ObjectOutputs> const outputsToken_;
};

E2ETagger::E2ETagger(edm::ParameterSet const& config, SharedTagger const*)
    : framesToken_(consumes(config.getParameter<edm::InputTag>("frames"))), outputsToken_(produces()) {}

void E2ETagger::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Puts what an exported model gives for the objects of an event: scores, masses.");
  desc.add<edm::InputTag>("frames", edm::InputTag("objectFrames"));
  desc.add<std::string>("model", "RecoE2E/Taggers/data/model.onnx")
      ->setComment("The model, with its JSON beside it: an absolute path, or one in CMSSW's search path.");
  desc.add<std::string>("provider", "cpu")
      ->setComment("Execution provider of ONNX Runtime; one whose device is not there is an error.");
  descriptions.add("e2eTagger", desc);
}

std::unique_ptr<SharedTagger> E2ETagger::initializeGlobalCache(edm::ParameterSet const& config) {
  auto path = config.getParameter<std::string>("model");
  if (path.empty() or path.front() != '/')
    path = edm::FileInPath(path).fullPath();
  try {
    return std::make_unique<SharedTagger>(path, config.getParameter<std::string>("provider"));
  } catch (std::invalid_argument const& error) {
    throw edm::Exception(edm::errors::Configuration) << error.what();
  } catch (std::runtime_error const& error) {
    throw cms::Exception("InvalidModel") << error.what();
  }
}

void E2ETagger::produce(edm::Event& event, edm::EventSetup const&) {
  auto const& frames = event.get(framesToken_);
  try {
    globalCache()->compareTracks(frames);
    globalCache()->compareDomain(frames);
    event.emplace(outputsToken_, globalCache()->model().outputs(frames));
  } catch (e2e::MissingScalar const& error) {
    auto const& file = frames.origin()->file;
    auto const& id = event.id();
    throw cms::Exception("InvalidFrame") << file << (file.empty() ? "" : ": ") << "event " << id.run() << ':'
                                         << id.luminosityBlock() << ':' << id.event() << ": " << error.what();
  } catch (std::runtime_error const& error) {
    throw cms::Exception("InvalidModel") << error.what();
  }
}

DEFINE_FWK_MODULE(E2ETagger);
