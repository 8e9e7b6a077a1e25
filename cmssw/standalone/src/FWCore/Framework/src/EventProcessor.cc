#include "FWCore/Framework/interface/EventProcessor.h"

#include <algorithm>
#include <any>
#include <exception>
#include <iomanip>
#include <mutex>
#include <thread>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/EventPrincipal.h"
#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/Framework/interface/InputSourceMacros.h"
#include "FWCore/Framework/interface/LuminosityBlock.h"
#include "FWCore/Framework/interface/Run.h"
#include "FWCore/Framework/interface/maker/Worker.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/MessageLogger/interface/MessageService.h"
#include "FWCore/ServiceRegistry/interface/ServiceMaker.h"
#include "EventReader.h"
#include "Schedule.h"
#include "components.h"
#include "rootSetup.h"
#include "withContext.h"

namespace edm {

  class EventProcessor::Implementation {
  public:
    explicit Implementation(ProcessDesc desc);

    void beginJob();
    void runToCompletion();
    void endJob();

  private:
    struct Module {
      ModuleDescription description;
      std::unique_ptr<Worker> worker;
      std::vector<std::mutex*> locks;  // to be held while it runs, in this order
    };

    // One event in flight at a time. Whoever touches a stream holds its mutex, which also is what makes a stream's
    // next task, on another thread, see what the last one did.
    struct Stream {
      explicit Stream(unsigned int n) : id(n) {}
      StreamID id;
      std::mutex mutex;
      EventPrincipal principal;
      std::optional<EventID> last;  // whose run and lumi the stream's modules have begun
    };

    // A member before the modules, so that services live longer than the modules that use them.
    struct Services {
      ~Services() { serviceregistry::clear(); }
    };

    void makeServices();
    void makeSource();
    void makeModules();
    std::vector<std::vector<unsigned int>> connectProducts();
    void lockResources();

    void step(Stream& stream);
    void processEvent(Stream& stream);
    bool callModule(Stream& stream, unsigned int module);
    void changeRunAndLumi(Stream& stream, std::optional<EventID> const& next);
    void fail();
    void report() const;

    ActivityRegistry registry_;
    Services services_;
    ProcessDesc desc_;
    unsigned int threads_ = 1;
    EventSetup const setup_{};
    std::optional<EventReader> reader_;
    std::vector<Module> modules_;
    Schedule schedule_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::map<std::string, std::mutex> resources_;
    std::vector<std::unique_ptr<std::mutex>> turns_;  // of serial modules

    std::mutex summaryMutex_;
    std::vector<unsigned long> passed_;  // events by path; guarded by summaryMutex_
    unsigned long passedAny_ = 0;        // guarded by summaryMutex_

    tbb::task_group tasks_;
    std::mutex failureMutex_;
    std::exception_ptr failure_;  // the first; guarded by failureMutex_
  };

  EventProcessor::Implementation::Implementation(ProcessDesc desc) : desc_(std::move(desc)) {
    setUpRoot();
    validateOptions(desc_.options);
    threads_ = desc_.options.getUntrackedParameter<unsigned int>("numberOfThreads");
    if (threads_ == 0)
      threads_ = std::max(1U, std::thread::hardware_concurrency());
    unsigned int streams = desc_.options.getUntrackedParameter<unsigned int>("numberOfStreams");
    if (streams == 0)
      streams = threads_;
    for (unsigned int i = 0; i < streams; ++i)
      streams_.push_back(std::make_unique<Stream>(i));

    makeServices();
    registry_.preallocateSignal_(SystemBounds{streams, threads_});
    makeSource();
    makeModules();
    schedule_ = Schedule(desc_, connectProducts());
    passed_.resize(schedule_.paths.size());
    EventRun(schedule_, [](unsigned int) { return true; }).run();  // throws if the schedule cannot be run
    lockResources();
  }

