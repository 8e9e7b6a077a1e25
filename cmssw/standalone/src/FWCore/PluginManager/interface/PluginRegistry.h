#ifndef FWCore_PluginManager_PluginRegistry_h
#define FWCore_PluginManager_PluginRegistry_h

#include <any>
#include <string>
#include <vector>

#include "FWCore/ParameterSet/interface/ParameterSetfwd.h"

namespace edm::plugin {

  // CMSSW's names for the three kinds of plugin that the host knows.
  inline constexpr char const* kModule = "CMS EDM Framework Module";
  inline constexpr char const* kSource = "CMS EDM Framework InputSource";
  inline constexpr char const* kService = "CMS EDM Framework Service";

  /// A class that a plugin library offers.
  struct Plugin {
    std::string category;
    std::string name;
    std::string baseType;  // its Python class: EDProducer, EDFilter, EDAnalyzer, Source or Service
    void (*fillDescriptions)(ConfigurationDescriptions&);
    std::any maker;  // a function pointer, whose type goes with the category
  };

  /// Called by the macros that define plugins, while their library is being loaded.
  struct Registrar {
    explicit Registrar(Plugin plugin);
  };

  /// The plugin, loading the library that holds it according to `lib/.edmplugincache`. Throws
  /// cms::Exception(PluginNotFound) when no library offers it, cms::Exception(PluginLibraryLoadError) when it cannot be
  /// loaded.
  Plugin const& get(std::string const& category, std::string const& name);

  /// Loads a library and returns what it registered.
  std::vector<Plugin> load(std::string const& library);

  /// The directory of the area: that above the `lib` in which the host's own libraries lie.
  std::string areaDirectory();

}  // namespace edm::plugin

#endif
