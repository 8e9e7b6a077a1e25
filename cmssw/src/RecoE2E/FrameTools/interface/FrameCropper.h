#ifndef RecoE2E_FrameTools_FrameCropper_h
#define RecoE2E_FrameTools_FrameCropper_h

#include "RecoE2E/DataFormats/interface/Crop.h"
#include "RecoE2E/DataFormats/interface/DetectorFrame.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"
#include "RecoE2E/DataFormats/interface/Seed.h"

namespace e2e {

  /// Cuts the frames of objects out of a detector frame: 32 x 32 around a photon, 125 x 125 around a jet.
  class FrameCropper {
  public:
    /// Throws std::invalid_argument for a crop without cells, or whose seed lies outside it.
    explicit FrameCropper(Crop const& crop);

    /**
     * The frames of all seeds, in their order, turned where the crop looks outward. Columns wrap around the detector;
     * an object whose crop would cross the first or last row is rejected and counted.
     *
     * Throws std::invalid_argument for a crop larger than the detector, and for a hit outside it; std::runtime_error,
     * naming branch, row and column, for a hit in a crop that is not finite.
     */
    ObjectFrames cut(DetectorFrame const& frame, SeedCollection const& seeds) const;

  private:
    Crop crop_;
  };

}  // namespace e2e

#endif
