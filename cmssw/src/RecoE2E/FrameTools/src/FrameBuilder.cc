#include "RecoE2E/FrameTools/interface/FrameBuilder.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
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

    void checkChannels(std::size_t given, FrameOrigin const& frame, char const* what) {
      if (given != frame.channels.size())
        throw std::invalid_argument(std::to_string(given) + what + " for a frame of " +
                                    std::to_string(frame.channels.size()) + " channels");
    }

    std::pair<std::uint32_t, std::uint32_t> place(Hit const& hit) { return {hit.row, hit.column}; }

    [[noreturn]] void refuse(Channel const& channel, Hit const& hit, std::string const& why) {
      throw std::runtime_error(channel.name + " has a hit at row " + std::to_string(hit.row) + ", column " +
                               std::to_string(hit.column) + why);
    }

    /// Sorts the hits of a channel of rows x columns by their place, of which each must be inside and have only one.
    void sort(std::vector<Hit>& hits, Channel const& channel, std::uint32_t rows, std::uint32_t columns) {
      for (auto const& hit : hits)
        if (hit.row >= rows || hit.column >= columns)
          refuse(channel, hit, ", outside a frame of " + size(rows, columns));
      std::sort(hits.begin(), hits.end(), [](auto const& a, auto const& b) { return place(a) < place(b); });
      auto const twice = std::adjacent_find(
          hits.begin(), hits.end(), [](auto const& a, auto const& b) { return place(a) == place(b); });
      if (twice != hits.end())
        refuse(channel, *twice, " twice; add them up, or choose one");
    }

    /// The growing lists of a frame's index and value.
    struct Cells {
      std::vector<std::uint32_t> index;
      std::vector<float> value;

      /// Spreads a value of a channel evenly, here over one row of the frame, whose cells count from first.
      void add(std::uint32_t first, std::uint32_t column, std::uint32_t cell, float content) {
        auto const share = content / static_cast<float>(cell * cell);
        for (std::uint32_t part = 0; part < cell; ++part) {
          index.push_back(first + column * cell + part);
          value.push_back(share);
        }
      }
    };
  }  // namespace

  FrameBuilder::FrameBuilder(FrameOriginPtr origin) : origin_(std::move(origin)) {
    auto const rows = origin_->rows, columns = origin_->columns;
    auto const& channels = origin_->channels;
    if (channels.empty() || rows == 0 || columns == 0)
      throw std::invalid_argument("a detector frame needs at least one channel, one row and one column");
    auto const channelCells = std::uint64_t(rows) * columns;
    if (channelCells > std::numeric_limits<std::uint32_t>::max() / channels.size())
      throw std::invalid_argument("a detector frame of " + std::to_string(channels.size()) + " x " +
                                  size(rows, columns) + " cells is too large for an index of 32 bits");
    for (auto const& channel : channels)
      if (channel.cell == 0 || rows % channel.cell != 0 || columns % channel.cell != 0)
        throw std::invalid_argument(channel.name + " has cells of " + size(channel.cell, channel.cell) +
                                    ", which do not fit a detector frame of " + size(rows, columns));
  }

  DetectorFrame FrameBuilder::build(std::vector<std::vector<float>> const& images) const {
    checkChannels(images.size(), *origin_, " images");
    Cells cells;
    for (std::uint32_t i = 0; i < images.size(); ++i) {
      auto const& channel = origin_->channels[i];
      auto const cell = channel.cell, rows = origin_->rows / cell, columns = origin_->columns / cell;
      auto const& image = images[i];
      if (image.size() != std::size_t(rows) * columns)
        throw std::runtime_error(channel.name + " has " + std::to_string(image.size()) + " values; a frame of " +
                                 size(rows, columns) + " has " + std::to_string(std::size_t(rows) * columns));
      for (std::uint32_t frameRow = 0; frameRow < origin_->rows; ++frameRow) {
        auto const first = (i * origin_->rows + frameRow) * origin_->columns;
        forEachHit(&image[frameRow / cell * columns], columns, [&](std::uint32_t column, float content) {
          cells.add(first, column, cell, content);
        });
      }
    }
    return DetectorFrame(origin_, std::move(cells.index), std::move(cells.value));
  }

  DetectorFrame FrameBuilder::build(std::vector<std::vector<Hit>> hits) const {
    checkChannels(hits.size(), *origin_, " lists of hits");
    Cells cells;
    for (std::uint32_t i = 0; i < hits.size(); ++i) {
      auto const& channel = origin_->channels[i];
      auto const cell = channel.cell;
      sort(hits[i], channel, origin_->rows / cell, origin_->columns / cell);
      for (auto begin = hits[i].begin(); begin != hits[i].end();) {
        auto const end = std::find_if(begin, hits[i].end(), [&](auto const& hit) { return hit.row != begin->row; });
        for (std::uint32_t part = 0; part < cell; ++part) {
          auto const first = (i * origin_->rows + begin->row * cell + part) * origin_->columns;
          for (auto hit = begin; hit != end; ++hit)
            if (hit->value != 0.f)
              cells.add(first, hit->column, cell, hit->value);
        }
        begin = end;
      }
    }
    return DetectorFrame(origin_, std::move(cells.index), std::move(cells.value));
  }

}  // namespace e2e
