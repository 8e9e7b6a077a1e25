#ifndef RecoE2E_DataFormats_DetectorFrame_h
#define RecoE2E_DataFormats_DetectorFrame_h

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace e2e {

  /**
   * Sparse image [channels, rows, columns] of a whole detector part.
   *
   * Rows run along ieta and end; columns run along iphi and wrap around. The hits are sorted by their index,
   * (channel * rows + row) * columns + column, and no index comes twice. Values are raw, in the unit of their
   * channel (GeV, ns, cm), and need not be finite; a cell without a hit is 0. The frame names its channels, so that
   * whoever feeds it to a model can check their order. Its origin is null where it was made of no file's images.
   */
  class DetectorFrame {
  public:
    DetectorFrame() = default;
    /// index and value have one element per hit, sorted by index.
    DetectorFrame(std::vector<std::string> channels,
                  std::uint32_t rows,
                  std::uint32_t columns,
                  std::vector<std::uint32_t> index,
                  std::vector<float> value,
                  FrameOriginPtr origin = nullptr)
        : channels_(std::move(channels)),
          rows_(rows),
          columns_(columns),
          index_(std::move(index)),
          value_(std::move(value)),
          origin_(std::move(origin)) {}

    std::vector<std::string> const& channels() const { return channels_; }
    std::uint32_t rows() const { return rows_; }
    std::uint32_t columns() const { return columns_; }
    /// Number of hits.
    std::size_t size() const { return index_.size(); }
    std::vector<std::uint32_t> const& index() const { return index_; }
    std::vector<float> const& value() const { return value_; }
    FrameOriginPtr const& origin() const { return origin_; }

  private:
    std::vector<std::string> channels_;
    std::uint32_t rows_ = 0;
    std::uint32_t columns_ = 0;
    std::vector<std::uint32_t> index_;
    std::vector<float> value_;
    FrameOriginPtr origin_;
  };

}  // namespace e2e

#endif
