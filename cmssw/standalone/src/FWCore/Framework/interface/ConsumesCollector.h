#ifndef FWCore_Framework_ConsumesCollector_h
#define FWCore_Framework_ConsumesCollector_h

#include <utility>

#include "FWCore/Framework/interface/EDConsumerBase.h"

namespace edm {

  /// Lets a helper class declare what it reads in the name of the module that builds it.
  class ConsumesCollector {
  public:
    template <typename T, BranchType B = InEvent>
    EDGetTokenT<T> consumes(InputTag const& tag) {
      return consumer_->consumes<T, B>(tag);
    }
    template <BranchType B = InEvent>
    [[nodiscard]] auto consumes(InputTag tag) {
      return consumer_->consumes<B>(std::move(tag));
    }
    template <typename T, BranchType B = InEvent>
    EDGetTokenT<T> mayConsume(InputTag const& tag) {
      return consumer_->mayConsume<T, B>(tag);
    }
    template <typename T, typename R, Transition Tr = Transition::Event>
    auto esConsumes(ESInputTag const& tag = ESInputTag()) {
      return consumer_->esConsumes<T, R, Tr>(tag);
    }
    template <Transition Tr = Transition::Event>
    [[nodiscard]] auto esConsumes(ESInputTag const& tag = ESInputTag()) {
      return consumer_->esConsumes<Tr>(tag);
    }

  private:
    friend class EDConsumerBase;
    explicit ConsumesCollector(EDConsumerBase* consumer) : consumer_(consumer) {}

    EDConsumerBase* consumer_;
  };

  inline ConsumesCollector EDConsumerBase::consumesCollector() { return ConsumesCollector(this); }

}  // namespace edm

#endif
