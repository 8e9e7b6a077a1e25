#ifndef FWCore_Framework_one_EDFilter_h
#define FWCore_Framework_one_EDFilter_h

#include "FWCore/Framework/interface/one/OneModule.h"

namespace edm::one {

  class EDFilterBase : public ProducerBase, public virtual OneModule {
  public:
    static constexpr char const* kBaseType = "EDFilter";

    ProducerBase* producer() final { return this; }
    bool doEvent(Event& event, EventSetup const& setup) final { return filter(event, setup); }

  private:
    virtual bool filter(Event&, EventSetup const&) = 0;
  };

  /// A filter with one instance, called for one event at a time; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDFilter : public impl::Implementor<T>..., public EDFilterBase {};

}  // namespace edm::one

#endif
