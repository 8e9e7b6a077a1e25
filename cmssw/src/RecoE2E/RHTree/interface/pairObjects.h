#ifndef RecoE2E_RHTree_pairObjects_h
#define RecoE2E_RHTree_pairObjects_h

#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Seed.h"
#include "RecoE2E/RHTree/interface/makeSeeds.h"

namespace e2e {

  /// Objects that an analyzer lists in the order of generated particles, whereas their seeds come by falling momentum.
  struct ListedObjects {
    std::string seedRows;  // branch of the seeds, for messages
    BranchValues falling;
    std::vector<BranchValues> direction;  // eta and the momentum's x and y, eta alone, or nothing
  };

  /**
   * The seeds of an event, which count HCAL towers, without those of a jet that is listed twice: neighbours at one
   * seed with one momentum.
   *
   * Throws std::runtime_error, naming the branch, where the objects are not as many as the seeds, cannot be ordered,
   * or do not lie at their seeds: a frame must not be taken for that of another object.
   */
  SeedCollection pairObjects(SeedCollection const& seeds, ListedObjects const& objects);

}  // namespace e2e

#endif
