#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "DataFormats/Provenance/interface/EventID.h"
#include "DataFormats/Provenance/interface/LuminosityBlockID.h"
#include "FWCore/ParameterSetReader/interface/ProcessDesc.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  namespace {
    using json = nlohmann::json;

    ParameterSet readPSet(json const& object);

    template <typename T>
    T read(json const& value) {
      return value.get<T>();
    }
    template <>
    double read(json const& value) {  // JSON has no infinities: they come as text
      return value.is_string() ? std::strtod(value.get<std::string>().c_str(), nullptr) : value.get<double>();
    }
    template <>
    InputTag read(json const& value) {
      return InputTag(value.at(0), value.at(1), value.at(2));
    }
    template <>
    FileInPath read(json const& value) {
      return FileInPath(value.get<std::string>());
    }
    template <>
    EventID read(json const& value) {
      return EventID(value.at(0), value.at(1), value.at(2));
    }
    template <>
    LuminosityBlockID read(json const& value) {
      return LuminosityBlockID(value.at(0), value.at(1));
    }
    template <>
    ParameterSet read(json const& value) {
      return readPSet(value);
    }

    template <typename T>
    std::vector<T> readVector(json const& values) {
      std::vector<T> result;
      for (json const& value : values)
        result.push_back(read<T>(value));
      return result;
    }

    using Read = std::any (*)(json const&);
    template <typename T>
    constexpr Read kSingle = [](json const& value) { return std::any(read<T>(value)); };
    template <typename T>
    constexpr Read kVector = [](json const& values) { return std::any(readVector<T>(values)); };

    std::any readValue(std::string const& type, json const& value) {
      static std::map<std::string, Read> const readers{
          {"bool", kSingle<bool>},
          {"int32", kSingle<int>},
          {"vint32", kVector<int>},
          {"uint32", kSingle<unsigned int>},
          {"vuint32", kVector<unsigned int>},
          {"int64", kSingle<long long>},
          {"vint64", kVector<long long>},
          {"uint64", kSingle<unsigned long long>},
          {"vuint64", kVector<unsigned long long>},
          {"double", kSingle<double>},
          {"vdouble", kVector<double>},
          {"string", kSingle<std::string>},
          {"vstring", kVector<std::string>},
          {"InputTag", kSingle<InputTag>},
          {"VInputTag", kVector<InputTag>},
          {"FileInPath", kSingle<FileInPath>},
          {"EventID", kSingle<EventID>},
          {"VEventID", kVector<EventID>},
          {"LuminosityBlockID", kSingle<LuminosityBlockID>},
          {"VLuminosityBlockID", kVector<LuminosityBlockID>},
          {"PSet", kSingle<ParameterSet>},
          {"VPSet", kVector<ParameterSet>},
      };
      return readers.at(type)(value);
    }

    // {"name": ["type", tracked, value], ...}
    ParameterSet readPSet(json const& object) {
      ParameterSet pset;
      for (auto const& [name, parameter] : object.items())
        pset.insert(name, {parameter.at(1), readValue(parameter.at(0), parameter.at(2))});
      return pset;
    }

    ProcessDesc::Component readComponent(json const& object) {
      return {object.at("label"), object.at("type"), object.at("base"), readPSet(object.at("parameters"))};
    }

    void prependToPath(char const* variable, std::string const& value) {
      char const* const old = std::getenv(variable);
      setenv(variable, (value + (old == nullptr || *old == '\0' ? "" : std::string(":") + old)).c_str(), 1);
    }

    /// Runs Python as a process of its own and returns what it writes to its file descriptor 3.
    std::string runPython(std::string const& fileName, std::vector<std::string> const& arguments) {
      std::vector<std::string> words{"python3", "-m", "FWCore.ParameterSet.dumpProcess", fileName};
      words.insert(words.end(), arguments.begin(), arguments.end());
      std::vector<char*> argv;
      for (std::string& word : words)
        argv.push_back(word.data());
      argv.push_back(nullptr);

      int ends[2];
      if (pipe(ends) != 0)
        throw edm::Exception(errors::ConfigFileReadError) << "cannot make a pipe to Python\n";
      std::cout.flush();
      pid_t const child = fork();
      if (child == 0) {
        if (ends[1] != 3) {
          dup2(ends[1], 3);
          close(ends[1]);
        }
        if (ends[0] != 3)
          close(ends[0]);
        execvp(argv[0], argv.data());
        _exit(127);
      }
      close(ends[1]);
      std::string output;
      char buffer[65536];
      for (ssize_t n; (n = ::read(ends[0], buffer, sizeof(buffer))) > 0;)
        output.append(buffer, n);
      close(ends[0]);
      int status = 0;
      waitpid(child, &status, 0);
      if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        throw edm::Exception(errors::ConfigFileReadError) << "cannot run python3: is it in PATH?\n";
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && output.empty())
        std::exit(0);  // the configuration ended the job itself, as `help` of VarParsing does
      if (status != 0)
        throw edm::Exception(errors::ConfigFileReadError)
            << "Python ended before the configuration did; its message, if it had one, is above.\n";
      return output;
    }
  }  // namespace

  ProcessDesc readConfig(std::string const& fileName, std::vector<std::string> const& arguments) {
    if (!std::filesystem::is_regular_file(fileName))
      throw edm::Exception(errors::StdException) << "cannot find the configuration " << fileName << "\n";
    prependToPath("PYTHONPATH", plugin::areaDirectory() + "/python");
    json const process = json::parse(runPython(fileName, arguments));
    if (process.contains("error"))
      throw edm::Exception(errors::ConfigFileReadError) << process.at("error").get<std::string>();

    ProcessDesc result;
    result.name = process.at("name");
    result.options = readPSet(process.at("options"));
    result.maxEvents = readPSet(process.at("maxEvents"));
    if (!process.at("source").is_null())
      result.source = readComponent(process.at("source"));
    for (json const& module : process.at("modules"))
      result.modules.push_back(readComponent(module));
    for (json const& service : process.at("services"))
      result.services.push_back(readComponent(service));
    for (json const& path : process.at("paths"))
      result.paths.push_back({path.at("name"), path.at("endPath"), path.at("modules")});
    return result;
  }

}  // namespace edm
