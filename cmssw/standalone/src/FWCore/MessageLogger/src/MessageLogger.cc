#include "FWCore/MessageLogger/interface/MessageLogger.h"

#include <sys/time.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <mutex>
#include <utility>

#include "FWCore/MessageLogger/interface/MessageService.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm::messagelogger {

  namespace {
    struct Severities {
      char letter;
      char const* name;
    };
    constexpr Severities kSeverities[] = {
        {'d', "DEBUG"}, {'i', "INFO"}, {'i', "FWKINFO"}, {'w', "WARNING"}, {'e', "ERROR"}, {'s', "SYSTEM"}};

    class Output {
    public:
      explicit Output(std::ostream& stream) : stream_(stream) {}

      Destination destination;

      bool accepts(Severity severity) const {
        return destination.enabled && (severity == kSystem || severity >= destination.threshold);
      }

      void write(Severity severity, std::string const& category, std::string const& text) {
        if (!accepts(severity))
          return;
        CategoryLimits const limits = limitsFor(severity, category);
        int const seen = seen_[category]++;
        if (severity != kSystem && limits.limit >= 0 && seen / limits.reportEvery >= limits.limit)
          return;
        if (seen % limits.reportEvery == 0)
          stream_ << text << std::flush;
      }

    private:
      // The category's own limits, else those of its severity, else the default.
      CategoryLimits limitsFor(Severity severity, std::string const& category) const {
        for (std::string const& name : {category, std::string(kSeverities[severity].name), std::string("default")}) {
          auto const found = destination.categories.find(name);
          if (found != destination.categories.end())
            return found->second;
        }
        return {};
      }

      std::ostream& stream_;
      std::map<std::string, int> seen_;
    };

    struct Service {
      std::mutex mutex;  // guards all below
      Output cerr{std::cerr};
      Output cout{std::cout};

      Service() {
        cerr.destination = Settings().cerr;
        cout.destination = Settings().cout;
      }
    };

    Service& service() {
      static Service theService;
      return theService;
    }

    thread_local std::string currentModule;
    thread_local std::string currentEvent;
  }  // namespace

  void configure(Settings const& settings) {
    std::lock_guard const lock(service().mutex);
    service().cerr.destination = settings.cerr;
    service().cout.destination = settings.cout;
  }

  bool isEnabled(Severity severity, std::string_view) {
    std::lock_guard const lock(service().mutex);
    return service().cerr.accepts(severity) || service().cout.accepts(severity);
  }

  void send(Severity severity, std::string_view category, bool verbatim, std::string const& text) {
    std::string message;
    if (verbatim) {
      message = text + "\n";
    } else {
      std::ostringstream out;
      out << "%MSG-" << kSeverities[severity].letter << " " << category << ":  " << currentModule << "  "
          << timeOfDay(false) << " " << currentEvent << "\n"
          << text << "\n%MSG\n";
      message = out.str();
    }
    std::lock_guard const lock(service().mutex);
    service().cerr.write(severity, std::string(category), message);
    service().cout.write(severity, std::string(category), message);
  }

  Context::Context(std::string const& module, std::string const& event)
      : previousModule_(std::exchange(currentModule, module)), previousEvent_(std::exchange(currentEvent, event)) {}

  Context::~Context() {
    currentModule.swap(previousModule_);
    currentEvent.swap(previousEvent_);
  }

  std::string timeOfDay(bool milliseconds) {
    timeval now{};
    gettimeofday(&now, nullptr);
    std::tm local{};
    localtime_r(&now.tv_sec, &local);
    char text[64];
    std::size_t length = std::strftime(text, sizeof(text), "%d-%b-%Y %H:%M:%S", &local);
    if (milliseconds)
      length += std::snprintf(text + length, sizeof(text) - length, ".%03d", static_cast<int>(now.tv_usec / 1000));
    std::strftime(text + length, sizeof(text) - length, " %Z", &local);
    return text;
  }

  void printException(cms::Exception const& exception) {
    LogAbsolute("Fatal Exception") << "----- Begin Fatal Exception " << timeOfDay(false) << "-----------------------\n"
                                   << exception.explainSelf()
                                   << "----- End Fatal Exception -------------------------------------------------";
  }

}  // namespace edm::messagelogger
