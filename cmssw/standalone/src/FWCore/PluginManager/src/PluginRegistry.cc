#include "FWCore/PluginManager/interface/PluginRegistry.h"

#include <dlfcn.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "FWCore/Utilities/interface/Exception.h"

namespace edm::plugin {

  namespace {
    // A function-local static, since libraries register while their own statics are being made.
    std::deque<Plugin>& plugins() {
      static std::deque<Plugin> registered;
      return registered;
    }

    Plugin const* find(std::string const& category, std::string const& name) {
      for (Plugin const& plugin : plugins())
        if (plugin.category == category && plugin.name == name)
          return &plugin;
      return nullptr;
    }

    // Lines of the cache are "library plugin category", with % for a space, as edmPluginRefresh writes them.
    std::string libraryOf(std::string const& category, std::string const& name) {
      std::string const directory = areaDirectory() + "/lib";
      std::ifstream cache(directory + "/.edmplugincache");
      for (std::string line; std::getline(cache, line);) {
        std::istringstream fields(line);
        std::string library, plugin, kind;
        fields >> library >> plugin >> kind;
        for (char& c : kind)
          if (c == '%')
            c = ' ';
        if (plugin == name && kind == category)
          return directory + "/" + library;
      }
      throw cms::Exception("PluginNotFound")
          << "Unable to find plugin '" << name << "' in category '" << category << "'. Please check spelling of name.";
    }
  }  // namespace

  Registrar::Registrar(Plugin plugin) { plugins().push_back(std::move(plugin)); }

  Plugin const& get(std::string const& category, std::string const& name) {
    if (Plugin const* known = find(category, name))
      return *known;
    std::string const library = libraryOf(category, name);
    load(library);
    if (Plugin const* loaded = find(category, name))
      return *loaded;
    throw cms::Exception("PluginNotFound")
        << "The plugin '" << name << "' should have been in loadable\n '" << library << "'\n but was not there.";
  }

  std::vector<Plugin> load(std::string const& library) {
    std::size_t const before = plugins().size();
    if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr)
      throw cms::Exception("PluginLibraryLoadError") << "unable to load " << library << " because " << dlerror();
    return {plugins().begin() + before, plugins().end()};
  }

  std::string areaDirectory() {
    Dl_info self{};
    dladdr(reinterpret_cast<void const*>(&areaDirectory), &self);
    return std::filesystem::canonical(self.dli_fname).parent_path().parent_path().string();
  }

}  // namespace edm::plugin
