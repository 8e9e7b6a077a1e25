// Checks that a class has not changed without a new ClassVersion: compares the versions and checksums in a
// classes_def.xml with those of ROOT, for each class that has a ClassVersion. The build runs it, as scram does.

#include <dlfcn.h>

#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "TClass.h"
#include "TError.h"

namespace {
  struct Versions {
    int current = 0;
    std::map<int, unsigned int> checksums;
  };

  /// The value of an attribute of a tag; empty when it has none. A value may hold < and >, as C++ names do.
  std::string attribute(std::string const& tag, std::string const& name) {
    std::size_t const begin = tag.find(" " + name + "=\"");
    if (begin == std::string::npos)
      return "";
    std::size_t const value = begin + name.size() + 3;
    return tag.substr(value, tag.find('"', value) - value);
  }

  std::map<std::string, Versions> read(std::istream& file) {
    std::map<std::string, Versions> classes;
    std::string tag, name;
    bool inTag = false, quoted = false;
    for (char c; file.get(c);) {
      if (!inTag) {
        inTag = c == '<';
        tag.clear();
        continue;
      }
      quoted = quoted != (c == '"');
      if (c != '>' || quoted) {
        tag += c == '\n' ? ' ' : c;
        continue;
      }
      inTag = false;
      if (tag.rfind("class ", 0) == 0) {
        name = attribute(tag, "name");
        if (std::string const version = attribute(tag, "ClassVersion"); !version.empty())
          classes[name].current = std::stoi(version);
      } else if (tag.rfind("version ", 0) == 0) {
        classes[name].checksums[std::stoi(attribute(tag, "ClassVersion"))] = std::stoul(attribute(tag, "checksum"));
      }
    }
    return classes;
  }

  /// What is wrong with a class; empty when nothing is.
  std::string complaint(std::string const& name, Versions const& versions) {
    TClass* const rootClass = TClass::GetClass(name.c_str(), true, true);
    if (rootClass == nullptr || !rootClass->HasDictionary())
      return "has no dictionary";
    unsigned int const checksum = rootClass->GetCheckSum();
    std::string const entry = "<version ClassVersion=\"" + std::to_string(versions.current) + "\" checksum=\"" +
                              std::to_string(checksum) + "\"/>";
    if (rootClass->GetClassVersion() != versions.current)
      return "has version " + std::to_string(rootClass->GetClassVersion()) + " in its dictionary";
    auto const known = versions.checksums.find(versions.current);
    if (known == versions.checksums.end())
      return "lacks the line " + entry;
    if (known->second != checksum)
      return "has changed: give it a new ClassVersion, or, if the old one was never used, the line " + entry;
    return "";
  }
}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::cerr << "usage: edmCheckClassVersion LIBRARY CLASSES_DEF\n";
    return 1;
  }
  gErrorIgnoreLevel = kError;
  if (dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    std::cerr << "edmCheckClassVersion: " << dlerror() << "\n";
    return 1;
  }
  std::ifstream file(argv[2]);
  int failures = file ? 0 : 1;
  for (auto const& [name, versions] : read(file)) {
    if (std::string const problem = complaint(name, versions); !problem.empty()) {
      std::cerr << argv[2] << ": error: class '" << name << "', ClassVersion " << versions.current << ", " << problem
                << "\n";
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}
