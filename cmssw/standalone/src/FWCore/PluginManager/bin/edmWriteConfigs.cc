// Writes the `*_cfi.py` of the plugins in a library, from their fillDescriptions.

#include <filesystem>
#include <iostream>
#include <sstream>

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"
#include "FWCore/Utilities/interface/ConvertException.h"

int main(int argc, char* argv[]) try {
  if (argc != 3) {
    std::cerr << "usage: edmWriteConfigs LIBRARY DIRECTORY\n";
    return 1;
  }
  return edm::convertException::wrap([&] {
    for (edm::plugin::Plugin const& plugin : edm::plugin::load(std::filesystem::absolute(argv[1]).string())) {
      try {
        edm::ConfigurationDescriptions descriptions(plugin.baseType, plugin.name);
        plugin.fillDescriptions(descriptions);
        std::filesystem::create_directories(argv[2]);
        descriptions.writeCfis(argv[2]);
      } catch (cms::Exception& exception) {
        exception.addContext("Filling ParameterSetDescriptions for module of base type " + plugin.baseType +
                             " with plugin name '" + plugin.name + "'");
        throw;
      }
    }
    return 0;
  });
} catch (cms::Exception const& exception) {
  std::cerr << "edmWriteConfigs: " << exception.explainSelf();
  return 1;
}
