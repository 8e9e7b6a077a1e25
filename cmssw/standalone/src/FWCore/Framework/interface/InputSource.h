#ifndef FWCore_Framework_InputSource_h
#define FWCore_Framework_InputSource_h

#include "DataFormats/Provenance/interface/EventAuxiliary.h"
#include "DataFormats/Provenance/interface/ModuleDescription.h"
#include "FWCore/Framework/interface/Frameworkfwd.h"
#include "FWCore/Framework/interface/InputSourceDescription.h"
#include "FWCore/Framework/interface/ProducerBase.h"

namespace edm {

  /// Where events come from. The host calls a source from one thread at a time.
  class InputSource : public ProducerBase {
  public:
    static constexpr char const* kBaseType = "Source";

    InputSource(ParameterSet const&, InputSourceDescription const&);
    InputSource(InputSource const&) = delete;
    InputSource& operator=(InputSource const&) = delete;

    ModuleDescription const& moduleDescription() const { return description_; }
    int maxEvents() const { return maxEvents_; }
    int remainingEvents() const { return remainingEvents_; }

    /// For a source that describes no parameters of its own: nothing is checked.
    static void fillDescriptions(ConfigurationDescriptions& descriptions);
    static void fillDescription(ParameterSetDescription& description);

    void doBeginJob() { beginJob(); }
    void doEndJob() { endJob(); }
    /// Moves to the next event; false at the end of the input, or when maxEvents have been read.
    bool nextEvent(EventAuxiliary& event);
    /// Puts the products of the event it moved to.
    void readEvent(Event& event) { readEvent_(event); }

  protected:
    virtual void beginJob() {}
    virtual void endJob() {}

  private:
    virtual bool nextEvent_(EventAuxiliary& event) = 0;
    virtual void readEvent_(Event& event) = 0;

    ModuleDescription description_;
    int maxEvents_;
    int remainingEvents_;
  };

}  // namespace edm

#endif
