// Writes `.edmplugincache`, which tells in what library a plugin is, into a directory of plugin libraries.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>

#include "FWCore/PluginManager/interface/PluginRegistry.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace fs = std::filesystem;

int main(int argc, char* argv[]) try {
  if (argc != 2) {
    std::cerr << "usage: edmPluginRefresh DIRECTORY\n";
    return 1;
  }
  std::vector<fs::path> libraries;
  for (fs::path const& file : fs::directory_iterator(argv[1]))
    if (file.filename().string().rfind("plugin", 0) == 0 && file.extension() == ".so")
      libraries.push_back(file);
  std::sort(libraries.begin(), libraries.end());

  fs::path const cache = fs::path(argv[1]) / ".edmplugincache";
  fs::path const partial = cache.string() + ".partial";
  {
    std::ofstream out(partial);
    for (fs::path const& library : libraries) {
      for (auto plugin : edm::plugin::load(fs::absolute(library).string())) {
        std::replace(plugin.category.begin(), plugin.category.end(), ' ', '%');
        out << library.filename().string() << ' ' << plugin.name << ' ' << plugin.category << '\n';
      }
    }
  }
  fs::rename(partial, cache);
  return 0;
} catch (cms::Exception const& exception) {
  std::cerr << exception.explainSelf();
  return 1;
} catch (std::exception const& exception) {
  std::cerr << "edmPluginRefresh: " << exception.what() << '\n';
  return 1;
}
