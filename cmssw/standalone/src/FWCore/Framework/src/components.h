#ifndef FWCore_Framework_components_h
#define FWCore_Framework_components_h

#include <string>

#include "FWCore/MessageLogger/interface/MessageService.h"
#include "FWCore/ParameterSetReader/interface/ProcessDesc.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"

namespace edm {

  /// The plugin of a component, whose parameters are completed and checked by the plugin's description.
  plugin::Plugin const& validate(std::string const& category, ProcessDesc::Component& component);

  /// Checks process.options, and refuses what asks for something that this host does not do.
  void validateOptions(ParameterSet& options);

  /// Where messages go, by the parameters of MessageLogger's cerr or cout.
  messagelogger::Destination readDestination(ParameterSet const& pset, bool enabled);

}  // namespace edm

#endif
