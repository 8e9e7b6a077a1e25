#ifndef FWCore_Utilities_BranchType_h
#define FWCore_Utilities_BranchType_h

namespace edm {

  // The host keeps event products only.
  enum BranchType { InEvent = 0 };

}  // namespace edm

#endif
