#ifndef RecoE2E_FrameProducers_makeSeeds_h
#define RecoE2E_FrameProducers_makeSeeds_h

#include <cstdint>
#include <vector>

#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /**
   * Seeds at (rows[i], columns[i]), i being the index of the object. These count squares of cell x cell cells of the
   * detector (cell 5: HCAL towers over crystals), of which the middle cell is the seed.
   *
   * Throws std::runtime_error when the lists differ in length, and one that names the object when its seed is no cell
   * of the detector: indices that start at 1, or count in another unit, must not pass as others.
   */
  SeedCollection makeSeeds(std::vector<float> const& rows,
                           std::vector<float> const& columns,
                           std::uint32_t detectorRows,
                           std::uint32_t detectorColumns,
                           std::uint32_t cell = 1);

}  // namespace e2e

#endif
