#ifndef FWCore_Framework_EventPrincipal_h
#define FWCore_Framework_EventPrincipal_h

#include <memory>
#include <vector>

#include "DataFormats/Common/interface/WrapperBase.h"
#include "DataFormats/Provenance/interface/EventAuxiliary.h"

namespace edm {

  /// All products of one event. Each stream has one, which it fills again and again.
  class EventPrincipal {
  public:
    void resize(std::size_t products) { products_.resize(products); }
    void clear() {
      for (auto& product : products_)
        product.reset();
    }

    EventAuxiliary auxiliary;

    WrapperBase const* product(unsigned int index) const { return products_[index].get(); }
    void put(unsigned int index, std::unique_ptr<WrapperBase> product) { products_[index] = std::move(product); }

  private:
    std::vector<std::unique_ptr<WrapperBase>> products_;
  };

}  // namespace edm

#endif
