#ifndef FWCore_Framework_global_GlobalModule_h
#define FWCore_Framework_global_GlobalModule_h

#include <memory>
#include <vector>

#include "FWCore/Framework/interface/ModuleBase.h"
#include "FWCore/Framework/interface/moduleAbilities.h"

namespace edm::global {

  /// A module with one instance, which all streams call at the same time.
  class GlobalModule : public ModuleBase {
  public:
    void doBeginJob() final { beginJob(); }
    void doEndJob() final { endJob(); }
    virtual void preallocateStreams(unsigned int) {}

  private:
    virtual void beginJob() {}
    virtual void endJob() {}
  };

  namespace impl {
    template <typename Ability>
    class Implementor;

    template <typename C>
    class Implementor<edm::StreamCache<C>> : public virtual GlobalModule {
    public:
      void preallocateStreams(unsigned int streams) final { caches_.resize(streams); }
      void doBeginStream(StreamID id) final { caches_[id] = beginStream(id); }
      void doEndStream(StreamID id) final { endStream(id); }

    protected:
      C* streamCache(StreamID id) const { return caches_[id].get(); }

    private:
      virtual std::unique_ptr<C> beginStream(StreamID) const = 0;
      virtual void endStream(StreamID) const {}

      std::vector<std::unique_ptr<C>> caches_;
    };
  }  // namespace impl

}  // namespace edm::global

#endif
