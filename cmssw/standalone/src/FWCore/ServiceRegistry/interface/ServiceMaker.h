#ifndef FWCore_ServiceRegistry_ServiceMaker_h
#define FWCore_ServiceRegistry_ServiceMaker_h

#include <memory>

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"
#include "FWCore/ServiceRegistry/interface/ActivityRegistry.h"
#include "FWCore/ServiceRegistry/interface/Service.h"

namespace edm::serviceregistry {
  using MakeService = void (*)(ParameterSet const&, ActivityRegistry&);

  template <typename T>
  void makeService(ParameterSet const& pset, ActivityRegistry& registry) {
    put(typeid(T), std::make_shared<T>(pset, registry));
  }
}  // namespace edm::serviceregistry

/// Makes a service known to configurations as `#type`.
#define DEFINE_FWK_SERVICE(type)                                                      \
  static edm::plugin::Registrar const edmServiceRegistrar##type {                     \
    edm::plugin::Plugin {                                                             \
      edm::plugin::kService, #type, "Service", &type::fillDescriptions,               \
          edm::serviceregistry::MakeService(&edm::serviceregistry::makeService<type>) \
    }                                                                                 \
  }

#endif
