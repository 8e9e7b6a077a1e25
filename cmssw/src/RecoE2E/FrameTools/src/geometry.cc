#include "RecoE2E/FrameTools/interface/geometry.h"

#include <cmath>

namespace e2e {

  namespace {
    // Towers of 0.087 in eta, 28 rows before eta 0; around phi the first begins at -10 degrees, as the crystals do.
    constexpr double kTowerEta = 0.087, kMiddle = 28, kFirst = 2;
    constexpr double kCellEta = kTowerEta / 5;
  }  // namespace

  double towerRow(double eta) { return eta / kTowerEta + kMiddle; }

  double towerColumn(double phi) { return kTowerColumns * phi / (2 * M_PI) + kFirst; }

  double rowEta(std::int32_t row, std::uint32_t rows) { return (row + 0.5 - rows / 2.) * kCellEta; }

  SeedCollection middleCells(SeedCollection seeds, std::uint32_t cell) {
    auto const size = static_cast<std::int32_t>(cell);
    for (auto& seed : seeds) {
      seed.row = seed.row * size + size / 2;
      seed.column = seed.column * size + size / 2;
    }
    return seeds;
  }

}  // namespace e2e
