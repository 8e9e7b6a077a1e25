#ifndef RecoE2E_DataFormats_Seed_h
#define RecoE2E_DataFormats_Seed_h

#include <cstdint>
#include <limits>
#include <vector>

namespace e2e {

  /// Cell of a DetectorFrame around which an object's frame is cut; object is its index among the event's candidates,
  /// pt [GeV] the transverse momentum that was reconstructed for it, NaN where the source does not tell.
  struct Seed {
    std::uint32_t object = 0;
    std::int32_t row = 0;
    std::int32_t column = 0;
    float pt = std::numeric_limits<float>::quiet_NaN();
  };

  using SeedCollection = std::vector<Seed>;

}  // namespace e2e

#endif
