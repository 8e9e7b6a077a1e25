#include "components.h"

#include <algorithm>
#include <vector>

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "withContext.h"

namespace edm {

  namespace {
    /// Every module may have this parameter, which the framework itself reads in CMSSW.
    void dropFrameworkParameters(ParameterSet& pset) { pset.erase("mightGet"); }

    plugin::Plugin const& findPlugin(std::string const& category, ProcessDesc::Component const& component) {
      return withContext("Loading the plugin of '" + component.label + "'",
                         [&]() -> plugin::Plugin const& { return plugin::get(category, component.type); });
    }
  }  // namespace

  plugin::Plugin const& validate(std::string const& category, ProcessDesc::Component& component) {
    plugin::Plugin const& plugin = findPlugin(category, component);
    withContext("Validating configuration of " + component.baseType + ": class=" + component.type + " label='" +
                    component.label + "'",
                [&] {
                  if (plugin.baseType != component.baseType)
                    throw edm::Exception(errors::Configuration)
                        << "The base type in the python configuration is " << component.baseType
                        << ", but the base type\nfor the module's C++ class is " << plugin.baseType
                        << ". Please fix the configuration.\n";
                  dropFrameworkParameters(component.pset);
                  ConfigurationDescriptions descriptions(plugin.baseType, plugin.name);
                  plugin.fillDescriptions(descriptions);
                  descriptions.validate(component.pset, component.label);
                });
    return plugin;
  }

  void validateOptions(ParameterSet& options) {
    ParameterSetDescription description;
    description.addUntracked<unsigned int>("numberOfThreads", 1);
    description.addUntracked<unsigned int>("numberOfStreams", 0);
    description.addUntracked<bool>("wantSummary", false);
    // Without effect here: they tune what this host does not have.
    for (char const* name :
         {"numberOfConcurrentRuns", "numberOfConcurrentLuminosityBlocks", "sizeOfStackForThreadsInKB"})
      description.addOptionalUntracked<unsigned int>(name);
    for (char const* name : {"forceEventSetupCacheClearOnNewRun",
                             "throwIfIllegalParameter",
                             "printDependencies",
                             "deleteNonConsumedUnscheduledModules",
                             "dumpOptions"})
      description.addOptionalUntracked<bool>(name);
    for (char const* name : {"accelerators", "Rethrow", "canDeleteEarly"})
      description.addOptionalUntracked<std::vector<std::string>>(name);
    description.addOptionalUntracked<std::string>("fileMode");
    description.addOptionalUntracked<ParameterSet>("eventSetup");
    char const* const actions[] = {"SkipEvent", "TryToContinue", "FailPath", "IgnoreCompletely"};
    for (char const* name : actions)
      description.addOptionalUntracked<std::vector<std::string>>(name);
    withContext("Validating the parameters of process.options", [&] { description.validate(options); });
    for (char const* name : actions)
      if (!options.getUntrackedParameter<std::vector<std::string>>(name, {}).empty())
        throw edm::Exception(errors::UnimplementedFeature)
            << "process.options." << name << ": this host ends the job with the first exception.\n";
  }

  messagelogger::Destination readDestination(ParameterSet const& pset, bool enabled) {
    messagelogger::Destination destination;
    destination.enabled = pset.getUntrackedParameter<bool>("enable", enabled);
    std::string const threshold = pset.getUntrackedParameter<std::string>("threshold", "INFO");
    if (threshold == "DEBUG")
      destination.threshold = messagelogger::kDebug;
    else if (threshold == "INFO")
      destination.threshold = messagelogger::kInfo;
    else if (threshold == "FWKINFO")
      destination.threshold = messagelogger::kFwkInfo;
    else if (threshold == "WARNING")
      destination.threshold = messagelogger::kWarning;
    else if (threshold == "ERROR")
      destination.threshold = messagelogger::kError;
    else
      throw edm::Exception(errors::Configuration) << "MessageLogger: '" << threshold << "' is no threshold: "
                                                  << "write DEBUG, INFO, FWKINFO, WARNING or ERROR\n";
    for (std::string const& name : pset.getParameterNamesForType<ParameterSet>(false)) {
      ParameterSet const& category = pset.getUntrackedParameterSet(name);
      destination.categories[name] = {category.getUntrackedParameter<int>("limit", -1),
                                      std::max(1, category.getUntrackedParameter<int>("reportEvery", 1))};
    }
    return destination;
  }

}  // namespace edm
