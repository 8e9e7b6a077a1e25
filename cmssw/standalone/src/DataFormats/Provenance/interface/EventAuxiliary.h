#ifndef DataFormats_Provenance_EventAuxiliary_h
#define DataFormats_Provenance_EventAuxiliary_h

#include "DataFormats/Provenance/interface/EventID.h"
#include "DataFormats/Provenance/interface/Timestamp.h"

namespace edm {

  /// What is known of an event beside its products.
  class EventAuxiliary {
  public:
    enum ExperimentType {
      Undefined = 0,
      PhysicsTrigger = 1,
      CalibrationTrigger = 2,
      RandomTrigger = 3,
      Reserved = 4,
      TracedEvent = 5,
      TestTrigger = 6,
      ErrorTrigger = 15
    };

    EventAuxiliary() = default;
    EventAuxiliary(EventID const& id, Timestamp const& time, bool isRealData, ExperimentType type = Undefined)
        : id_(id), time_(time), isRealData_(isRealData), type_(type) {}

    EventID const& id() const { return id_; }
    Timestamp const& time() const { return time_; }
    RunNumber_t run() const { return id_.run(); }
    LuminosityBlockNumber_t luminosityBlock() const { return id_.luminosityBlock(); }
    EventNumber_t event() const { return id_.event(); }
    bool isRealData() const { return isRealData_; }
    ExperimentType experimentType() const { return type_; }

  private:
    EventID id_;
    Timestamp time_;
    bool isRealData_ = false;
    ExperimentType type_ = Undefined;
  };

}  // namespace edm

#endif
