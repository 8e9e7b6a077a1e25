#include "FWCore/Utilities/interface/TypeID.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <regex>

namespace edm {

  std::string TypeID::className() const {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> const demangled(
        abi::__cxa_demangle(type_->name(), nullptr, nullptr, &status), std::free);
    std::string name = status == 0 ? demangled.get() : type_->name();
    name = std::regex_replace(name, std::regex("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> ?>"), "std::string");
    name = std::regex_replace(name, std::regex(", std::allocator<[^<>]*(<[^<>]*>)?[^<>]*> ?(?=>)"), "");
    return std::regex_replace(name, std::regex(" >"), ">");
  }

}  // namespace edm
