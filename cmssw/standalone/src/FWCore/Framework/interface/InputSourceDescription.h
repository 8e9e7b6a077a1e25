#ifndef FWCore_Framework_InputSourceDescription_h
#define FWCore_Framework_InputSourceDescription_h

#include "DataFormats/Provenance/interface/ModuleDescription.h"

namespace edm {

  /// What a source needs to know beside its own parameters.
  struct InputSourceDescription {
    ModuleDescription moduleDescription_;
    int maxEvents_ = -1;  // -1: all
  };

}  // namespace edm

#endif
