#ifndef RecoE2E_FrameTools_FrameBuilder_h
#define RecoE2E_FrameTools_FrameBuilder_h

#include <cstdint>
#include <vector>

#include "RecoE2E/DataFormats/interface/DetectorFrame.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace e2e {

  /// What was measured at one place of a channel, in whose own cells (of HCAL energy: towers) row and column count.
  struct Hit {
    std::uint32_t row = 0;
    std::uint32_t column = 0;
    float value = 0.f;
  };

  /// Makes the sparse frame of an event, from dense images of its channels or from single hits.
  class FrameBuilder {
  public:
    /**
     * Throws std::invalid_argument for a frame without channels or cells, or one too large for its index, and for a
     * channel whose cells do not divide the frame. origin must not be null.
     */
    explicit FrameBuilder(FrameOriginPtr origin);

    /**
     * images[i] is the image of channel i: (rows / cell) * (columns / cell) values, row by row; 0 is no hit. Values
     * that are not finite come into the frame as they are: whoever uses them, refuses them.
     *
     * Throws std::runtime_error that names the channel for an image of another size.
     */
    DetectorFrame build(std::vector<std::vector<float>> const& images) const;

    /**
     * hits[i] are those of channel i, in any order. The frame is that of the images which hold them.
     *
     * Throws std::runtime_error that names channel, row and column for a hit outside the frame, and for a second one at
     * the same place: whether values are to be added (energies), their source knows.
     */
    DetectorFrame build(std::vector<std::vector<Hit>> hits) const;

  private:
    FrameOriginPtr const origin_;
  };

}  // namespace e2e

#endif
