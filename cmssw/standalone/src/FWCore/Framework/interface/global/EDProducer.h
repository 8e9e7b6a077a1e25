#ifndef FWCore_Framework_global_EDProducer_h
#define FWCore_Framework_global_EDProducer_h

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/global/GlobalModule.h"

namespace edm::global {

  class EDProducerBase : public ProducerBase, public virtual GlobalModule {
  public:
    static constexpr char const* kBaseType = "EDProducer";

    ProducerBase* producer() final { return this; }
    bool doEvent(Event& event, EventSetup const& setup) final {
      produce(event.streamID(), event, setup);
      return true;
    }

  private:
    virtual void produce(StreamID, Event&, EventSetup const&) const = 0;
  };

  /// A producer with one instance for all streams; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDProducer : public impl::Implementor<T>..., public EDProducerBase {};

}  // namespace edm::global

#endif
