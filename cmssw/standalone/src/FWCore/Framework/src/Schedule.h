#ifndef FWCore_Framework_src_Schedule_h
#define FWCore_Framework_src_Schedule_h

#include <functional>
#include <string>
#include <vector>

#include "FWCore/ParameterSetReader/interface/ProcessDesc.h"

namespace edm {

  /// Which modules are on which paths, and which products they wait for. The same for all streams.
  struct Schedule {
    enum class Filter { kAccept, kNegate, kIgnore };
    struct Step {
      unsigned int module;
      Filter filter;
    };
    struct Path {
      std::string name;
      bool isEndPath;
      std::vector<Step> steps;
    };

    std::vector<Path> paths;
    std::vector<std::string> names;                  // of the modules: class/'label'
    std::vector<std::vector<unsigned int>> needs;    // of each module: those that make what it reads
    std::vector<std::vector<unsigned int>> pathsOf;  // of each module; none: it runs on demand

    Schedule() = default;
    Schedule(ProcessDesc const& desc, std::vector<std::vector<unsigned int>> needs);
  };

  /// One event's way through the schedule.
  class EventRun {
  public:
    /// Calls module `n`; true when it accepts the event.
    using Call = std::function<bool(unsigned int module)>;

    EventRun(Schedule const& schedule, Call call);

    /// Runs all paths, then all end paths. Throws edm::Exception(ScheduleExecutionFailure) when modules wait for each
    /// other.
    void run();
    bool accepted(unsigned int path) const { return paths_[path].accepted; }
    bool visited(unsigned int module) const {
      return modules_[module] == ModuleState::kAccepted || modules_[module] == ModuleState::kRejected;
    }

  private:
    enum class ModuleState { kWaiting, kRunning, kAccepted, kRejected };
    struct PathState {
      std::size_t next = 0;
      bool accepted = true;
      bool active = false;
    };

    bool isFinished(unsigned int path) const {
      return !paths_[path].accepted || paths_[path].next == schedule_.paths[path].steps.size();
    }
    void step(unsigned int path);
    bool runModule(unsigned int module);
    void satisfy(unsigned int module, unsigned int neededBy);
    [[noreturn]] void throwUnrunnable(unsigned int reader, unsigned int maker) const;

    Schedule const& schedule_;
    Call call_;
    std::vector<ModuleState> modules_;
    std::vector<PathState> paths_;
  };

}  // namespace edm

#endif
