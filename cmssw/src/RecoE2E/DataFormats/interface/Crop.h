#ifndef RecoE2E_DataFormats_Crop_h
#define RecoE2E_DataFormats_Crop_h

#include <cstdint>

namespace e2e {

  /// Window of rows x columns cells that holds its seed at (seedRow, seedColumn).
  struct Crop {
    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
    std::uint32_t seedRow = 0;
    std::uint32_t seedColumn = 0;
  };

  inline bool operator==(Crop const& a, Crop const& b) {
    return a.rows == b.rows && a.columns == b.columns && a.seedRow == b.seedRow && a.seedColumn == b.seedColumn;
  }
  inline bool operator!=(Crop const& a, Crop const& b) { return !(a == b); }

}  // namespace e2e

#endif
