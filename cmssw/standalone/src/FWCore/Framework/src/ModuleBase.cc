#include "FWCore/Framework/interface/ModuleBase.h"

#include "FWCore/Framework/interface/EventSetup.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {

  void ModuleBase::fillDescriptions(ConfigurationDescriptions& descriptions) {
    ParameterSetDescription description;
    description.setUnknown();
    descriptions.addDefault(description);
  }

  unsigned int EDConsumerBase::record(TypeID const& type, InputTag const& tag, bool always) {
    consumed_.push_back({type, tag, always});
    return consumed_.size() - 1;
  }

  void EventSetup::throwNoRecord(TypeID const& record) {
    throw cms::Exception("NoRecord") << "No \"" << record.className() << "\" record found in the EventSetup.\n"
                                     << "This host provides no conditions and no geometry.\n";
  }

}  // namespace edm
