#include "FWCore/Framework/interface/InputSource.h"

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  InputSource::InputSource(ParameterSet const& pset, InputSourceDescription const& description)
      : description_(description.moduleDescription_), maxEvents_(description.maxEvents_), remainingEvents_(maxEvents_) {
    std::string const mode = pset.getUntrackedParameter<std::string>("processingMode", "RunsLumisAndEvents");
    if (mode != "RunsLumisAndEvents")
      throw edm::Exception(errors::UnimplementedFeature)
          << "The source's processingMode is '" << mode << "'; this host knows only 'RunsLumisAndEvents'.\n";
  }

  void InputSource::fillDescriptions(ConfigurationDescriptions& descriptions) {
    ParameterSetDescription description;
    description.setUnknown();
    descriptions.addDefault(description);
  }

  void InputSource::fillDescription(ParameterSetDescription& description) {
    description.addUntracked<std::string>("processingMode", "RunsLumisAndEvents")
        ->setComment("'RunsLumisAndEvents': process runs, lumis, and events; the only mode of this host.");
    description.addUntracked<bool>("writeStatusFile", false)->setComment("Accepted, and ignored by this host.");
  }

  bool InputSource::nextEvent(EventAuxiliary& event) {
    if (remainingEvents_ == 0 || !nextEvent_(event))
      return false;
    if (remainingEvents_ > 0)
      --remainingEvents_;
    return true;
  }

}  // namespace edm
