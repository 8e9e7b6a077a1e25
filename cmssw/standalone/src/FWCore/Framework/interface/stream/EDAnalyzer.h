#ifndef FWCore_Framework_stream_EDAnalyzer_h
#define FWCore_Framework_stream_EDAnalyzer_h

#include "FWCore/Framework/interface/stream/StreamModule.h"

namespace edm::stream {

  class EDAnalyzerBase : public StreamModule {
  public:
    static constexpr char const* kBaseType = "EDAnalyzer";

    bool doEvent(Event& event, EventSetup const& setup) final {
      analyze(event, setup);
      return true;
    }

  private:
    virtual void analyze(Event const&, EventSetup const&) = 0;
  };

  /// An analyzer with one replica a stream; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDAnalyzer : public impl::Implementor<T>..., public EDAnalyzerBase {};

}  // namespace edm::stream

#endif
