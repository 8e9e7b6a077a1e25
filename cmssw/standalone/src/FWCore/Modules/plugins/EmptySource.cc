#include "FWCore/Framework/interface/InputSourceMacros.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Sources/interface/ProducerSourceBase.h"

namespace edm {

  /// Events without products.
  class EmptySource : public ProducerSourceBase {
  public:
    EmptySource(ParameterSet const& pset, InputSourceDescription const& description)
        : ProducerSourceBase(pset, description, false) {}

    static void fillDescriptions(ConfigurationDescriptions& descriptions) {
      ParameterSetDescription description;
      description.setComment("Creates runs, lumis and events containing no products.");
      ProducerSourceBase::fillDescription(description);
      descriptions.add("source", description);
    }

  private:
    bool setRunAndEventInfo(EventID&, TimeValue_t&, EventAuxiliary::ExperimentType&) override { return true; }
    void produce(Event&) override {}
  };

}  // namespace edm

using edm::EmptySource;
DEFINE_FWK_INPUT_SOURCE(EmptySource);
