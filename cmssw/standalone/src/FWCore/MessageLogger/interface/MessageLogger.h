#ifndef FWCore_MessageLogger_MessageLogger_h
#define FWCore_MessageLogger_MessageLogger_h

#include <ios>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>

namespace edm {

  namespace messagelogger {
    enum Severity { kDebug, kInfo, kFwkInfo, kWarning, kError, kSystem };

    /// Whether the job's configuration lets such a message through.
    bool isEnabled(Severity severity, std::string_view category);
    void send(Severity severity, std::string_view category, bool verbatim, std::string const& text);
  }  // namespace messagelogger

  /// A message, sent when it goes out of scope.
  template <messagelogger::Severity S, bool Verbatim>
  class Log {
  public:
    explicit Log(std::string_view category) : category_(category) {
      if (messagelogger::isEnabled(S, category))
        text_.emplace();
    }
    Log(Log const&) = delete;
    Log& operator=(Log const&) = delete;
    ~Log() {
      if (text_)
        messagelogger::send(S, category_, Verbatim, text_->str());
    }

    template <typename T>
    Log& operator<<(T const& item) {
      if (text_)
        *text_ << item;
      return *this;
    }
    Log& operator<<(std::ostream& (*manipulator)(std::ostream&)) {
      if (text_)
        *text_ << manipulator;
      return *this;
    }
    Log& operator<<(std::ios_base& (*manipulator)(std::ios_base&)) {
      if (text_)
        *text_ << manipulator;
      return *this;
    }

  private:
    std::string category_;
    std::optional<std::ostringstream> text_;
  };

  using LogInfo = Log<messagelogger::kInfo, false>;
  using LogVerbatim = Log<messagelogger::kInfo, true>;
  using LogFwkInfo = Log<messagelogger::kFwkInfo, false>;
  using LogFwkVerbatim = Log<messagelogger::kFwkInfo, true>;
  using LogWarning = Log<messagelogger::kWarning, false>;
  using LogPrint = Log<messagelogger::kWarning, true>;
  using LogError = Log<messagelogger::kError, false>;
  using LogProblem = Log<messagelogger::kError, true>;
  using LogImportant = Log<messagelogger::kError, true>;
  using LogSystem = Log<messagelogger::kSystem, false>;
  using LogAbsolute = Log<messagelogger::kSystem, true>;

  /// What LogDebug and LogTrace become unless EDM_ML_DEBUG is defined: nothing.
  class NoLog {
  public:
    template <typename T>
    NoLog& operator<<(T const&) {
      return *this;
    }
    NoLog& operator<<(std::ostream& (*)(std::ostream&)) { return *this; }
    NoLog& operator<<(std::ios_base& (*)(std::ios_base&)) { return *this; }
  };

}  // namespace edm

#ifdef EDM_ML_DEBUG
#define LogDebug(category) edm::Log<edm::messagelogger::kDebug, false>(category)
#define LogTrace(category) edm::Log<edm::messagelogger::kDebug, true>(category)
#else
#define LogDebug(category) true ? edm::NoLog() : edm::NoLog()
#define LogTrace(category) LogDebug(category)
#endif

#endif
