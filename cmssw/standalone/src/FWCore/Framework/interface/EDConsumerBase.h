#ifndef FWCore_Framework_EDConsumerBase_h
#define FWCore_Framework_EDConsumerBase_h

#include <string>
#include <utility>
#include <vector>

#include "FWCore/Utilities/interface/BranchType.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/ESGetToken.h"
#include "FWCore/Utilities/interface/ESInputTag.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "FWCore/Utilities/interface/Transition.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  class ConsumesCollector;

  /// One product that a module says it reads.
  struct ConsumedItem {
    static constexpr unsigned int kNoProduct = 0xFFFFFFFF;

    TypeID type;
    InputTag tag;
    bool always;                      // consumes, rather than mayConsume
    unsigned int index = kNoProduct;  // where the product lies in an event; filled when the job's products are known
  };

  /// The part of a module that declares which products it reads.
  class EDConsumerBase {
  public:
    virtual ~EDConsumerBase() = default;

    std::vector<ConsumedItem> const& consumedItems() const { return consumed_; }
    std::vector<ConsumedItem>& consumedItems() { return consumed_; }
    EDGetToken token(unsigned int index) const { return EDGetToken(EDGetTokenT<void>(index)); }

  protected:
    template <BranchType B>
    class Adaptor {
    public:
      template <typename T>
      EDGetTokenT<T> consumes() {
        return consumer_.template consumes<T, B>(tag_);
      }

    private:
      friend class EDConsumerBase;
      Adaptor(EDConsumerBase& consumer, InputTag tag) : consumer_(consumer), tag_(std::move(tag)) {}
      EDConsumerBase& consumer_;
      InputTag tag_;
    };

    template <Transition Tr>
    class ESAdaptor {
    public:
      template <typename T, typename R>
      ESGetToken<T, R> consumes() {
        return ESGetToken<T, R>(true);
      }
    };

    /// `consumes<T>(tag)` and `consumes(tag)`, whose type is that of the token it initialises.
    template <typename T, BranchType B = InEvent>
    EDGetTokenT<T> consumes(InputTag const& tag) {
      return EDGetTokenT<T>(record(TypeID(typeid(T)), tag, true));
    }
    template <BranchType B = InEvent>
    [[nodiscard]] Adaptor<B> consumes(InputTag tag) {
      return Adaptor<B>(*this, std::move(tag));
    }
    template <typename T, BranchType B = InEvent>
    EDGetTokenT<T> mayConsume(InputTag const& tag) {
      return EDGetTokenT<T>(record(TypeID(typeid(T)), tag, false));
    }

    template <typename T, typename R, Transition Tr = Transition::Event>
    ESGetToken<T, R> esConsumes(ESInputTag const& = ESInputTag()) {
      return ESGetToken<T, R>(true);
    }
    template <Transition Tr = Transition::Event>
    [[nodiscard]] ESAdaptor<Tr> esConsumes(ESInputTag const& = ESInputTag()) {
      return ESAdaptor<Tr>();
    }

    ConsumesCollector consumesCollector();

  private:
    friend class ConsumesCollector;

    unsigned int record(TypeID const& type, InputTag const& tag, bool always);

    std::vector<ConsumedItem> consumed_;
  };

}  // namespace edm

#endif
