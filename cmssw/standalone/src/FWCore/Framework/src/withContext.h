#ifndef FWCore_Framework_withContext_h
#define FWCore_Framework_withContext_h

#include <string>

#include "FWCore/Utilities/interface/ConvertException.h"

namespace edm {

  /// Calls `f`; an exception comes out with this context.
  template <typename F>
  auto withContext(std::string const& context, F&& f) -> decltype(f()) {
    try {
      return convertException::wrap(f);
    } catch (cms::Exception& exception) {
      exception.addContext(context);
      throw;
    }
  }

}  // namespace edm

#endif
