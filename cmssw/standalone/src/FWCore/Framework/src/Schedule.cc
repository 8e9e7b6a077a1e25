#include "Schedule.h"

#include <algorithm>

#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  Schedule::Schedule(ProcessDesc const& desc, std::vector<std::vector<unsigned int>> dependencies)
      : needs(std::move(dependencies)), pathsOf(desc.modules.size()) {
    std::vector<std::string> labels;
    for (auto const& module : desc.modules) {
      labels.push_back(module.label);
      names.push_back(module.type + "/'" + module.label + "'");
    }
    for (auto const& described : desc.paths) {
      Path path{described.name, described.isEndPath, {}};
      for (std::string const& decorated : described.modules) {
        Filter const filter = decorated[0] == '!'   ? Filter::kNegate
                              : decorated[0] == '-' ? Filter::kIgnore
                                                    : Filter::kAccept;
        std::string const label = filter == Filter::kAccept ? decorated : decorated.substr(1);
        auto const module = static_cast<unsigned int>(std::find(labels.begin(), labels.end(), label) - labels.begin());
        path.steps.push_back({module, filter});
        pathsOf[module].push_back(paths.size());
      }
      paths.push_back(std::move(path));
    }
  }

  EventRun::EventRun(Schedule const& schedule, Call call)
      : schedule_(schedule),
        call_(std::move(call)),
        modules_(schedule.names.size(), ModuleState::kWaiting),
        paths_(schedule.paths.size()) {}

  void EventRun::run() {
    for (unsigned int path = 0; path < paths_.size(); ++path)
      while (!isFinished(path))
        step(path);
  }

  void EventRun::step(unsigned int path) {
    PathState& state = paths_[path];
    Schedule::Step const& next = schedule_.paths[path].steps[state.next];
    state.active = true;
    bool accepted = false;
    try {
      accepted = runModule(next.module);
    } catch (cms::Exception& exception) {
      exception.addContext("Running path '" + schedule_.paths[path].name + "'");
      throw;
    }
    state.active = false;
    ++state.next;
    state.accepted = next.filter == Schedule::Filter::kIgnore || accepted == (next.filter == Schedule::Filter::kAccept);
  }

  bool EventRun::runModule(unsigned int module) {
    ModuleState& state = modules_[module];
    if (state == ModuleState::kRunning)
      throwUnrunnable(module, module);
    if (state == ModuleState::kWaiting) {
      state = ModuleState::kRunning;
      for (unsigned int needed : schedule_.needs[module]) {
        try {
          satisfy(needed, module);
        } catch (cms::Exception& exception) {
          exception.addContext("Prefetching for module " + schedule_.names[module]);
          throw;
        }
      }
      state = call_(module) ? ModuleState::kAccepted : ModuleState::kRejected;
    }
    return state == ModuleState::kAccepted;
  }

  /// Runs `module` if it can still run: on demand, or by going as far as needed on a path that holds it.
  void EventRun::satisfy(unsigned int module, unsigned int neededBy) {
    if (schedule_.pathsOf[module].empty()) {
      runModule(module);
      return;
    }
    bool waitsForItself = false;
    for (unsigned int path : schedule_.pathsOf[module]) {
      waitsForItself = waitsForItself || paths_[path].active;
      while (!visited(module) && !paths_[path].active && !isFinished(path))
        step(path);
    }
    if (waitsForItself && !visited(module))
      throwUnrunnable(neededBy, module);
  }

  void EventRun::throwUnrunnable(unsigned int reader, unsigned int maker) const {
    throw edm::Exception(errors::ScheduleExecutionFailure)
        << "Unrunnable schedule\nModule run order problem found:\n"
        << schedule_.names[reader] << " reads what " << schedule_.names[maker]
        << " makes,\nbut comes before it on its path, or is itself needed by it.\n";
  }

}  // namespace edm
