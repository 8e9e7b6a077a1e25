#include "RecoE2E/FrameProducers/interface/makeSeeds.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace e2e {

  namespace {
    std::int32_t cell(char const* axis, std::size_t object, float number, std::uint32_t cells) {
      if (not(number >= 0.f && number < static_cast<float>(cells)) || number != std::trunc(number))
        throw std::runtime_error(std::string("the seed of object ") + std::to_string(object) + " is in " + axis + " " +
                                 std::to_string(number) + "; they are numbered 0 to " + std::to_string(cells - 1));
      return static_cast<std::int32_t>(number);
    }
  }  // namespace

  SeedCollection makeSeeds(std::vector<float> const& rows,
                           std::vector<float> const& columns,
                           std::uint32_t detectorRows,
                           std::uint32_t detectorColumns) {
    if (rows.size() != columns.size())
      throw std::runtime_error(std::to_string(rows.size()) + " seed rows, but " + std::to_string(columns.size()) +
                               " seed columns");
    SeedCollection seeds;
    seeds.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      seeds.push_back({static_cast<std::uint32_t>(i),
                       cell("row", i, rows[i], detectorRows),
                       cell("column", i, columns[i], detectorColumns)});
    return seeds;
  }

}  // namespace e2e
