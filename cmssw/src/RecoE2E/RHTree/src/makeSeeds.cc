#include "RecoE2E/RHTree/interface/makeSeeds.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>

#include "RecoE2E/FrameTools/interface/number.h"

namespace e2e {

  namespace {
    /// Throws unless all values number one of the squares along an axis.
    void check(BranchValues const& seeds, std::uint32_t squares, char const* what) {
      for (auto const seed : seeds.values)
        if (not(seed >= 0.f && seed < static_cast<float>(squares)) || seed != std::trunc(seed))
          throw std::runtime_error(seeds.branch + " holds a seed at " + number(seed) + "; " + what +
                                   " are numbered 0 to " + std::to_string(squares - 1));
    }
  }  // namespace

  SeedCollection makeSeeds(BranchValues const& rows,
                           BranchValues const& columns,
                           std::uint32_t detectorRows,
                           std::uint32_t detectorColumns,
                           std::uint32_t cell) {
    if (rows.values.size() != columns.values.size())
      throw std::runtime_error(columns.branch + " has " + std::to_string(columns.values.size()) + " objects, " +
                               rows.branch + " " + std::to_string(rows.values.size()) + "; a seed needs both");
    char const* const what = cell == 1 ? "crystals" : "towers";
    check(rows, detectorRows / cell, what);
    check(columns, detectorColumns / cell, what);
    SeedCollection seeds;
    seeds.reserve(rows.values.size());
    for (std::size_t i = 0; i < rows.values.size(); ++i)
      seeds.push_back({static_cast<std::uint32_t>(i),
                       static_cast<std::int32_t>(rows.values[i]),
                       static_cast<std::int32_t>(columns.values[i])});
    return seeds;
  }

}  // namespace e2e
