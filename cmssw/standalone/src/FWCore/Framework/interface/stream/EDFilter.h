#ifndef FWCore_Framework_stream_EDFilter_h
#define FWCore_Framework_stream_EDFilter_h

#include "FWCore/Framework/interface/stream/StreamModule.h"

namespace edm::stream {

  class EDFilterBase : public ProducerBase, public StreamModule {
  public:
    static constexpr char const* kBaseType = "EDFilter";

    ProducerBase* producer() final { return this; }
    bool doEvent(Event& event, EventSetup const& setup) final { return filter(event, setup); }

  private:
    virtual bool filter(Event&, EventSetup const&) = 0;
  };

  /// A filter with one replica a stream; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDFilter : public impl::Implementor<T>..., public EDFilterBase {};

}  // namespace edm::stream

#endif
