#ifndef FWCore_Framework_Frameworkfwd_h
#define FWCore_Framework_Frameworkfwd_h

#include "FWCore/ParameterSet/interface/ParameterSetfwd.h"

namespace edm {
  class ActivityRegistry;
  class ConsumesCollector;
  class EDConsumerBase;
  class Event;
  class EventSetup;
  class InputSource;
  class LuminosityBlock;
  class ModuleDescription;
  class ProducerBase;
  class ProducesCollector;
  class Run;
  class StreamID;
  struct InputSourceDescription;
}  // namespace edm

#endif
