#include "RecoE2E/FrameTools/interface/FrameBuilder.h"

#include <cstddef>
#include <limits>
#include <stdexcept>
#include <utility>

namespace e2e {

  namespace {
    std::string size(std::uint32_t rows, std::uint32_t columns) {
      return std::to_string(rows) + " x " + std::to_string(columns);
    }

    /// Calls hit(i, values[i]) for each of n values that is not 0. Images hold few: zeros are passed over in blocks.
    template <typename F>
    void forEachHit(float const* values, std::uint32_t n, F&& hit) {
      constexpr std::uint32_t block = 16;
      std::uint32_t i = 0;
      for (; i + block <= n; i += block) {
        int any = 0;
        for (std::uint32_t j = i; j < i + block; ++j)  // without a way out: the compiler takes them together
          any |= values[j] != 0.f;
        if (any)
          for (std::uint32_t j = i; j < i + block; ++j)
            if (values[j] != 0.f)
              hit(j, values[j]);
      }
      for (; i < n; ++i)
        if (values[i] != 0.f)
          hit(i, values[i]);
    }
  }  // namespace

  FrameBuilder::FrameBuilder(std::vector<Layer> layers, std::uint32_t rows, std::uint32_t columns)
      : layers_(std::move(layers)),
        rows_(rows),
        columns_(columns) {
    if (layers_.empty() || rows_ == 0 || columns_ == 0)
      throw std::invalid_argument("a detector frame needs at least one channel, one row and one column");
    auto const channelCells = std::uint64_t(rows_) * columns_;
    if (channelCells > std::numeric_limits<std::uint32_t>::max() / layers_.size())
      throw std::invalid_argument("a detector frame of " + std::to_string(layers_.size()) + " x " +
                                  size(rows_, columns_) + " cells is too large for an index of 32 bits");
    for (auto const& layer : layers_) {
      if (layer.cell == 0 || rows_ % layer.cell != 0 || columns_ % layer.cell != 0)
        throw std::invalid_argument(layer.name + " has cells of " + size(layer.cell, layer.cell) +
                                    ", which do not fit a detector frame of " + size(rows_, columns_));
      channels_.push_back(layer.name);
    }
  }

  DetectorFrame FrameBuilder::build(std::vector<std::vector<float>> const& images, FrameOriginPtr origin) const {
    if (images.size() != layers_.size())
      throw std::invalid_argument(std::to_string(images.size()) + " images for a frame of " +
                                  std::to_string(layers_.size()) + " channels");
    std::vector<std::uint32_t> index;
    std::vector<float> value;
    for (std::uint32_t channel = 0; channel < layers_.size(); ++channel) {
      auto const cell = layers_[channel].cell;
      auto const& image = images[channel];
      std::uint32_t const rows = rows_ / cell, columns = columns_ / cell;
      if (image.size() != std::size_t(rows) * columns)
        throw std::runtime_error(layers_[channel].name + " has " + std::to_string(image.size()) +
                                 " values; a frame of " + size(rows, columns) + " has " +
                                 std::to_string(std::size_t(rows) * columns));
      auto const area = static_cast<float>(cell * cell);
      for (std::uint32_t frameRow = 0; frameRow < rows_; ++frameRow) {
        auto const first = (channel * rows_ + frameRow) * columns_;
        forEachHit(&image[frameRow / cell * columns], columns, [&](std::uint32_t i, float content) {
          auto const share = content / area;
          for (std::uint32_t part = 0; part < cell; ++part) {
            index.push_back(first + i * cell + part);
            value.push_back(share);
          }
        });
      }
    }
    return DetectorFrame(channels_, rows_, columns_, std::move(index), std::move(value), std::move(origin));
  }

}  // namespace e2e
