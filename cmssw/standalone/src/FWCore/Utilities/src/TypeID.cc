#include "FWCore/Utilities/interface/TypeID.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace edm {

  namespace {
    void replaceAll(std::string& text, std::string const& old, std::string const& replacement) {
      for (std::size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += replacement.size())
        text.replace(at, old.size(), replacement);
    }

    /// Takes out ", std::allocator<...>", whatever is between its brackets.
    void removeAllocators(std::string& text) {
      std::string const begin = ", std::allocator<";
      for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
        std::size_t end = at + begin.size();
        for (int depth = 1; depth > 0 && end < text.size(); ++end)
          depth += text[end] == '<' ? 1 : text[end] == '>' ? -1 : 0;
        text.erase(at, end - at);
      }
    }
  }  // namespace

  std::string TypeID::className() const {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> const demangled(
        abi::__cxa_demangle(type_->name(), nullptr, nullptr, &status), std::free);
    std::string name = status == 0 ? demangled.get() : type_->name();
    replaceAll(name, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
    removeAllocators(name);
    replaceAll(name, " >", ">");
    return name;
  }

}  // namespace edm
