#include "RecoE2E/FrameTools/interface/FrameCropper.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "RecoE2E/FrameTools/interface/geometry.h"
#include "RecoE2E/FrameTools/interface/number.h"

namespace e2e {

  namespace {
    std::string size(std::uint32_t rows, std::uint32_t columns) {
      return std::to_string(rows) + " x " + std::to_string(columns);
    }

    /// first[r] is the position of the first hit of row r, the rows of all channels being counted through.
    std::vector<std::uint32_t> firstHits(DetectorFrame const& frame) {
      std::size_t const rows = frame.channels().size() * frame.rows();
      std::vector<std::uint32_t> first(rows + 1, 0);
      for (auto const index : frame.index()) {
        auto const row = index / frame.columns();
        if (row >= rows)
          throw std::invalid_argument("the detector frame has a hit at index " + std::to_string(index) +
                                      ", outside its " + std::to_string(frame.channels().size()) + " x " +
                                      size(frame.rows(), frame.columns()) + " cells");
        ++first[row + 1];
      }
      std::partial_sum(first.begin(), first.end(), first.begin());
      return first;
    }

    /// The part of the detector that a crop shows.
    struct Window {
      Seed const* seed;
      std::int64_t row;      // the first one
      std::uint32_t column;  // the first one
      bool turned;           // by 180 degrees
    };

    /// A window that is turned is shifted, so that the seed then is where it always is.
    Window windowOf(Crop const& crop, Seed const& seed, std::uint32_t rows, std::uint32_t columns) {
      bool const turned = crop.outward and seed.row < std::int64_t(rows / 2);
      auto const row = turned ? crop.rows - 1 - crop.seedRow : crop.seedRow;
      auto const column = turned ? crop.columns - 1 - crop.seedColumn : crop.seedColumn;
      auto const remainder = (std::int64_t(seed.column) - column) % columns;
      return {&seed,
              std::int64_t(seed.row) - row,
              static_cast<std::uint32_t>(remainder < 0 ? remainder + columns : remainder),
              turned};
    }

    /// Says where a hit that is not finite lies: in the numbering of the branch that it comes from, where there is one.
    [[noreturn]] void throwNotFinite(DetectorFrame const& frame, std::uint32_t hit, float value) {
      auto const cells = frame.rows() * frame.columns();
      auto const channel = frame.index()[hit] / cells;
      auto row = frame.index()[hit] % cells / frame.columns(), column = frame.index()[hit] % frame.columns();
      auto name = frame.channels()[channel].name;
      if (auto const& written = frame.origin()->written; not written.empty()) {
        auto const cell = frame.channels()[channel].cell, columns = frame.columns() / cell;
        name = written[channel].branch;
        row /= cell;
        column = (column / cell + columns - written[channel].shift % columns) % columns;
      }
      throw std::runtime_error(name + " is " + number(value) + " at row " + std::to_string(row) + ", column " +
                               std::to_string(column) + "; a cell without a hit is 0");
    }
  }  // namespace

  FrameCropper::FrameCropper(Crop const& crop) : crop_(crop) {
    if (crop.seedRow >= crop.rows || crop.seedColumn >= crop.columns)
      throw std::invalid_argument("a crop of " + size(crop.rows, crop.columns) + " cells cannot have its seed at row " +
                                  std::to_string(crop.seedRow) + ", column " + std::to_string(crop.seedColumn));
  }

  ObjectFrames FrameCropper::cut(DetectorFrame const& frame, SeedCollection const& seeds) const {
    if (crop_.rows > frame.rows() || crop_.columns > frame.columns())
      throw std::invalid_argument("a crop of " + size(crop_.rows, crop_.columns) +
                                  " cells is larger than the detector frame of " + size(frame.rows(), frame.columns()));

    std::vector<Window> accepted;
    accepted.reserve(seeds.size());
    for (auto const& seed : seeds) {
      auto const window = windowOf(crop_, seed, frame.rows(), frame.columns());
      if (window.row >= 0 && window.row + crop_.rows <= frame.rows())
        accepted.push_back(window);
    }

    auto const first = firstHits(frame);
    auto const columns = frame.columns();
    auto const channels = frame.channels().size();
    auto const cells = crop_.rows * crop_.columns;
    std::vector<std::uint32_t> object;
    std::vector<float> eta, pt;
    object.reserve(accepted.size());
    std::vector<float> data(accepted.size() * channels * cells, 0.f);
    auto image = data.begin();
    for (auto const& window : accepted) {
      object.push_back(window.seed->object);
      eta.push_back(static_cast<float>(rowEta(window.seed->row, frame.rows())));
      pt.push_back(window.seed->pt);
      for (std::size_t channel = 0; channel < channels; ++channel, image += cells) {
        auto detectorRow = channel * frame.rows() + window.row;
        for (std::uint32_t row = 0; row < crop_.rows; ++row, ++detectorRow) {
          for (auto hit = first[detectorRow]; hit < first[detectorRow + 1]; ++hit) {
            auto const detectorColumn = frame.index()[hit] - static_cast<std::uint32_t>(detectorRow) * columns;
            auto const column = detectorColumn - window.column + (detectorColumn < window.column ? columns : 0);
            if (column >= crop_.columns)
              continue;
            auto const value = frame.value()[hit];
            if (not std::isfinite(value))
              throwNotFinite(frame, hit, value);
            auto const cell = row * crop_.columns + column;
            image[window.turned ? cells - 1 - cell : cell] = value;
          }
        }
      }
    }
    auto const rejected = static_cast<std::uint32_t>(seeds.size() - accepted.size());
    return ObjectFrames(
        frame.origin(), crop_, std::move(object), std::move(data), rejected, std::move(eta), std::move(pt));
  }

}  // namespace e2e
