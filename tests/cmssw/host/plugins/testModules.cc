// Small modules of every kind, from which the tests make jobs.

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/LuminosityBlock.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "FWCore/Framework/interface/Run.h"
#include "FWCore/Framework/interface/global/EDProducer.h"
#include "FWCore/Framework/interface/one/EDAnalyzer.h"
#include "FWCore/Framework/interface/one/EDFilter.h"
#include "FWCore/Framework/interface/stream/EDAnalyzer.h"
#include "FWCore/Framework/interface/stream/EDFilter.h"
#include "FWCore/Framework/interface/stream/EDProducer.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace hosttest {

  using Inputs = std::vector<edm::InputTag>;

  std::vector<edm::EDGetTokenT<int>> consumeAll(edm::ConsumesCollector collector, Inputs const& tags) {
    std::vector<edm::EDGetTokenT<int>> tokens;
    for (edm::InputTag const& tag : tags)
      tokens.push_back(collector.consumes<int>(tag));
    return tokens;
  }

  int sum(edm::Event const& event, std::vector<edm::EDGetTokenT<int>> const& tokens) {
    int total = 0;
    for (auto const& token : tokens)
      total += event.get(token);
    return total;
  }

  /// Puts `value` plus the sum of what it reads, and says so.
  class SumProducer : public edm::global::EDProducer<> {
  public:
    explicit SumProducer(edm::ParameterSet const& config)
        : value_(config.getParameter<int>("value")),
          inputs_(consumeAll(consumesCollector(), config.getParameter<Inputs>("inputs"))),
          output_(produces(config.getParameter<std::string>("instance"))),
          verbose_(config.getUntrackedParameter<bool>("verbose")) {}

    static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
      edm::ParameterSetDescription description;
      description.add<int>("value", 0);
      description.add<Inputs>("inputs", {});
      description.add<std::string>("instance", "");
      description.addUntracked<bool>("verbose", false);
      descriptions.addWithDefaultLabel(description);
    }

  private:
    void produce(edm::StreamID, edm::Event& event, edm::EventSetup const&) const override {
      int const total = value_ + sum(event, inputs_);
      event.emplace(output_, total);
      if (verbose_)
        edm::LogPrint("SumProducer") << moduleDescription().moduleLabel() << " " << total;
    }

    int const value_;
    std::vector<edm::EDGetTokenT<int>> const inputs_;
    edm::EDPutTokenT<int> const output_;
    bool const verbose_;
  };

  /// Counts its streams' events in a cache that the replicas share.
  class CountingProducer : public edm::stream::EDProducer<edm::GlobalCache<std::atomic<int>>> {
  public:
    CountingProducer(edm::ParameterSet const&, std::atomic<int> const*) : output_(produces()) {}

    static std::unique_ptr<std::atomic<int>> initializeGlobalCache(edm::ParameterSet const&) {
      return std::make_unique<std::atomic<int>>(0);
    }
    static void globalEndJob(std::atomic<int> const* count) {
      edm::LogPrint("CountingProducer") << "counted " << *count;
    }
    static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
      descriptions.addWithDefaultLabel(edm::ParameterSetDescription());
    }

  private:
    void produce(edm::Event& event, edm::EventSetup const&) override {
      ++*const_cast<std::atomic<int>*>(globalCache());
      event.emplace(output_, 1);
    }

    edm::EDPutTokenT<int> const output_;
  };

  /// Rejects every `every`-th event.
  class EveryFilter : public edm::one::EDFilter<> {
  public:
    explicit EveryFilter(edm::ParameterSet const& config) : every_(config.getParameter<unsigned int>("every")) {}

  private:
    bool filter(edm::Event& event, edm::EventSetup const&) override { return event.id().event() % every_ != 0; }

    unsigned int const every_;
  };

  /// Fails unless each input is what it should be, in every event; says at the end how many it saw.
  class ExpectAnalyzer : public edm::one::EDAnalyzer<edm::one::SharedResources> {
  public:
    explicit ExpectAnalyzer(edm::ParameterSet const& config)
        : expected_(config.getParameter<int>("expected")),
          inputs_(consumeAll(consumesCollector(), config.getParameter<Inputs>("inputs"))) {
      usesResource("test");
    }

  private:
    void analyze(edm::Event const& event, edm::EventSetup const&) override {
      if (inside_.exchange(true))
        throw cms::Exception("TestFailure") << "two events at once in a one module";
      if (int const found = sum(event, inputs_); found != expected_)
        throw cms::Exception("TestFailure") << "found " << found << ", not " << expected_;
      ++events_;
      inside_ = false;
    }
    void endJob() override { edm::LogPrint("ExpectAnalyzer") << "saw " << events_ << " events"; }

    int const expected_;
    std::vector<edm::EDGetTokenT<int>> const inputs_;
    int events_ = 0;
    std::atomic<bool> inside_{false};
  };

  /// Says which transitions its stream sees.
  class TransitionAnalyzer : public edm::stream::EDAnalyzer<> {
  public:
    explicit TransitionAnalyzer(edm::ParameterSet const&) {}

  private:
    void beginStream(edm::StreamID id) override { edm::LogPrint("Transition") << "beginStream " << id; }
    void beginRun(edm::Run const& run, edm::EventSetup const&) override {
      edm::LogPrint("Transition") << "beginRun " << run.run();
    }
    void beginLuminosityBlock(edm::LuminosityBlock const& lumi, edm::EventSetup const&) override {
      edm::LogPrint("Transition") << "beginLumi " << lumi.run() << " " << lumi.luminosityBlock();
    }
    void analyze(edm::Event const& event, edm::EventSetup const&) override {
      edm::LogPrint("Transition") << "event " << event.id().run() << " " << event.luminosityBlock() << " "
                                  << event.id().event();
    }
    void endLuminosityBlock(edm::LuminosityBlock const& lumi, edm::EventSetup const&) override {
      edm::LogPrint("Transition") << "endLumi " << lumi.run() << " " << lumi.luminosityBlock();
    }
    void endRun(edm::Run const& run, edm::EventSetup const&) override {
      edm::LogPrint("Transition") << "endRun " << run.run();
    }
    void endStream() override { edm::LogPrint("Transition") << "endStream"; }
  };

  struct NoDictionary {};

  /// Does one of the things that a module must not do.
  class WrongProducer : public edm::stream::EDProducer<> {
  public:
    explicit WrongProducer(edm::ParameterSet const& config) : what_(config.getParameter<std::string>("what")) {
      if (what_ == "no dictionary")
        produces<NoDictionary>();
      if (what_ == "std exception in constructor")
        throw std::runtime_error("the constructor failed");
      if (what_ == "missing product")
        token_ = consumes(edm::InputTag("nobody"));
    }

    static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
      edm::ParameterSetDescription description;
      description.add<std::string>("what");
      descriptions.addWithDefaultLabel(description);
    }

  private:
    void produce(edm::Event& event, edm::EventSetup const& setup) override {
      edm::Handle<int> handle;
      if (what_ == "put without produces")
        event.put(std::make_unique<int>(1), "undeclared");
      else if (what_ == "getByLabel without consumes")
        event.getByLabel("nobody", handle);
      else if (what_ == "missing product")
        event.get(token_);
      else if (what_ == "uninitialised token")
        event.get(edm::EDGetTokenT<int>());
      else if (what_ == "event setup")
        setup.getData(edm::ESGetToken<int, NoDictionary>());
      else if (what_ == "std exception")
        throw std::runtime_error("produce failed");
    }

    std::string const what_;
    edm::EDGetTokenT<int> token_;
  };

  /// Writes to a variable from all streams at once, without a lock: what ThreadSanitizer must find.
  class RaceProducer : public edm::global::EDProducer<> {
  public:
    explicit RaceProducer(edm::ParameterSet const&) {}

  private:
    void produce(edm::StreamID, edm::Event&, edm::EventSetup const&) const override {
      // Wait for the other stream, with atomics that order nothing, so that both are sure to write.
      arrived_.fetch_add(1, std::memory_order_relaxed);
      for (int i = 0; i < 1000 && arrived_.load(std::memory_order_relaxed) < 2; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++count_;
    }
    void endJob() override { edm::LogPrint("RaceProducer") << count_; }

    mutable std::atomic<int> arrived_{0};
    mutable int count_ = 0;
  };

  /// Reads beyond an array, or adds beyond the largest integer: what AddressSanitizer and UndefinedBehaviorSanitizer
  /// must find.
  class OverflowProducer : public edm::stream::EDProducer<> {
  public:
    explicit OverflowProducer(edm::ParameterSet const& config) : what_(config.getParameter<std::string>("what")) {}

  private:
    void produce(edm::Event& event, edm::EventSetup const&) override {
      auto const one = static_cast<int>(event.id().event());  // not known to the compiler
      if (what_ == "array") {
        std::unique_ptr<int[]> const array(new int[one]{});
        edm::LogPrint("OverflowProducer") << array[one];
      } else {
        int const largest = 0x7FFFFFFF;
        edm::LogPrint("OverflowProducer") << largest + one;
      }
    }

    std::string const what_;
  };

}  // namespace hosttest

using hosttest::CountingProducer;
using hosttest::EveryFilter;
using hosttest::ExpectAnalyzer;
using hosttest::OverflowProducer;
using hosttest::RaceProducer;
using hosttest::SumProducer;
using hosttest::TransitionAnalyzer;
using hosttest::WrongProducer;
DEFINE_FWK_MODULE(CountingProducer);
DEFINE_FWK_MODULE(EveryFilter);
DEFINE_FWK_MODULE(ExpectAnalyzer);
DEFINE_FWK_MODULE(OverflowProducer);
DEFINE_FWK_MODULE(RaceProducer);
DEFINE_FWK_MODULE(SumProducer);
DEFINE_FWK_MODULE(TransitionAnalyzer);
DEFINE_FWK_MODULE(WrongProducer);
