#ifndef RecoE2E_DataFormats_DetectorFrame_h
#define RecoE2E_DataFormats_DetectorFrame_h

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace e2e {

  /**
   * Sparse image [channels, rows, columns] of a whole detector part, laid out as its origin says.
   *
   * The hits are sorted by their index, (channel * rows + row) * columns + column, and no index comes twice. Values are
   * raw, in the unit of their channel (GeV, ns, cm), and need not be finite; a cell without a hit is 0.
   */
  class DetectorFrame {
  public:
    DetectorFrame() : origin_(std::make_shared<FrameOrigin const>()) {}
    /// origin must not be null; index and value have one element per hit, sorted by index.
    DetectorFrame(FrameOriginPtr origin, std::vector<std::uint32_t> index, std::vector<float> value)
        : origin_(std::move(origin)), index_(std::move(index)), value_(std::move(value)) {}

    FrameOriginPtr const& origin() const { return origin_; }
    std::vector<Channel> const& channels() const { return origin_->channels; }
    std::uint32_t rows() const { return origin_->rows; }
    std::uint32_t columns() const { return origin_->columns; }
    /// Number of hits.
    std::size_t size() const { return index_.size(); }
    std::vector<std::uint32_t> const& index() const { return index_; }
    std::vector<float> const& value() const { return value_; }

  private:
    FrameOriginPtr origin_;
    std::vector<std::uint32_t> index_;
    std::vector<float> value_;
  };

}  // namespace e2e

#endif
