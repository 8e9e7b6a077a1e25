#ifndef FWCore_Framework_global_EDAnalyzer_h
#define FWCore_Framework_global_EDAnalyzer_h

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/global/GlobalModule.h"

namespace edm::global {

  class EDAnalyzerBase : public virtual GlobalModule {
  public:
    static constexpr char const* kBaseType = "EDAnalyzer";

    bool doEvent(Event& event, EventSetup const& setup) final {
      analyze(event.streamID(), event, setup);
      return true;
    }

  private:
    virtual void analyze(StreamID, Event const&, EventSetup const&) const = 0;
  };

  /// An analyzer with one instance for all streams; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDAnalyzer : public impl::Implementor<T>..., public EDAnalyzerBase {};

}  // namespace edm::global

#endif
