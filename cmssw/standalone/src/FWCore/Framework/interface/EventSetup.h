#ifndef FWCore_Framework_EventSetup_h
#define FWCore_Framework_EventSetup_h

#include "FWCore/Utilities/interface/ESGetToken.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  /// Conditions and geometry. The host has none: every read throws cms::Exception(NoRecord), as CMSSW does for a
  /// record that no module of the job provides.
  class EventSetup {
  public:
    template <typename T, typename R>
    T const& getData(ESGetToken<T, R> const&) const {
      throwNoRecord(TypeID(typeid(R)));
    }

  private:
    [[noreturn]] static void throwNoRecord(TypeID const& record);
  };

}  // namespace edm

#endif
