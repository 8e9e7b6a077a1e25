#ifndef FWCore_Sources_ProducerSourceBase_h
#define FWCore_Sources_ProducerSourceBase_h

#include "FWCore/Sources/interface/IDGeneratorSourceBase.h"

namespace edm {

  /// A source that puts products into the events it makes.
  class ProducerSourceBase : public IDGeneratorSourceBase {
  public:
    using IDGeneratorSourceBase::IDGeneratorSourceBase;

  private:
    void readEvent_(Event& event) final { produce(event); }

    virtual void produce(Event& event) = 0;
  };

}  // namespace edm

#endif
