#ifndef RecoE2E_FrameProducers_FrameBuilder_h
#define RecoE2E_FrameProducers_FrameBuilder_h

#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/DetectorFrame.h"

namespace e2e {

  /// Makes the sparse frame of an event from dense channel images of rows x columns cells.
  class FrameBuilder {
  public:
    /// Throws std::invalid_argument for a frame without channels or cells, or one too large for its index.
    FrameBuilder(std::vector<std::string> channels, std::uint32_t rows, std::uint32_t columns);

    /**
     * images[i] points to the image of channels()[i]: rows * columns values, row by row; 0 is no hit.
     *
     * Throws std::runtime_error that names the channel for an image of another size, and channel, row and column for a
     * value that is not finite.
     */
    DetectorFrame build(std::vector<std::vector<float> const*> const& images) const;

  private:
    std::vector<std::string> channels_;
    std::uint32_t rows_;
    std::uint32_t columns_;
  };

}  // namespace e2e

#endif
