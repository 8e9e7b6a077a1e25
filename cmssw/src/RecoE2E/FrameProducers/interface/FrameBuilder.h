#ifndef RecoE2E_FrameProducers_FrameBuilder_h
#define RecoE2E_FrameProducers_FrameBuilder_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/DetectorFrame.h"

namespace e2e {

  /**
   * One channel of a frame. Its image has one value for cell x cell cells of the frame, over which it is spread evenly
   * (an HCAL tower over 5 x 5 crystals), and starts under column shift of the frame, where its last columns wrap around.
   */
  struct Layer {
    std::string name;
    std::uint32_t cell = 1;
    std::uint32_t shift = 0;
  };

  /// Makes the sparse frame of an event from dense channel images.
  class FrameBuilder {
  public:
    /**
     * Throws std::invalid_argument for a frame without channels or cells, or one too large for its index, and for a
     * layer whose cells do not divide the frame or its shift.
     */
    FrameBuilder(std::vector<Layer> layers, std::uint32_t rows, std::uint32_t columns);

    /**
     * images[i] points to the image of layer i: (rows / cell) * (columns / cell) values, row by row; 0 is no hit.
     *
     * Throws std::runtime_error that names the channel for an image of another size, and channel, row and column for a
     * value that is not finite.
     */
    DetectorFrame build(std::vector<std::vector<float> const*> const& images) const;

  private:
    std::vector<Layer> layers_;
    std::vector<std::string> channels_;
    std::uint32_t rows_;
    std::uint32_t columns_;
  };

}  // namespace e2e

#endif
