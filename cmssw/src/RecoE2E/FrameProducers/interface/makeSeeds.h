#ifndef RecoE2E_FrameProducers_makeSeeds_h
#define RecoE2E_FrameProducers_makeSeeds_h

#include <cstdint>
#include <vector>

#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /**
   * Seeds at (rows[i], columns[i]), i being the index of the object.
   *
   * A row beyond the end of the detector is kept: the crop around it will be rejected there. Throws std::runtime_error
   * that names the object when the lists differ in length, a number is no integer, or a column is not in
   * [0, detectorColumns): an index that starts at 1 must not pass as one that starts at 0.
   */
  SeedCollection makeSeeds(std::vector<float> const& rows,
                           std::vector<float> const& columns,
                           std::uint32_t detectorColumns);

}  // namespace e2e

#endif
