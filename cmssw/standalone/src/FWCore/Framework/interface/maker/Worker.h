#ifndef FWCore_Framework_maker_Worker_h
#define FWCore_Framework_maker_Worker_h

#include <memory>
#include <type_traits>
#include <vector>

#include "FWCore/Framework/interface/ModuleBase.h"
#include "FWCore/Framework/interface/global/GlobalModule.h"
#include "FWCore/Framework/interface/one/OneModule.h"
#include "FWCore/Framework/interface/stream/StreamModule.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm {

  /// A configured module: one object, or one replica a stream.
  class Worker {
  public:
    virtual ~Worker() = default;

    virtual ModuleBase& module(StreamID stream) = 0;
    /// True when streams must take turns.
    virtual bool isSerial() const = 0;
    virtual void beginJob() = 0;
    virtual void endJob() = 0;
  };

  namespace maker {
    template <typename T, typename = void>
    struct CacheOf {
      using Type = void;
    };
    template <typename T>
    struct CacheOf<T, std::void_t<typename T::GlobalCache>> {
      using Type = typename T::GlobalCache;
    };

    /// The replicas of a stream module, and the cache they share if they have one.
    template <typename T, typename Cache>
    class StreamWorker : public Worker {
    public:
      StreamWorker(ParameterSet const& pset, unsigned int streams) : cache_(T::initializeGlobalCache(pset)) {
        Cache const* shared = cache_.get();
        for (unsigned int i = 0; i < streams; ++i) {
          replicas_.push_back(std::make_unique<T>(pset, shared));
          replicas_.back()->setGlobalCache(shared);
        }
      }
      ModuleBase& module(StreamID stream) override { return *replicas_[stream]; }
      bool isSerial() const override { return false; }
      void beginJob() override { T::globalBeginJob(cache_.get()); }
      void endJob() override { T::globalEndJob(cache_.get()); }

    private:
      std::unique_ptr<Cache> cache_;
      std::vector<std::unique_ptr<T>> replicas_;
    };

    template <typename T>
    class StreamWorker<T, void> : public Worker {
    public:
      StreamWorker(ParameterSet const& pset, unsigned int streams) {
        for (unsigned int i = 0; i < streams; ++i)
          replicas_.push_back(std::make_unique<T>(pset));
      }
      ModuleBase& module(StreamID stream) override { return *replicas_[stream]; }
      bool isSerial() const override { return false; }
      void beginJob() override {}
      void endJob() override {}

    private:
      std::vector<std::unique_ptr<T>> replicas_;
    };

    /// The one object of a global or one module.
    template <typename T>
    class SingleWorker : public Worker {
    public:
      SingleWorker(ParameterSet const& pset, unsigned int streams) : module_(std::make_unique<T>(pset)) {
        if constexpr (std::is_base_of_v<global::GlobalModule, T>)
          module_->preallocateStreams(streams);
      }
      ModuleBase& module(StreamID) override { return *module_; }
      bool isSerial() const override { return std::is_base_of_v<one::OneModule, T>; }
      void beginJob() override { module_->doBeginJob(); }
      void endJob() override { module_->doEndJob(); }

    private:
      std::unique_ptr<T> module_;
    };

    using MakeWorker = std::unique_ptr<Worker> (*)(ParameterSet const&, unsigned int streams);

    template <typename T>
    std::unique_ptr<Worker> makeWorker(ParameterSet const& pset, unsigned int streams) {
      if constexpr (std::is_base_of_v<stream::StreamModule, T>)
        return std::make_unique<StreamWorker<T, typename CacheOf<T>::Type>>(pset, streams);
      else
        return std::make_unique<SingleWorker<T>>(pset, streams);
    }
  }  // namespace maker

}  // namespace edm

#endif
