#ifndef DataFormats_Common_WrapperBase_h
#define DataFormats_Common_WrapperBase_h

#include <typeinfo>

namespace edm {

  /// A product of unknown type.
  class WrapperBase {
  public:
    WrapperBase() = default;
    virtual ~WrapperBase();

    bool isPresent() const { return isPresent_(); }
    std::type_info const& dynamicTypeInfo() const { return dynamicTypeInfo_(); }
    std::type_info const& wrappedTypeInfo() const { return wrappedTypeInfo_(); }

  private:
    virtual bool isPresent_() const = 0;
    virtual std::type_info const& dynamicTypeInfo_() const = 0;
    virtual std::type_info const& wrappedTypeInfo_() const = 0;
  };

}  // namespace edm

#endif
