#ifndef RecoE2E_RHTree_makeSeeds_h
#define RecoE2E_RHTree_makeSeeds_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /// The values of a branch in an event, one an object.
  struct BranchValues {
    std::string branch;
    std::vector<float> values;
  };

  /**
   * Seeds in squares of cell x cell cells of the detector (cell 5: HCAL towers over crystals), as the branches number
   * them, from 0. Object i is the i-th.
   *
   * Throws std::runtime_error that names the branch where they differ in length, or where a seed is no square of the
   * detector: indices that start at 1, or count in another unit, must not pass as others.
   */
  SeedCollection makeSeeds(BranchValues const& rows,
                           BranchValues const& columns,
                           std::uint32_t detectorRows,
                           std::uint32_t detectorColumns,
                           std::uint32_t cell = 1);

}  // namespace e2e

#endif
