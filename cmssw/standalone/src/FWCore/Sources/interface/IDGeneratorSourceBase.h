#ifndef FWCore_Sources_IDGeneratorSourceBase_h
#define FWCore_Sources_IDGeneratorSourceBase_h

#include <cstddef>

#include "FWCore/Framework/interface/InputSource.h"

namespace edm {

  /// A source that numbers its events itself: in order, unless setRunAndEventInfo says otherwise.
  class IDGeneratorSourceBase : public InputSource {
  public:
    IDGeneratorSourceBase(ParameterSet const& pset, InputSourceDescription const& description, bool realData);

    unsigned int numberEventsInRun() const { return numberEventsInRun_; }
    unsigned int numberEventsInLumi() const { return numberEventsInLumi_; }
    TimeValue_t presentTime() const { return presentTime_; }
    EventID const& eventID() const { return eventID_; }
    RunNumber_t run() const { return eventID_.run(); }
    LuminosityBlockNumber_t luminosityBlock() const { return eventID_.luminosityBlock(); }
    EventNumber_t event() const { return eventID_.event(); }

    static void fillDescription(ParameterSetDescription& description);

  private:
    void beginJob() override { initialize(eventID_, presentTime_, timeBetweenEvents_); }
    bool nextEvent_(EventAuxiliary& event) final;
    void advanceToNext();

    /// Called at the beginning of the job; may change what the numbering starts from.
    virtual void initialize(EventID& id, TimeValue_t& time, TimeValue_t& interval);
    /// May change the event's identity and time; returns false at the end of the input.
    virtual bool setRunAndEventInfo(EventID& id, TimeValue_t& time, EventAuxiliary::ExperimentType& type) = 0;
    virtual std::size_t fileIndex() const { return 0; }

    unsigned int numberEventsInRun_;   // 0: no limit
    unsigned int numberEventsInLumi_;  // 0: no limit
    unsigned int numberEventsInThisRun_ = 0;
    unsigned int numberEventsInThisLumi_ = 0;
    TimeValue_t presentTime_;
    TimeValue_t timeBetweenEvents_;
    unsigned int eventCreationDelay_;  // microseconds
    EventID eventID_;
    LuminosityBlockNumber_t firstLumi_;
    bool isRealData_;
  };

}  // namespace edm

#endif
