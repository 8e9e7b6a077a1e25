#ifndef RecoE2E_FrameTools_number_h
#define RecoE2E_FrameTools_number_h

#include <string>

namespace e2e {

  /// A number as Python's str() writes it, so that messages of cmsRun and of `e2e convert` about a file are the same.
  std::string number(double value);

}  // namespace e2e

#endif
