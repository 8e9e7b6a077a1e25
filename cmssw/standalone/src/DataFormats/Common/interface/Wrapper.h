#ifndef DataFormats_Common_Wrapper_h
#define DataFormats_Common_Wrapper_h

#include <memory>
#include <utility>

#include "DataFormats/Common/interface/WrapperBase.h"

namespace edm {

  /// A product of type T as an event holds it. ROOT needs a dictionary of it before a product can be registered.
  template <typename T>
  class Wrapper : public WrapperBase {
  public:
    using value_type = T;
    using wrapped_type = T;

    Wrapper() : WrapperBase(), present(false), obj() {}
    explicit Wrapper(std::unique_ptr<T> product) : WrapperBase(), present(product != nullptr), obj() {
      if (present)
        obj = std::move(*product);
    }
    Wrapper(Wrapper const&) = delete;
    Wrapper& operator=(Wrapper const&) = delete;
    ~Wrapper() override = default;

    T const* product() const { return present ? &obj : nullptr; }
    T const* operator->() const { return product(); }

  private:
    bool isPresent_() const override { return present; }
    std::type_info const& dynamicTypeInfo_() const override { return typeid(T); }
    std::type_info const& wrappedTypeInfo_() const override { return typeid(Wrapper<T>); }

    bool present;
    T obj;
  };

}  // namespace edm

#endif
