#ifndef FWCore_Framework_ModuleBase_h
#define FWCore_Framework_ModuleBase_h

#include <string>
#include <vector>

#include "DataFormats/Provenance/interface/ModuleDescription.h"
#include "FWCore/Framework/interface/ConsumesCollector.h"
#include "FWCore/Framework/interface/EDConsumerBase.h"
#include "FWCore/Framework/interface/Frameworkfwd.h"
#include "FWCore/Framework/interface/ProducerBase.h"
#include "FWCore/Utilities/interface/StreamID.h"

namespace edm {

  /// What the host's scheduler asks of a module of any kind. Modules derive from stream::, global:: and one:: classes.
  class ModuleBase : public EDConsumerBase {
  public:
    // Not valid while the module is being constructed.
    ModuleDescription const& moduleDescription() const { return description_; }
    void setModuleDescription(ModuleDescription const& description) { description_ = description; }

    virtual ProducerBase* producer() { return nullptr; }
    /// False when a filter rejects the event.
    virtual bool doEvent(Event&, EventSetup const&) = 0;
    virtual void doBeginJob() {}
    virtual void doEndJob() {}
    virtual void doBeginStream(StreamID) {}
    virtual void doEndStream(StreamID) {}
    virtual void doBeginRun(Run const&, EventSetup const&) {}
    virtual void doEndRun(Run const&, EventSetup const&) {}
    virtual void doBeginLuminosityBlock(LuminosityBlock const&, EventSetup const&) {}
    virtual void doEndLuminosityBlock(LuminosityBlock const&, EventSetup const&) {}
    /// Modules that name the same resource never run at the same time.
    virtual std::vector<std::string> resources() const { return {}; }

    /// For a module that describes no parameters of its own: nothing is checked.
    static void fillDescriptions(ConfigurationDescriptions& descriptions);

  private:
    ModuleDescription description_;
  };

}  // namespace edm

#endif
