#ifndef FWCore_Framework_one_EDProducer_h
#define FWCore_Framework_one_EDProducer_h

#include "FWCore/Framework/interface/one/OneModule.h"

namespace edm::one {

  class EDProducerBase : public ProducerBase, public virtual OneModule {
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

  /// A producer with one instance, called for one event at a time; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDProducer : public impl::Implementor<T>..., public EDProducerBase {};

}  // namespace edm::one

#endif
