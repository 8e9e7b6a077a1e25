#ifndef RecoE2E_RHTree_pairMomenta_h
#define RecoE2E_RHTree_pairMomenta_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /// What a file lists of an event's objects, by the ways of finding it, from the one that is looked at first.
  struct ListedMomenta {
    /// Values of one branch, or of the three of a momentum; each has one an object, or none where the event has another
    /// number of them. By the falling values of order they are those of the seeds; as they stand, if it has no name.
    struct Source {
      std::vector<std::vector<float>> values;
      std::string falling;
      std::vector<float> order;
    };
    std::vector<Source> pt;
    std::vector<Source> eta;
    std::vector<Source> phi;
  };

  /**
   * The pt of each of the seeds, which count squares of cell x cell cells of so many rows; NaN where none is finite, or
   * where none can be told to be that of the seed: where its direction, as far as it is listed, is not the seed's, or
   * several of one momentum fit. once: what differs between two objects at one seed is unknown. `e2e convert` tells the
   * same (e2e.data.objects).
   */
  std::vector<float> pairMomenta(
      SeedCollection const& seeds, ListedMomenta const& listed, std::uint32_t rows, std::uint32_t cell, bool once);

}  // namespace e2e

#endif
