#include "RecoE2E/RHTree/interface/checkPairs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "RecoE2E/FrameTools/interface/geometry.h"
#include "RecoE2E/FrameTools/interface/number.h"

namespace e2e {

  namespace {
    // A seed is the hottest of the 7 x 7 towers around the jet's axis; one more for what the jet's momentum differs.
    constexpr double kReach = 4.5;

    void checkLength(BranchValues const& branch, std::size_t seeds, ListedObjects const& objects, char const* why) {
      if (branch.values.size() != seeds)
        throw std::runtime_error(branch.branch + " has " + std::to_string(branch.values.size()) + " objects, " +
                                 objects.seedRows + " " + std::to_string(seeds) + why);
    }

    bool liesAt(Seed const& seed, ListedObjects const& objects, std::size_t object) {
      auto const& direction = objects.direction;
      if (direction.empty())
        return true;
      if (not(std::abs(towerRow(direction[0].values[object]) - (seed.row + 0.5)) <= kReach))
        return false;
      if (direction.size() < 3)
        return true;
      auto const phi = std::atan2(double(direction[2].values[object]), double(direction[1].values[object]));
      return std::abs(std::remainder(towerColumn(phi) - (seed.column + 0.5), kTowerColumns)) <= kReach;
    }

    std::string names(ListedObjects const& objects) {
      std::string text;
      for (auto const& branch : objects.direction)
        text += (text.empty() ? "" : " and ") + branch.branch;
      return text;
    }
  }  // namespace

  void checkPairs(SeedCollection const& seeds, ListedObjects const& objects) {
    constexpr char const* kOrder = "; its order tells which jet has which seed";
    auto const& falling = objects.falling.values;
    checkLength(objects.falling, seeds.size(), objects, kOrder);
    for (auto const value : falling)
      if (not std::isfinite(value))
        throw std::runtime_error(objects.falling.branch + " is " + number(value) + kOrder);
    for (auto const& branch : objects.direction)
      checkLength(branch, seeds.size(), objects, "");

    std::vector<std::size_t> order(seeds.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return falling[a] > falling[b]; });

    for (std::size_t i = 0; i < seeds.size(); ++i) {
      auto const same = [&](std::size_t j) { return falling[order[j]] == falling[order[i]]; };
      auto first = i, last = i + 1;  // of those with this momentum
      while (first > 0 and same(first - 1))
        --first;
      while (last < seeds.size() and same(last))
        ++last;
      bool taken = false, has = false;  // the seed by any of these objects, the object at any of these seeds
      for (auto j = first; j < last; ++j) {
        taken = taken or liesAt(seeds[i], objects, order[j]);
        has = has or liesAt(seeds[j], objects, order[i]);
      }
      if (not taken or not has)
        throw std::runtime_error("the jet with " + objects.falling.branch +
                                 " in this place does not lie at its seed (row " + std::to_string(seeds[i].row) +
                                 ", column " + std::to_string(seeds[i].column) + "), as " + names(objects) +
                                 " say; jets and seeds cannot be told to belong together");
    }
  }

  SeedCollection eachOnce(SeedCollection const& seeds) {
    std::set<std::pair<std::int32_t, std::int32_t>> before;
    SeedCollection once;
    for (auto const& seed : seeds)
      if (before.emplace(seed.row, seed.column).second)
        once.push_back(seed);
    return once;
  }

}  // namespace e2e
