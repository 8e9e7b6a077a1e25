#ifndef FWCore_MessageLogger_MessageService_h
#define FWCore_MessageLogger_MessageService_h

// The host's side of the message logger: what cmsRun tells it.

#include <map>
#include <string>

#include "FWCore/MessageLogger/interface/MessageLogger.h"

namespace cms {
  class Exception;
}

namespace edm::messagelogger {

  /// Of a category: at most `limit` messages (-1: all), and of these every `reportEvery`-th.
  struct CategoryLimits {
    int limit = -1;
    int reportEvery = 1;
  };

  /// Where messages go: std::cerr or std::cout, from a threshold on.
  struct Destination {
    bool enabled = false;
    Severity threshold = kInfo;
    std::map<std::string, CategoryLimits> categories;  // also INFO, FWKINFO, WARNING, ERROR, and default
  };

  struct Settings {
    Destination cerr{true, kInfo, {{"INFO", {0, 1}}}};
    Destination cout;
  };

  void configure(Settings const& settings);

  /// Names what this thread is doing, for the first line of its messages; restores what was there before.
  class Context {
  public:
    Context(std::string const& module, std::string const& event);
    Context(Context const&) = delete;
    Context& operator=(Context const&) = delete;
    ~Context();

  private:
    std::string previousModule_;
    std::string previousEvent_;
  };

  /// "22-Nov-2024 15:30:00.123 CET", as the framework prints a moment.
  std::string timeOfDay(bool milliseconds);

  void printException(cms::Exception const& exception);

}  // namespace edm::messagelogger

#endif
