#ifndef FWCore_ServiceRegistry_StreamContext_h
#define FWCore_ServiceRegistry_StreamContext_h

#include "DataFormats/Provenance/interface/EventID.h"
#include "FWCore/Utilities/interface/StreamID.h"

namespace edm {

  /// Which stream is at work, and on which event.
  class StreamContext {
  public:
    StreamContext(StreamID stream, EventID const& event) : stream_(stream), event_(event) {}

    StreamID const& streamID() const { return stream_; }
    EventID const& eventID() const { return event_; }

  private:
    StreamID stream_;
    EventID event_;
  };

}  // namespace edm

#endif
