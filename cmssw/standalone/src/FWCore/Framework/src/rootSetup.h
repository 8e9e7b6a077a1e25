#ifndef FWCore_Framework_src_rootSetup_h
#define FWCore_Framework_src_rootSetup_h

#include <vector>

#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  /// Lets ROOT be used by several threads, without windows, and turns its warnings and errors into
  /// edm::Exception(FatalRootError), as CMSSW's InitRootHandlers does.
  void setUpRoot();

  /// Throws edm::Exception(DictionaryNotFound), naming all types without a ROOT dictionary among these and their members.
  void checkDictionaries(std::vector<TypeID> const& types);

}  // namespace edm

#endif
