#ifndef FWCore_Utilities_ConvertException_h
#define FWCore_Utilities_ConvertException_h

#include <new>
#include <string>

#include "FWCore/Utilities/interface/EDMException.h"

namespace edm::convertException {

  /// Calls `f`; whatever it throws comes out as a cms::Exception.
  template <typename F>
  auto wrap(F&& f) -> decltype(f()) {
    try {
      return f();
    } catch (cms::Exception&) {
      throw;
    } catch (std::bad_alloc const&) {
      throw edm::Exception(errors::BadAlloc) << "A std::bad_alloc exception was thrown.\n"
                                             << "The job has probably exhausted the memory available to the process.\n";
    } catch (std::exception const& exception) {
      throw edm::Exception(errors::StdException) << "A std::exception was thrown.\n" << exception.what();
    } catch (...) {
      throw edm::Exception(errors::Unknown) << "An exception of unknown type was thrown.\n";
    }
  }

}  // namespace edm::convertException

#endif
