#include "FWCore/Sources/interface/ProducerSourceFromFiles.h"

#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

namespace edm {

  void ProducerSourceFromFiles::fillDescription(ParameterSetDescription& description) {
    ProducerSourceBase::fillDescription(description);
    FromFiles::fillDescription(description);
  }

}  // namespace edm
