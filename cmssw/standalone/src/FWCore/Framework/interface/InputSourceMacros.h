#ifndef FWCore_Framework_InputSourceMacros_h
#define FWCore_Framework_InputSourceMacros_h

#include <memory>

#include "FWCore/Framework/interface/InputSource.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"

namespace edm::maker {
  using MakeSource = std::unique_ptr<InputSource> (*)(ParameterSet const&, InputSourceDescription const&);

  template <typename T>
  std::unique_ptr<InputSource> makeSource(ParameterSet const& pset, InputSourceDescription const& description) {
    return std::make_unique<T>(pset, description);
  }
}  // namespace edm::maker

/// Makes a source known to configurations as `#type`.
#define DEFINE_FWK_INPUT_SOURCE(type)                                        \
  static edm::plugin::Registrar const edmSourceRegistrar##type {             \
    edm::plugin::Plugin {                                                    \
      edm::plugin::kSource, #type, type::kBaseType, &type::fillDescriptions, \
          edm::maker::MakeSource(&edm::maker::makeSource<type>)              \
    }                                                                        \
  }

#endif
