// Measures the time that each module takes, and writes it in the JSON layout of CMSSW's FastTimerService.

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ServiceRegistry/interface/ServiceMaker.h"
#include "FWCore/Utilities/interface/PartialFile.h"

namespace {
  using json = nlohmann::json;

  struct Resources {
    double real = 0.;    // ms
    double thread = 0.;  // ms, of CPU

    Resources& operator+=(Resources const& other) {
      real += other.real;
      thread += other.thread;
      return *this;
    }
    Resources operator-(Resources const& other) const { return {real - other.real, thread - other.thread}; }

    static Resources now() {
      auto const milliseconds = [](clockid_t clock) {
        timespec time{};
        clock_gettime(clock, &time);
        return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
      };
      return {milliseconds(CLOCK_MONOTONIC), milliseconds(CLOCK_THREAD_CPUTIME_ID)};
    }
  };

  struct Record {
    Resources resources;
    unsigned int events = 0;
  };
}  // namespace

class FastTimerService {
public:
  FastTimerService(edm::ParameterSet const& pset, edm::ActivityRegistry& registry)
      : printJobSummary_(pset.getUntrackedParameter<bool>("printJobSummary")) {
    if (pset.getUntrackedParameter<bool>("writeJSONSummary"))
      json_.emplace("FastTimerService", pset.getUntrackedParameter<std::string>("jsonFileName"));
    registry.watchPreallocate(
        [this](edm::SystemBounds const& bounds) { streams_.resize(bounds.maxNumberOfStreams()); });
    registry.watchPreSourceConstruction(this, &FastTimerService::addModule);
    registry.watchPreModuleConstruction(this, &FastTimerService::addModule);
    registry.watchPreSourceEvent([this](edm::StreamID id) {
      streams_[id].modules.resize(modules_.size());
      streams_[id].eventStart = streams_[id].moduleStart = Resources::now();
    });
    registry.watchPostSourceEvent([this](edm::StreamID id) { stop(id, 0); });
    registry.watchPreModuleEvent([this](edm::StreamContext const& stream, edm::ModuleCallingContext const&) {
      streams_[stream.streamID()].moduleStart = Resources::now();
    });
    registry.watchPostModuleEvent([this](edm::StreamContext const& stream, edm::ModuleCallingContext const& module) {
      stop(stream.streamID(), module.moduleDescription()->id());
    });
    registry.watchPostEvent([this](edm::StreamContext const& stream) {
      Stream& measured = streams_[stream.streamID()];
      measured.total.resources += Resources::now() - measured.eventStart;
      ++measured.total.events;
    });
    registry.watchPostEndJob(this, &FastTimerService::finish);
  }

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
    edm::ParameterSetDescription description;
    description.addUntracked<bool>("writeJSONSummary", false);
    description.addUntracked<std::string>("jsonFileName", "resources.json");
    description.addUntracked<bool>("printJobSummary", true);
    // Options of CMSSW's service for what this one does not do: accepted, and ignored.
    for (char const* name : {"printEventSummary",
                             "printRunSummary",
                             "enableDQM",
                             "enableDQMbyModule",
                             "enableDQMbyPath",
                             "enableDQMbyLumiSection",
                             "enableDQMbyProcesses",
                             "enableDQMTransitions"})
      description.addOptionalUntracked<bool>(name);
    for (char const* name : {"dqmTimeRange",
                             "dqmTimeResolution",
                             "dqmMemoryRange",
                             "dqmMemoryResolution",
                             "dqmPathTimeRange",
                             "dqmPathTimeResolution",
                             "dqmPathMemoryRange",
                             "dqmPathMemoryResolution",
                             "dqmModuleTimeRange",
                             "dqmModuleTimeResolution",
                             "dqmModuleMemoryRange",
                             "dqmModuleMemoryResolution"})
      description.addOptionalUntracked<double>(name);
    description.addOptionalUntracked<unsigned int>("dqmLumiSectionsRange");
    description.addOptionalUntracked<std::string>("dqmPath");
    description.addOptionalUntracked<edm::VParameterSet>("highlightModules");
    descriptions.add("FastTimerService", description);
  }

private:
  // What a stream has measured; only its own thread of the moment touches it.
  struct Stream {
    Resources eventStart;
    Resources moduleStart;
    Record total;
    std::vector<Record> modules;
  };

  void addModule(edm::ModuleDescription const& module) { modules_.push_back(module); }

  void stop(edm::StreamID id, unsigned int module) {
    Stream& stream = streams_[id];
    stream.modules[module].resources += Resources::now() - stream.moduleStart;
    ++stream.modules[module].events;
  }

  static json encode(std::string const& type, std::string const& label, Record const& record) {
    // This host does not count memory by module: -1 would be a lie, 0 is what CMSSW writes where it cannot count.
    return {{"type", type},
            {"label", label},
            {"events", record.events},
            {"time_real", record.resources.real},
            {"time_thread", record.resources.thread},
            {"mem_alloc", 0},
            {"mem_free", 0}};
  }

  void finish() {
    Record total;
    std::vector<Record> sums(modules_.size());
    for (Stream const& stream : streams_) {
      total.resources += stream.total.resources;
      total.events += stream.total.events;
      for (std::size_t i = 0; i < stream.modules.size(); ++i) {
        sums[i].resources += stream.modules[i].resources;
        sums[i].events += stream.modules[i].events;
      }
    }
    Record other{total.resources, total.events};
    for (Record const& record : sums)
      other.resources = other.resources - record.resources;

    if (printJobSummary_)
      print(total, sums);
    if (json_)
      write(total, sums, other);
  }

  void print(Record const& total, std::vector<Record> const& sums) const {
    edm::LogVerbatim out("FastReport");
    out << std::fixed << std::setprecision(3) << "FastReport   CPU time avg.      Real time avg.  Modules";
    for (std::size_t i = 0; i < sums.size(); ++i) {
      double const events = std::max(1U, total.events);
      out << "\nFastReport " << std::setw(11) << sums[i].resources.thread / events << " ms " << std::setw(15)
          << sums[i].resources.real / events << " ms  " << modules_[i].moduleLabel();
    }
  }

  void write(Record const& total, std::vector<Record> const& sums, Record const& other) {
    json summary;
    summary["resources"] = json::array({{{"time_real", "real time"}},
                                        {{"time_thread", "cpu time"}},
                                        {{"mem_alloc", "allocated memory"}},
                                        {{"mem_free", "deallocated memory"}}});
    summary["total"] = encode("Job", modules_[0].processName(), total);
    summary["modules"] = json::array();
    for (std::size_t i = 0; i < sums.size(); ++i)
      summary["modules"].push_back(encode(modules_[i].moduleName(), modules_[i].moduleLabel(), sums[i]));
    summary["modules"].push_back(encode("other", "other", other));
    summary["modules"].push_back(encode("eventsetup", "eventsetup", {{}, total.events}));

    std::ofstream out(json_->path());
    out << std::setw(2) << summary << "\n";
    out.close();
    if (!out)
      json_->refuse("look at the free space");
    json_->keep();
  }

  bool printJobSummary_;
  std::optional<edm::PartialFile> json_;
  std::vector<edm::ModuleDescription> modules_;  // by their id; the source is 0
  std::vector<Stream> streams_;
};

DEFINE_FWK_SERVICE(FastTimerService);