  void EventProcessor::Implementation::makeServices() {
    for (ProcessDesc::Component& service : desc_.services) {
      if (service.type == "MessageLogger") {
        messagelogger::configure(
            {readDestination(service.pset.getUntrackedParameter<ParameterSet>("cerr", {}), true),
             readDestination(service.pset.getUntrackedParameter<ParameterSet>("cout", {}), false)});
        continue;
      }
      plugin::Plugin const plugin = validate(plugin::kService, service);
      withContext("Constructing service of type " + service.type,
                  [&] { std::any_cast<serviceregistry::MakeService>(plugin.maker)(service.pset, registry_); });
    }
  }

  void EventProcessor::Implementation::makeSource() {
    if (!desc_.source)
      throw edm::Exception(errors::Configuration) << "No input source was configured: set process.source.\n";
    plugin::Plugin const plugin = validate(plugin::kSource, *desc_.source);
    InputSourceDescription const description{ModuleDescription(desc_.source->type, "source", desc_.name, 0),
                                             desc_.maxEvents.getUntrackedParameter<int>("input", -1)};
    registry_.preSourceConstructionSignal_(description.moduleDescription_);
    reader_.emplace(
        withContext("Constructing input source of type " + desc_.source->type,
                    [&] { return std::any_cast<maker::MakeSource>(plugin.maker)(desc_.source->pset, description); }),
        registry_);
  }

  void EventProcessor::Implementation::makeModules() {
    for (ProcessDesc::Component& component : desc_.modules) {
      plugin::Plugin const plugin = validate(plugin::kModule, component);
      ModuleDescription const description(component.type, component.label, desc_.name, modules_.size() + 1);
      registry_.preModuleConstructionSignal_(description);
      messagelogger::Context const context(component.type + ":" + component.label + "@ctor", "Construction");
      auto worker =
          withContext("Constructing module: class=" + component.type + " label='" + component.label + "'",
                      [&] { return std::any_cast<maker::MakeWorker>(plugin.maker)(component.pset, streams_.size()); });
      for (auto const& stream : streams_)
        worker->module(stream->id).setModuleDescription(description);
      modules_.push_back({description, std::move(worker), {}});
    }
  }

  /// Gives each product its place in the events and tells each module where those it reads lie; returns, for each
  /// module, the modules that it needs.
  std::vector<std::vector<unsigned int>> EventProcessor::Implementation::connectProducts() {
    struct Product {
      TypeID type;
      InputTag tag;
      std::optional<unsigned int> module;  // none: the source
    };
    std::vector<Product> products;
    std::vector<TypeID> wrappers;

    auto const add = [&](ProducerBase& producer, std::string const& label, std::optional<unsigned int> module) {
      std::vector<unsigned int> indices;
      for (ProducedItem const& item : producer.producedItems()) {
        indices.push_back(products.size());
        products.push_back({item.type, InputTag(label, item.instance, desc_.name), module});
        wrappers.push_back(item.wrapper);
      }
      producer.setPutIndices(std::move(indices));
    };
    add(reader_->source(), "source", {});
    for (unsigned int n = 0; n < modules_.size(); ++n) {
      std::size_t const before = products.size();
      for (auto const& stream : streams_) {
        if (ProducerBase* producer = modules_[n].worker->module(stream->id).producer()) {
          products.resize(before);  // all replicas make the same products
          add(*producer, modules_[n].description.moduleLabel(), n);
        }
      }
    }
    checkDictionaries(wrappers);
    for (auto const& stream : streams_)
      stream->principal.resize(products.size());

    std::vector<std::vector<unsigned int>> needs(modules_.size());
    for (unsigned int n = 0; n < modules_.size(); ++n) {
      for (auto const& stream : streams_) {
        for (ConsumedItem& item : modules_[n].worker->module(stream->id).consumedItems()) {
          std::string const process = item.tag.process() == "@currentProcess" ? desc_.name : item.tag.process();
          auto const product = std::find_if(products.begin(), products.end(), [&](Product const& candidate) {
            return candidate.type == item.type && candidate.tag.label() == item.tag.label() &&
                   candidate.tag.instance() == item.tag.instance() &&
                   (process.empty() || process == candidate.tag.process());
          });
          if (product == products.end())
            continue;
          item.index = product - products.begin();
          if (product->module && stream->id == 0)
            needs[n].push_back(*product->module);
        }
      }
    }
    return needs;
  }

