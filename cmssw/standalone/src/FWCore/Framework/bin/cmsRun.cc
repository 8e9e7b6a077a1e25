// cmsRun of the standalone host: runs a Python configuration with the interfaces of CMSSW that the host offers.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "FWCore/Framework/interface/EventProcessor.h"
#include "FWCore/MessageLogger/interface/MessageService.h"
#include "FWCore/PluginManager/interface/PluginRegistry.h"
#include "FWCore/Utilities/interface/ConvertException.h"

namespace {
  constexpr char const* kUsage =
      "usage: cmsRun [options] config_file [arguments of the configuration]\n"
      "  -h, --help                    this text\n"
      "  --version                     what this program is\n"
      "  -p, --parameter-set FILE      the configuration, where it is not the first word\n"
      "  -n, --numThreads N            number of threads, instead of process.options.numberOfThreads (0: all CPUs)\n";

  struct CommandLine {
    bool help = false;
    bool version = false;
    std::optional<unsigned int> threads;
    std::string config;
    std::vector<std::string> arguments;  // for Python
  };

  CommandLine parse(int argc, char* argv[]) {
    CommandLine line;
    auto const valueOf = [&](int& i) {
      if (i + 1 == argc)
        throw edm::Exception(edm::errors::CommandLineProcessing) << argv[i] << " needs a value\n" << kUsage;
      return std::string(argv[++i]);
    };
    for (int i = 1; i < argc; ++i) {
      std::string const word = argv[i];
      if (!line.config.empty()) {
        line.arguments.push_back(word);
      } else if (word == "-h" || word == "--help") {
        line.help = true;
      } else if (word == "--version") {
        line.version = true;
      } else if (word == "-p" || word == "--parameter-set") {
        line.config = valueOf(i);
      } else if (word == "-n" || word == "--numThreads") {
        std::string const number = valueOf(i);
        if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos || number.size() > 4)
          throw edm::Exception(edm::errors::CommandLineProcessing) << number << " is no number of threads\n" << kUsage;
        line.threads = std::stoul(number);
      } else if (word[0] == '-') {
        throw edm::Exception(edm::errors::CommandLineProcessing) << "unknown option " << word << "\n" << kUsage;
      } else {
        line.config = word;
      }
    }
    return line;
  }

  /// edm::FileInPath searches here unless the environment says otherwise.
  void setSearchPath() {
    std::filesystem::path const area = edm::plugin::areaDirectory();
    setenv("CMSSW_SEARCH_PATH", (area / "src").c_str(), 0);
  }
}  // namespace

int main(int argc, char* argv[]) {
  std::signal(SIGXFSZ, SIG_IGN);  // writing beyond the limit then fails like writing to a full disk
  std::string context = "Processing command line arguments";
  try {
    return edm::convertException::wrap([&] {
      CommandLine const line = parse(argc, argv);
      if (line.help) {
        std::cout << kUsage;
        return 0;
      }
      if (line.version) {
        std::cout << "cmsRun standalone: a small host with CMSSW's interfaces (12_4 and later). It is not CMSSW.\n";
        return 0;
      }
      if (line.config.empty())
        throw edm::Exception(edm::errors::ConfigFileNotFound) << "No configuration file given.\n" << kUsage;
      setSearchPath();

      context = "Processing the python configuration file named " + line.config;
      edm::ProcessDesc desc = edm::readConfig(line.config, line.arguments);
      if (line.threads)
        desc.options.addUntrackedParameter("numberOfThreads", *line.threads);

      context = "Constructing the EventProcessor";
      edm::EventProcessor processor(std::move(desc));
      context = "Calling beginJob";
      processor.beginJob();
      context.clear();
      processor.runToCompletion();
      context = "Calling endJob";
      processor.endJob();
      return 0;
    });
  } catch (cms::Exception& exception) {
    if (!context.empty())
      exception.addContext(context);
    edm::messagelogger::printException(exception);
    return exception.returnCode();
  }
}
