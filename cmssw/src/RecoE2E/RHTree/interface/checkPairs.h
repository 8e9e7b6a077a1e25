#ifndef RecoE2E_RHTree_checkPairs_h
#define RecoE2E_RHTree_checkPairs_h

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
   * Throws std::runtime_error, naming the branch, where the objects of an event are not as many as its seeds, which
   * count HCAL towers, cannot be ordered, or do not lie at their seeds: a frame must not be taken for that of another
   * object. Objects of one momentum may come in any order.
   */
  void checkPairs(SeedCollection const& seeds, ListedObjects const& objects);

  /// The seeds without those that were there before: a jet that is listed twice, or a tower that is the hottest of two.
  SeedCollection eachOnce(SeedCollection const& seeds);

}  // namespace e2e

#endif
