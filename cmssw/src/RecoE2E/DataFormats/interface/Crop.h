#ifndef RecoE2E_DataFormats_Crop_h
#define RecoE2E_DataFormats_Crop_h

#include <cstdint>

namespace e2e {

  /**
   * Window of rows x columns cells that holds its seed at (seedRow, seedColumn).
   *
   * Where it looks outward, its rows run away from the middle of the detector: the crop of a seed in the first half of
   * the rows (z < 0) is turned by 180 degrees about the seed, which brings the crystals of one end of the barrel onto
   * those of the other. Otherwise rows and columns run as in the detector.
   */
  struct Crop {
    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
    std::uint32_t seedRow = 0;
    std::uint32_t seedColumn = 0;
    bool outward = false;
  };

  inline bool operator==(Crop const& a, Crop const& b) {
    return a.rows == b.rows && a.columns == b.columns && a.seedRow == b.seedRow && a.seedColumn == b.seedColumn &&
           a.outward == b.outward;
  }
  inline bool operator!=(Crop const& a, Crop const& b) { return !(a == b); }

}  // namespace e2e

#endif
