#ifndef FWCore_Framework_ProducerBase_h
#define FWCore_Framework_ProducerBase_h

#include <string>
#include <utility>
#include <vector>

#include "FWCore/Utilities/interface/EDPutToken.h"
#include "FWCore/Utilities/interface/Transition.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  class ProducesCollector;

  /// One product that a module says it produces.
  struct ProducedItem {
    TypeID type;
    TypeID wrapper;  // edm::Wrapper of the type: what needs a dictionary
    std::string instance;
  };

  template <typename T>
  class Wrapper;

  /// The part of a module that declares and writes products.
  class ProducerBase {
  public:
    virtual ~ProducerBase() = default;

    std::vector<ProducedItem> const& producedItems() const { return produced_; }
    EDPutToken token(unsigned int index) const { return EDPutToken(EDPutTokenT<void>(index)); }

    /// Where the module's n-th product lies in an event; filled when the job's products are known.
    std::vector<unsigned int> const& putIndices() const { return putIndices_; }
    void setPutIndices(std::vector<unsigned int> indices) { putIndices_ = std::move(indices); }

  protected:
    /// `produces<T>("instance")` and `produces("instance")`, whose type is that of the token it initialises.
    template <typename T>
    EDPutTokenT<T> produces(std::string instance = std::string()) {
      produced_.push_back({TypeID(typeid(T)), TypeID(typeid(Wrapper<T>)), std::move(instance)});
      return EDPutTokenT<T>(static_cast<unsigned int>(produced_.size() - 1));
    }

    template <Transition Tr = Transition::Event>
    class Adaptor {
    public:
      template <typename T>
      EDPutTokenT<T> produces() {
        static_assert(Tr == Transition::Event, "the host keeps event products only");
        return producer_.template produces<T>(std::move(instance_));
      }

    private:
      friend class ProducerBase;
      Adaptor(ProducerBase& producer, std::string instance) : producer_(producer), instance_(std::move(instance)) {}
      ProducerBase& producer_;
      std::string instance_;
    };

    template <Transition Tr = Transition::Event>
    [[nodiscard]] Adaptor<Tr> produces(std::string instance = std::string()) {
      return Adaptor<Tr>(*this, std::move(instance));
    }

    ProducesCollector producesCollector();

  private:
    friend class ProducesCollector;

    std::vector<ProducedItem> produced_;
    std::vector<unsigned int> putIndices_;
  };

}  // namespace edm

#endif
