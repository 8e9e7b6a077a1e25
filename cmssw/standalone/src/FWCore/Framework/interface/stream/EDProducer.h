#ifndef FWCore_Framework_stream_EDProducer_h
#define FWCore_Framework_stream_EDProducer_h

#include "FWCore/Framework/interface/stream/StreamModule.h"

namespace edm::stream {

  class EDProducerBase : public ProducerBase, public StreamModule {
  public:
    static constexpr char const* kBaseType = "EDProducer";

    ProducerBase* producer() final { return this; }
    bool doEvent(Event& event, EventSetup const& setup) final {
      produce(event, setup);
      return true;
    }

  private:
    virtual void produce(Event&, EventSetup const&) = 0;
  };

  /// A producer with one replica a stream; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDProducer : public impl::Implementor<T>..., public EDProducerBase {};

}  // namespace edm::stream

#endif
