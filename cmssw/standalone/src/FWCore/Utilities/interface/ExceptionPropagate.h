#ifndef FWCore_Utilities_ExceptionPropagate_h
#define FWCore_Utilities_ExceptionPropagate_h

#include <exception>

/// Where code that ROOT calls leaves an exception for the caller of ROOT. The host's files are ROOT's own: it has none.
namespace edm::threadLocalException {

  inline std::exception_ptr& pending() {
    static thread_local std::exception_ptr exception;
    return exception;
  }
  inline void setException(std::exception_ptr exception) { pending() = exception; }
  inline std::exception_ptr getException() { return pending(); }

}  // namespace edm::threadLocalException

#endif
