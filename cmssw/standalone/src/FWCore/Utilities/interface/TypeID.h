#ifndef FWCore_Utilities_TypeID_h
#define FWCore_Utilities_TypeID_h

#include <ostream>
#include <string>
#include <typeindex>
#include <typeinfo>

namespace edm {

  /// A C++ type, comparable and printable.
  class TypeID {
  public:
    TypeID() : type_(&typeid(void)) {}
    explicit TypeID(std::type_info const& type) : type_(&type) {}
    template <typename T>
    explicit TypeID(T const& object) : type_(&typeid(object)) {}

    std::type_info const& typeInfo() const { return *type_; }
    /// The demangled name, with the standard library's inline namespaces and default arguments left out.
    std::string className() const;
    explicit operator bool() const { return *type_ != typeid(void); }

    bool operator==(TypeID const& other) const { return *type_ == *other.type_; }
    bool operator!=(TypeID const& other) const { return !(*this == other); }
    bool operator<(TypeID const& other) const { return type_->before(*other.type_); }

  private:
    std::type_info const* type_;
  };

  inline std::ostream& operator<<(std::ostream& out, TypeID const& id) { return out << id.className(); }

}  // namespace edm

#endif
