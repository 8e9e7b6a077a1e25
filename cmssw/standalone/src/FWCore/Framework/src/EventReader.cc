#include "EventReader.h"

#include <atomic>
#include <csignal>
#include <string>
#include <utility>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/MessageLogger/interface/MessageService.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "withContext.h"

namespace edm {

  namespace {
    std::atomic<int> caughtSignal{0};  // lock-free, so a signal's handler may write it
    void catchSignal(int number) { caughtSignal = number; }

    std::string suffix(unsigned long n) {
      unsigned long const tens = n / 10 % 10;
      return tens == 1 ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
    }

    std::string describe(EventID const& id) {
      return "Run " + std::to_string(id.run()) + ", Event " + std::to_string(id.event()) + ", LumiSection " +
             std::to_string(id.luminosityBlock());
    }
  }  // namespace

  EventReader::EventReader(std::unique_ptr<InputSource> source, ActivityRegistry& registry)
      : source_(std::move(source)), registry_(registry) {
    for (int signal : {SIGINT, SIGTERM, SIGUSR2})
      std::signal(signal, &catchSignal);
  }

  bool EventReader::next(EventPrincipal& principal, StreamID stream) {
    std::lock_guard const lock(mutex_);
    if (!open_)
      return false;
    open_ = false;  // for good, if this throws
    open_ = read(principal, stream);
    if (open_) {
      ++events_;
      LogFwkVerbatim("FwkReport") << "Begin processing the " << events_ << suffix(events_) << " record. "
                                  << describe(principal.auxiliary.id()) << " on stream " << stream << " at "
                                  << messagelogger::timeOfDay(true);
    }
    return open_;
  }

  void EventReader::close() {
    std::lock_guard const lock(mutex_);
    open_ = false;
  }

  bool EventReader::read(EventPrincipal& principal, StreamID stream) {
    if (caughtSignal != 0)
      throw edm::Exception(errors::CaughtSignal) << "The job was asked to end by signal " << caughtSignal << ".\n";
    principal.clear();
    registry_.preSourceSignal_(stream);
    messagelogger::Context const context("source:source", "PreProcessEvent");
    if (!withContext("Calling InputSource::getNextItemType", [&] { return source_->nextEvent(principal.auxiliary); }))
      return false;
    withContext("Calling InputSource::readEvent_", [&] {
      Event event(principal, source_->moduleDescription(), nullptr, source_.get(), stream);
      source_->readEvent(event);
    });
    registry_.postSourceSignal_(stream);
    return true;
  }

}  // namespace edm
