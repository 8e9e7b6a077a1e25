#ifndef RecoE2E_FrameTools_FrameBuilder_h
#define RecoE2E_FrameTools_FrameBuilder_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/DetectorFrame.h"

namespace e2e {

  /// One channel of a frame. Its image has one value for cell x cell cells of the frame, over which it is spread evenly
  /// (an HCAL tower over 5 x 5 crystals).
  struct Layer {
    std::string name;
    std::uint32_t cell = 1;
  };

  /// Makes the sparse frame of an event from dense channel images.
  class FrameBuilder {
  public:
    /**
     * Throws std::invalid_argument for a frame without channels or cells, or one too large for its index, and for a
     * layer whose cells do not divide the frame.
     */
    FrameBuilder(std::vector<Layer> layers, std::uint32_t rows, std::uint32_t columns);

    /**
     * images[i] is the image of layer i: (rows / cell) * (columns / cell) values, row by row; 0 is no hit. Values that
     * are not finite come into the frame as they are: whoever uses them, refuses them.
     *
     * Throws std::runtime_error that names the channel for an image of another size.
     */
    DetectorFrame build(std::vector<std::vector<float>> const& images, FrameOriginPtr origin = nullptr) const;

  private:
    std::vector<Layer> layers_;
    std::vector<std::string> channels_;
    std::uint32_t rows_;
    std::uint32_t columns_;
  };

}  // namespace e2e

#endif
