#include "RecoE2E/FrameProducers/interface/FrameBuilder.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace e2e {

  FrameBuilder::FrameBuilder(std::vector<std::string> channels, std::uint32_t rows, std::uint32_t columns)
      : channels_(std::move(channels)),
        rows_(rows),
        columns_(columns) {
    if (channels_.empty() || rows_ == 0 || columns_ == 0)
      throw std::invalid_argument("a detector frame needs at least one channel, one row and one column");
    auto const channelCells = std::uint64_t(rows_) * columns_;
    if (channelCells > std::numeric_limits<std::uint32_t>::max() / channels_.size())
      throw std::invalid_argument("a detector frame of " + std::to_string(channels_.size()) + " x " +
                                  std::to_string(rows_) + " x " + std::to_string(columns_) +
                                  " cells is too large for an index of 32 bits");
  }

  DetectorFrame FrameBuilder::build(std::vector<std::vector<float> const*> const& images) const {
    if (images.size() != channels_.size())
      throw std::invalid_argument(std::to_string(images.size()) + " images for a frame of " +
                                  std::to_string(channels_.size()) + " channels");
    std::uint32_t const cells = rows_ * columns_;
    std::vector<std::uint32_t> index;
    std::vector<float> value;
    for (std::uint32_t channel = 0; channel < images.size(); ++channel) {
      auto const& image = *images[channel];
      if (image.size() != cells)
        throw std::runtime_error(channels_[channel] + " has " + std::to_string(image.size()) + " values; expected " +
                                 std::to_string(rows_) + " x " + std::to_string(columns_));
      for (std::uint32_t cell = 0; cell < cells; ++cell) {
        if (image[cell] == 0.f)
          continue;
        if (not std::isfinite(image[cell]))
          throw std::runtime_error(channels_[channel] + " is " + std::to_string(image[cell]) + " at row " +
                                   std::to_string(cell / columns_) + ", column " + std::to_string(cell % columns_));
        index.push_back(channel * cells + cell);
        value.push_back(image[cell]);
      }
    }
    return DetectorFrame(channels_, rows_, columns_, std::move(index), std::move(value));
  }

}  // namespace e2e
