#ifndef FWCore_Framework_global_EDFilter_h
#define FWCore_Framework_global_EDFilter_h

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/global/GlobalModule.h"

namespace edm::global {

  class EDFilterBase : public ProducerBase, public virtual GlobalModule {
  public:
    static constexpr char const* kBaseType = "EDFilter";

    ProducerBase* producer() final { return this; }
    bool doEvent(Event& event, EventSetup const& setup) final { return filter(event.streamID(), event, setup); }

  private:
    virtual bool filter(StreamID, Event&, EventSetup const&) const = 0;
  };

  /// A filter with one instance for all streams; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDFilter : public impl::Implementor<T>..., public EDFilterBase {};

}  // namespace edm::global

#endif
