#ifndef FWCore_Framework_stream_StreamModule_h
#define FWCore_Framework_stream_StreamModule_h

#include "FWCore/Framework/interface/ModuleBase.h"
#include "FWCore/Framework/interface/moduleAbilities.h"

namespace edm::stream {

  /// A module with one replica for each stream, which sees a subset of the events.
  class StreamModule : public ModuleBase {
  public:
    void doBeginStream(StreamID id) final { beginStream(id); }
    void doEndStream(StreamID) final { endStream(); }
    void doBeginRun(Run const& run, EventSetup const& setup) final { beginRun(run, setup); }
    void doEndRun(Run const& run, EventSetup const& setup) final { endRun(run, setup); }
    void doBeginLuminosityBlock(LuminosityBlock const& lumi, EventSetup const& setup) final {
      beginLuminosityBlock(lumi, setup);
    }
    void doEndLuminosityBlock(LuminosityBlock const& lumi, EventSetup const& setup) final {
      endLuminosityBlock(lumi, setup);
    }

  private:
    virtual void beginStream(StreamID) {}
    virtual void endStream() {}
    virtual void beginRun(Run const&, EventSetup const&) {}
    virtual void endRun(Run const&, EventSetup const&) {}
    virtual void beginLuminosityBlock(LuminosityBlock const&, EventSetup const&) {}
    virtual void endLuminosityBlock(LuminosityBlock const&, EventSetup const&) {}
  };

  namespace impl {
    template <typename Ability>
    class Implementor;

    template <typename C>
    class Implementor<edm::GlobalCache<C>> {
    public:
      using GlobalCache = C;

      void setGlobalCache(C const* cache) { cache_ = cache; }
      static void globalBeginJob(C*) {}

    protected:
      C const* globalCache() const { return cache_; }

    private:
      C const* cache_ = nullptr;
    };
  }  // namespace impl

}  // namespace edm::stream

#endif
