#ifndef DataFormats_Provenance_EventID_h
#define DataFormats_Provenance_EventID_h

#include <ostream>
#include <tuple>

#include "DataFormats/Provenance/interface/RunLumiEventNumber.h"

namespace edm {

  /// Run, luminosity block and event number.
  class EventID {
  public:
    EventID() = default;
    EventID(RunNumber_t run, LuminosityBlockNumber_t lumi, EventNumber_t event)
        : run_(run), lumi_(lumi), event_(event) {}

    RunNumber_t run() const { return run_; }
    LuminosityBlockNumber_t luminosityBlock() const { return lumi_; }
    EventNumber_t event() const { return event_; }

    EventID next(LuminosityBlockNumber_t lumi) const { return EventID(run_, lumi, event_ + 1); }
    EventID nextRunFirstEvent(LuminosityBlockNumber_t lumi) const { return EventID(run_ + 1, lumi, 1); }

    bool operator==(EventID const& other) const { return key() == other.key(); }
    bool operator!=(EventID const& other) const { return key() != other.key(); }
    bool operator<(EventID const& other) const { return key() < other.key(); }
    bool operator>(EventID const& other) const { return key() > other.key(); }
    bool operator<=(EventID const& other) const { return key() <= other.key(); }
    bool operator>=(EventID const& other) const { return key() >= other.key(); }

  private:
    std::tuple<RunNumber_t, LuminosityBlockNumber_t, EventNumber_t> key() const { return {run_, lumi_, event_}; }

    RunNumber_t run_ = 0;
    LuminosityBlockNumber_t lumi_ = 0;
    EventNumber_t event_ = 0;
  };

  inline std::ostream& operator<<(std::ostream& out, EventID const& id) {
    return out << "run: " << id.run() << " lumi: " << id.luminosityBlock() << " event: " << id.event();
  }

}  // namespace edm

#endif
