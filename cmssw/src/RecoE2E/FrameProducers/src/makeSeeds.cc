#include "RecoE2E/FrameProducers/interface/makeSeeds.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace e2e {

  namespace {
    constexpr float kEndOfInt32 = 2147483648.f;

    std::int32_t cell(char const* what, std::size_t object, float number) {
      if (not(number >= -kEndOfInt32 && number < kEndOfInt32) || number != std::trunc(number))
        throw std::runtime_error(std::string("seed ") + what + " of object " + std::to_string(object) + " is " +
                                 std::to_string(number) + "; expected an integer");
      return static_cast<std::int32_t>(number);
    }
  }  // namespace

  SeedCollection makeSeeds(std::vector<float> const& rows,
                           std::vector<float> const& columns,
                           std::uint32_t detectorColumns) {
    if (rows.size() != columns.size())
      throw std::runtime_error(std::to_string(rows.size()) + " seed rows, but " + std::to_string(columns.size()) +
                               " seed columns");
    SeedCollection seeds;
    seeds.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const column = cell("column", i, columns[i]);
      if (column < 0 || static_cast<std::uint32_t>(column) >= detectorColumns)
        throw std::runtime_error("seed column of object " + std::to_string(i) + " is " + std::to_string(column) +
                                 "; expected 0 to " + std::to_string(detectorColumns - 1));
      seeds.push_back({static_cast<std::uint32_t>(i), cell("row", i, rows[i]), column});
    }
    return seeds;
  }

}  // namespace e2e
