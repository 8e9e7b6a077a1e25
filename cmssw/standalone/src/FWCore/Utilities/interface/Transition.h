#ifndef FWCore_Utilities_Transition_h
#define FWCore_Utilities_Transition_h

namespace edm {

  enum class Transition {
    Event,
    BeginLuminosityBlock,
    EndLuminosityBlock,
    BeginRun,
    EndRun,
  };

}  // namespace edm

#endif
