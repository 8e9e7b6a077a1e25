#ifndef FWCore_Framework_one_EDAnalyzer_h
#define FWCore_Framework_one_EDAnalyzer_h

#include "FWCore/Framework/interface/one/OneModule.h"

namespace edm::one {

  class EDAnalyzerBase : public virtual OneModule {
  public:
    static constexpr char const* kBaseType = "EDAnalyzer";

    bool doEvent(Event& event, EventSetup const& setup) final {
      analyze(event, setup);
      return true;
    }

  private:
    virtual void analyze(Event const&, EventSetup const&) = 0;
  };

  /// An analyzer with one instance, called for one event at a time; T are abilities (see moduleAbilities.h).
  template <typename... T>
  class EDAnalyzer : public impl::Implementor<T>..., public EDAnalyzerBase {};

}  // namespace edm::one

#endif
