#include "RecoE2E/FrameProducers/interface/makeSeeds.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace e2e {

  namespace {
    /// The middle cell of the square that is the number-th along its axis of squares.
    std::int32_t middle(
        char const* axis, std::size_t object, float number, std::uint32_t squares, std::uint32_t cell) {
      if (not(number >= 0.f && number < static_cast<float>(squares)) || number != std::trunc(number))
        throw std::runtime_error(std::string("the seed of object ") + std::to_string(object) + " is in " + axis + " " +
                                 std::to_string(number) + "; they are numbered 0 to " + std::to_string(squares - 1));
      return static_cast<std::int32_t>(number) * cell + cell / 2;
    }
  }  // namespace

  SeedCollection makeSeeds(std::vector<float> const& rows,
                           std::vector<float> const& columns,
                           std::uint32_t detectorRows,
                           std::uint32_t detectorColumns,
                           std::uint32_t cell) {
    if (rows.size() != columns.size())
      throw std::runtime_error(std::to_string(rows.size()) + " seed rows, but " + std::to_string(columns.size()) +
                               " seed columns");
    SeedCollection seeds;
    seeds.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      seeds.push_back({static_cast<std::uint32_t>(i),
                       middle("row", i, rows[i], detectorRows / cell, cell),
                       middle("column", i, columns[i], detectorColumns / cell, cell)});
    return seeds;
  }

}  // namespace e2e
