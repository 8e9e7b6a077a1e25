#include "FWCore/Sources/interface/IDGeneratorSourceBase.h"

#include <chrono>
#include <thread>

#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

namespace edm {

  IDGeneratorSourceBase::IDGeneratorSourceBase(ParameterSet const& pset,
                                               InputSourceDescription const& description,
                                               bool realData)
      : InputSource(pset, description),
        numberEventsInRun_(pset.getUntrackedParameter<unsigned int>("numberEventsInRun", 0)),
        numberEventsInLumi_(pset.getUntrackedParameter<unsigned int>("numberEventsInLuminosityBlock", 0)),
        presentTime_(pset.getUntrackedParameter<unsigned long long>("firstTime")),
        timeBetweenEvents_(pset.getUntrackedParameter<unsigned long long>("timeBetweenEvents")),
        eventCreationDelay_(pset.getUntrackedParameter<unsigned int>("eventCreationDelay")),
        eventID_(pset.getUntrackedParameter<unsigned int>("firstRun"),
                 pset.getUntrackedParameter<unsigned int>("firstLuminosityBlock"),
                 pset.getUntrackedParameter<unsigned int>("firstEvent") - 1),
        firstLumi_(eventID_.luminosityBlock()),
        isRealData_(realData) {}

  void IDGeneratorSourceBase::initialize(EventID&, TimeValue_t&, TimeValue_t&) {}

  bool IDGeneratorSourceBase::nextEvent_(EventAuxiliary& event) {
    advanceToNext();
    if (eventCreationDelay_ > 0)
      std::this_thread::sleep_for(std::chrono::microseconds(eventCreationDelay_));
    EventAuxiliary::ExperimentType type = EventAuxiliary::Undefined;
    if (!setRunAndEventInfo(eventID_, presentTime_, type))
      return false;
    event = EventAuxiliary(eventID_, Timestamp(presentTime_), isRealData_, type);
    return true;
  }

  void IDGeneratorSourceBase::advanceToNext() {
    presentTime_ += timeBetweenEvents_;
    if (numberEventsInRun_ > 0 && numberEventsInThisRun_ == numberEventsInRun_) {
      eventID_ = eventID_.nextRunFirstEvent(firstLumi_);
      numberEventsInThisRun_ = 1;
      numberEventsInThisLumi_ = 1;
      return;
    }
    ++numberEventsInThisRun_;
    if (numberEventsInLumi_ > 0 && numberEventsInThisLumi_ == numberEventsInLumi_) {
      eventID_ = eventID_.next(eventID_.luminosityBlock() + 1);
      numberEventsInThisLumi_ = 1;
      return;
    }
    ++numberEventsInThisLumi_;
    eventID_ = eventID_.next(eventID_.luminosityBlock());
  }

  void IDGeneratorSourceBase::fillDescription(ParameterSetDescription& description) {
    constexpr unsigned long long nanosecondsBetweenEvents = 5'000'000;  // 200 events a second
    description.addOptionalUntracked<unsigned int>("numberEventsInRun")
        ->setComment("Number of events to generate in each run.");
    description.addOptionalUntracked<unsigned int>("numberEventsInLuminosityBlock")
        ->setComment("Number of events to generate in each lumi.");
    description.addUntracked<unsigned long long>("firstTime", 1)
        ->setComment("Time before first event (ns) (for timestamp).");
    description.addUntracked<unsigned long long>("timeBetweenEvents", nanosecondsBetweenEvents)
        ->setComment("Time between consecutive events (ns) (for timestamp).");
    description.addUntracked<unsigned int>("eventCreationDelay", 0)
        ->setComment("Real time delay between generation of consecutive events (us).");
    description.addUntracked<unsigned int>("firstEvent", 1)->setComment("Event number of first event to generate.");
    description.addUntracked<unsigned int>("firstLuminosityBlock", 1)
        ->setComment("Luminosity block number of first lumi to generate.");
    description.addUntracked<unsigned int>("firstRun", 1)->setComment("Run number of first run to generate.");
    InputSource::fillDescription(description);
  }

}  // namespace edm
