#ifndef FWCore_Framework_EventReader_h
#define FWCore_Framework_EventReader_h

#include <memory>
#include <mutex>

#include "FWCore/Framework/interface/EventPrincipal.h"
#include "FWCore/Framework/interface/InputSource.h"
#include "FWCore/ServiceRegistry/interface/ActivityRegistry.h"
#include "FWCore/Utilities/interface/StreamID.h"

namespace edm {

  /// Hands the events of a source to whichever stream asks next.
  class EventReader {
  public:
    EventReader(std::unique_ptr<InputSource> source, ActivityRegistry& registry);

    InputSource& source() { return *source_; }
    unsigned long events() const { return events_; }  // when nobody reads any more

    /// Reads the next event into `principal`; false after the last one, and after an exception of any stream.
    bool next(EventPrincipal& principal, StreamID stream);

    /// Lets no stream have another event.
    void close();

  private:
    bool read(EventPrincipal& principal, StreamID stream);

    std::unique_ptr<InputSource> source_;
    ActivityRegistry& registry_;
    std::mutex mutex_;
    bool open_ = true;          // guarded by mutex_
    unsigned long events_ = 0;  // guarded by mutex_
  };

}  // namespace edm

#endif
