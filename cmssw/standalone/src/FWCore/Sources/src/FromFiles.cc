#include "FWCore/Sources/interface/FromFiles.h"

#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  FromFiles::FromFiles(ParameterSet const& pset)
      : fileNames_(pset.getUntrackedParameter<std::vector<std::string>>("fileNames")) {
    for (std::string const& name : fileNames_)
      if (name.find(':') == std::string::npos)
        throw edm::Exception(errors::FileOpenError)
            << "'" << name << "' is a logical file name, and this host has no catalog that could resolve it.\n"
            << "Write file:" << name << " for a file of this machine.\n";
  }

  std::vector<std::string> FromFiles::fileNames(unsigned int catalog) const {
    if (catalog != 0)
      throw edm::Exception(errors::LogicError) << "There is no catalog " << catalog << ": the host has one.\n";
    return fileNames_;
  }

  void FromFiles::fillDescription(ParameterSetDescription& description) {
    description.addUntracked<std::vector<std::string>>("fileNames", {})->setComment("Names of files to be processed.");
    description.addUntracked<std::string>("overrideCatalog", "");
  }

}  // namespace edm
