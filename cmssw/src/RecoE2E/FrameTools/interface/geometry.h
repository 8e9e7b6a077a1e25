#ifndef RecoE2E_FrameTools_geometry_h
#define RecoE2E_FrameTools_geometry_h

#include <cstdint>

#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /// HCAL towers of a frame of the whole ECAL, around phi.
  constexpr int kTowerColumns = 72;

  /// Where a direction lies among the rows of these towers: the middle of row r is r + 0.5.
  double towerRow(double eta);

  /// Where a direction [rad] lies among the columns of these towers: the middle of column c is c + 0.5, or once around
  /// more or less.
  double towerColumn(double phi);

  /// Pseudorapidity of the middle of a row of a frame of so many rows.
  double rowEta(std::int32_t row, std::uint32_t rows);

  /// The middle cells of seeds that count squares of cell x cell cells.
  SeedCollection middleCells(SeedCollection seeds, std::uint32_t cell);

}  // namespace e2e

#endif
