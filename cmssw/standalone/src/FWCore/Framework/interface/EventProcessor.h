#ifndef FWCore_Framework_EventProcessor_h
#define FWCore_Framework_EventProcessor_h

#include <memory>
#include <string>

#include "FWCore/ParameterSetReader/interface/ProcessDesc.h"

namespace edm {

  /// Runs a job: makes its services, source and modules, then lets streams of events through its paths.
  ///
  /// Each stream processes one event after the other, its modules in the order of their data dependencies; streams run at the
  /// same time, as oneTBB tasks. Differences from CMSSW: within one event modules run one after the
  /// other, and after an exception endJob is not called.
  class EventProcessor {
  public:
    /// Throws edm::Exception: Configuration, DictionaryNotFound for a product without dictionary,
    /// ScheduleExecutionFailure when modules wait for each other.
    explicit EventProcessor(ProcessDesc desc);
    ~EventProcessor();

    void beginJob();
    /// Runs to the end of the input; the first exception of any stream ends the job and comes out here.
    void runToCompletion();
    void endJob();

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
  };

}  // namespace edm

#endif
