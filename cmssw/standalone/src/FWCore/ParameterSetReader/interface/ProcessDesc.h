#ifndef FWCore_ParameterSetReader_ProcessDesc_h
#define FWCore_ParameterSetReader_ProcessDesc_h

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm {

  /// A job as its Python configuration describes it.
  struct ProcessDesc {
    struct Component {
      std::string label;
      std::string type;      // the C++ class
      std::string baseType;  // the Python class: EDProducer, Source, ...
      ParameterSet pset;
    };
    struct Path {
      std::string name;
      bool isEndPath;
      std::vector<std::string> modules;  // labels, with a leading ! for a negated and - for an ignored filter
    };

    std::string name;
    ParameterSet options;
    ParameterSet maxEvents;
    std::optional<Component> source;
    std::vector<Component> modules;  // those on a path, a task or the schedule
    std::vector<Path> paths;         // in the order they run
    std::vector<Component> services;
  };

  /// Runs a configuration in Python, as CMSSW does, with `arguments` as what follows its name on the command line.
  /// Throws edm::Exception: ConfigFileNotFound, ConfigFileReadError with Python's message when it fails.
  ProcessDesc readConfig(std::string const& fileName, std::vector<std::string> const& arguments);

}  // namespace edm

#endif
