#ifndef FWCore_ServiceRegistry_ActivityRegistry_h
#define FWCore_ServiceRegistry_ActivityRegistry_h

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "DataFormats/Provenance/interface/ModuleDescription.h"
#include "FWCore/ServiceRegistry/interface/ModuleCallingContext.h"
#include "FWCore/ServiceRegistry/interface/StreamContext.h"

namespace edm {

  /// The size of the job, known before its modules are made.
  struct SystemBounds {
    unsigned int maxNumberOfStreams() const { return streams; }
    unsigned int maxNumberOfThreads() const { return threads; }
    unsigned int streams;
    unsigned int threads;
  };

  /// The moments of a job that services can watch: `registry.watchPreModuleEvent(this, &MyService::preModuleEvent)`.
  class ActivityRegistry {
  public:
    template <typename... Args>
    class Signal {
    public:
      void connect(std::function<void(Args...)> slot) { slots_.push_back(std::move(slot)); }
      void operator()(Args... args) const {
        for (auto const& slot : slots_)
          slot(args...);
      }

    private:
      std::vector<std::function<void(Args...)>> slots_;
    };

    using EventModuleSignal = Signal<StreamContext const&, ModuleCallingContext const&>;

    Signal<SystemBounds const&> preallocateSignal_;
    Signal<ModuleDescription const&> preSourceConstructionSignal_;
    Signal<ModuleDescription const&> preModuleConstructionSignal_;
    Signal<ModuleDescription const&> preModuleBeginJobSignal_;
    Signal<ModuleDescription const&> preModuleEndJobSignal_;
    Signal<> postBeginJobSignal_;
    Signal<> postEndJobSignal_;
    Signal<StreamID> preSourceSignal_;
    Signal<StreamID> postSourceSignal_;
    Signal<StreamContext const&> preEventSignal_;
    Signal<StreamContext const&> postEventSignal_;
    EventModuleSignal preModuleEventSignal_;
    EventModuleSignal postModuleEventSignal_;

#define EDM_WATCH(name, signal)                                                     \
  template <typename F>                                                             \
  void watch##name(F&& slot) {                                                      \
    signal.connect(std::forward<F>(slot));                                          \
  }                                                                                 \
  template <typename T, typename R, typename... Args>                               \
  void watch##name(T* object, R (T::*method)(Args...)) {                            \
    signal.connect([object, method](Args... args) { (object->*method)(args...); }); \
  }
    EDM_WATCH(Preallocate, preallocateSignal_)
    EDM_WATCH(PreSourceConstruction, preSourceConstructionSignal_)
    EDM_WATCH(PreModuleConstruction, preModuleConstructionSignal_)
    EDM_WATCH(PreModuleBeginJob, preModuleBeginJobSignal_)
    EDM_WATCH(PreModuleEndJob, preModuleEndJobSignal_)
    EDM_WATCH(PostBeginJob, postBeginJobSignal_)
    EDM_WATCH(PostEndJob, postEndJobSignal_)
    EDM_WATCH(PreSourceEvent, preSourceSignal_)
    EDM_WATCH(PostSourceEvent, postSourceSignal_)
    EDM_WATCH(PreEvent, preEventSignal_)
    EDM_WATCH(PostEvent, postEventSignal_)
    EDM_WATCH(PreModuleEvent, preModuleEventSignal_)
    EDM_WATCH(PostModuleEvent, postModuleEventSignal_)
#undef EDM_WATCH
  };

}  // namespace edm

#endif
