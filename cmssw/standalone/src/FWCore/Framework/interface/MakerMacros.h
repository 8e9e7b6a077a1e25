#ifndef FWCore_Framework_MakerMacros_h
#define FWCore_Framework_MakerMacros_h

#include "FWCore/Framework/interface/maker/Worker.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"

#define EDM_PLUGIN_CONCATENATE_(a, b) a##b
#define EDM_PLUGIN_CONCATENATE(a, b) EDM_PLUGIN_CONCATENATE_(a, b)

/// Makes a module known to configurations as `#type`.
#define DEFINE_FWK_MODULE(type)                                                              \
  static edm::plugin::Registrar const EDM_PLUGIN_CONCATENATE(edmModuleRegistrar, __LINE__) { \
    edm::plugin::Plugin {                                                                    \
      edm::plugin::kModule, #type, type::kBaseType, &type::fillDescriptions,                 \
          edm::maker::MakeWorker(&edm::maker::makeWorker<type>)                              \
    }                                                                                        \
  }

#endif
