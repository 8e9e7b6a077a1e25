#ifndef RecoE2E_Taggers_sha256_h
#define RecoE2E_Taggers_sha256_h

#include <iosfwd>
#include <string>

namespace e2e {

  /// SHA-256 (FIPS 180-4) of what is left of the stream, as 64 lower-case hexadecimal digits.
  std::string sha256(std::istream& input);

}  // namespace e2e

#endif
