#ifndef FWCore_Framework_ProducesCollector_h
#define FWCore_Framework_ProducesCollector_h

#include <string>
#include <utility>

#include "FWCore/Framework/interface/ProducerBase.h"

namespace edm {

  /// Lets a helper class declare products in the name of the module that builds it.
  class ProducesCollector {
  public:
    template <typename T>
    EDPutTokenT<T> produces(std::string instance = std::string()) {
      return producer_->produces<T>(std::move(instance));
    }
    template <Transition Tr = Transition::Event>
    [[nodiscard]] auto produces(std::string instance = std::string()) {
      return producer_->produces<Tr>(std::move(instance));
    }

  private:
    friend class ProducerBase;
    explicit ProducesCollector(ProducerBase* producer) : producer_(producer) {}

    ProducerBase* producer_;
  };

  inline ProducesCollector ProducerBase::producesCollector() { return ProducesCollector(this); }

}  // namespace edm

#endif