  /// What a serial module must hold while it runs: its own turn, then the resources it shares, in one order for all.
  void EventProcessor::Implementation::lockResources() {
    for (Module& module : modules_) {
      if (!module.worker->isSerial())
        continue;
      turns_.push_back(std::make_unique<std::mutex>());
      module.locks.push_back(turns_.back().get());
      std::vector<std::string> names = module.worker->module(StreamID(0)).resources();
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
      for (std::string const& name : names)
        module.locks.push_back(&resources_[name]);
    }
  }

  void EventProcessor::Implementation::beginJob() {
    withContext("Calling beginJob for the source", [&] { reader_->source().doBeginJob(); });
    for (Module& module : modules_) {
      registry_.preModuleBeginJobSignal_(module.description);
      withContext("Calling beginJob for module " + module.description.moduleName() + "/'" +
                      module.description.moduleLabel() + "'",
                  [&] { module.worker->beginJob(); });
    }
    registry_.postBeginJobSignal_();
    for (auto const& stream : streams_)
      for (Module& module : modules_)
        withContext("Calling beginStream for module " + module.description.moduleName() + "/'" +
                        module.description.moduleLabel() + "'",
                    [&] { module.worker->module(stream->id).doBeginStream(stream->id); });
  }

  void EventProcessor::Implementation::runToCompletion() {
    tbb::global_control const parallelism(tbb::global_control::max_allowed_parallelism, threads_);
    tbb::task_arena arena(static_cast<int>(threads_));
    arena.execute([&] {
      for (auto const& stream : streams_) {
        std::lock_guard const lock(stream->mutex);
        tasks_.run([this, &stream = *stream] { step(stream); });
      }
      tasks_.wait();
    });
    std::lock_guard const lock(failureMutex_);
    if (failure_)
      std::rethrow_exception(failure_);
    for (auto const& stream : streams_) {
      std::lock_guard const streamLock(stream->mutex);
      changeRunAndLumi(*stream, {});
    }
  }

  /// Takes one event through a stream and leaves a task for the next one.
  void EventProcessor::Implementation::step(Stream& stream) {
    std::lock_guard const lock(stream.mutex);
    bool more = false;
    // Isolated: a module that waits for tasks of its own must not be given another stream's step meanwhile.
    tbb::this_task_arena::isolate([&] {
      try {
        more = reader_->next(stream.principal, stream.id);
        if (more)
          processEvent(stream);
      } catch (...) {
        fail();
      }
    });
    if (more)
      tasks_.run([this, &stream] { step(stream); });
  }

  void EventProcessor::Implementation::fail() {
    reader_->close();
    std::lock_guard const lock(failureMutex_);
    if (!failure_)
      failure_ = std::current_exception();
  }

  void EventProcessor::Implementation::processEvent(Stream& stream) {
    EventID const id = stream.principal.auxiliary.id();
    std::ostringstream what;
    what << "Processing  Event " << id << " stream: " << stream.id;
    withContext(what.str(), [&] {
      changeRunAndLumi(stream, id);
      StreamContext const streamContext(stream.id, id);
      registry_.preEventSignal_(streamContext);
      EventRun run(schedule_, [&](unsigned int module) { return callModule(stream, module); });
      run.run();
      registry_.postEventSignal_(streamContext);

      std::lock_guard const lock(summaryMutex_);
      bool any = schedule_.paths.empty();
      for (unsigned int path = 0; path < passed_.size(); ++path) {
        passed_[path] += run.accepted(path);
        any = any || (run.accepted(path) && !schedule_.paths[path].isEndPath);
      }
      passedAny_ += any;
    });
  }

  bool EventProcessor::Implementation::callModule(Stream& stream, unsigned int n) {
    Module& module = modules_[n];
    std::vector<std::unique_lock<std::mutex>> locks;
    for (std::mutex* mutex : module.locks)
      locks.emplace_back(*mutex);

    StreamContext const streamContext(stream.id, stream.principal.auxiliary.id());
    ModuleCallingContext const callingContext(&module.description);
    messagelogger::Context const context(module.description.moduleName() + ":" + module.description.moduleLabel(),
                                         "Run: " + std::to_string(streamContext.eventID().run()) +
                                             " Event: " + std::to_string(streamContext.eventID().event()));
    return withContext("Calling method for module " + schedule_.names[n], [&] {
      registry_.preModuleEventSignal_(streamContext, callingContext);
      ModuleBase& instance = module.worker->module(stream.id);
      Event event(stream.principal, module.description, &instance, instance.producer(), stream.id);
      bool const accepted = instance.doEvent(event, setup_);
      registry_.postModuleEventSignal_(streamContext, callingContext);
      return accepted;
    });
  }

  /// Ends the run and lumi of the stream's last event and begins those of the next one, where they differ.
  void EventProcessor::Implementation::changeRunAndLumi(Stream& stream, std::optional<EventID> const& next) {
    std::optional<EventID> const last = std::exchange(stream.last, next);
    bool const newRun = !last || !next || last->run() != next->run();
    bool const newLumi = newRun || last->luminosityBlock() != next->luminosityBlock();
    if (!newLumi)
      return;
    auto const forAll = [&](auto&& call) {
      for (Module& module : modules_)
        call(module.worker->module(stream.id));
    };
    if (last) {
      LuminosityBlock const lumi(LuminosityBlockID(last->run(), last->luminosityBlock()));
      forAll([&](ModuleBase& module) { module.doEndLuminosityBlock(lumi, setup_); });
      if (newRun)
        forAll([&](ModuleBase& module) { module.doEndRun(Run(RunID(last->run())), setup_); });
    }
    if (next) {
      LuminosityBlock const lumi(LuminosityBlockID(next->run(), next->luminosityBlock()));
      if (newRun)
        forAll([&](ModuleBase& module) { module.doBeginRun(Run(RunID(next->run())), setup_); });
      forAll([&](ModuleBase& module) { module.doBeginLuminosityBlock(lumi, setup_); });
    }
  }

  void EventProcessor::Implementation::endJob() {
    for (auto const& stream : streams_)
      for (Module& module : modules_)
        module.worker->module(stream->id).doEndStream(stream->id);
    for (Module& module : modules_) {
      registry_.preModuleEndJobSignal_(module.description);
      messagelogger::Context const context(
          module.description.moduleName() + ":" + module.description.moduleLabel() + "@endJob", "endJob");
      withContext("Calling endJob for module " + module.description.moduleName() + "/'" +
                      module.description.moduleLabel() + "'",
                  [&] { module.worker->endJob(); });
    }
    reader_->source().doEndJob();
    registry_.postEndJobSignal_();
    if (desc_.options.getUntrackedParameter<bool>("wantSummary", false))
      report();
  }

  void EventProcessor::Implementation::report() const {
    LogFwkVerbatim out("FwkSummary");
    out << "\nTrigReport ---------- Event  Summary ------------\n"
        << "TrigReport Events total = " << reader_->events() << " passed = " << passedAny_
        << " failed = " << reader_->events() - passedAny_ << "\n\n"
        << "TrigReport ---------- Path   Summary ------------\nTrigReport     Passed     Failed Name";
    for (std::size_t path = 0; path < passed_.size(); ++path)
      out << "\nTrigReport " << std::setw(10) << passed_[path] << " " << std::setw(10)
          << reader_->events() - passed_[path] << " " << schedule_.paths[path].name;
  }

  EventProcessor::EventProcessor(ProcessDesc desc)
      : implementation_(std::make_unique<Implementation>(std::move(desc))) {}
  EventProcessor::~EventProcessor() = default;
  void EventProcessor::beginJob() { implementation_->beginJob(); }
  void EventProcessor::runToCompletion() { implementation_->runToCompletion(); }
  void EventProcessor::endJob() { implementation_->endJob(); }

}  // namespace edm
