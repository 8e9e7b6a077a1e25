#ifndef RecoE2E_DataFormats_DetectorFrame_h
#define RecoE2E_DataFormats_DetectorFrame_h

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace e2e {

  /**
   * Sparse image [channels, rows, columns] of a whole detector part.
   *
   * Rows run along ieta and end; columns run along iphi and wrap around. The hits are sorted by their index,
   * (channel * rows + row) * columns + column, and no index comes twice. Values are raw, in the unit of their
   * channel (GeV, ns, cm); a cell without a hit is 0. The frame names its channels, so that whoever feeds it to a
   * model can check their order.
   */
  class DetectorFrame {
  public:
    DetectorFrame() = default;
    /// index and value have one element per hit, sorted by index.
    DetectorFrame(std::vector<std::string> channels,
                  std::uint32_t rows,
                  std::uint32_t columns,
                  std::vector<std::uint32_t> index,
                  std::vector<float> value)
        : channels_(std::move(channels)),
          rows_(rows),
          columns_(columns),
          index_(std::move(index)),
          value_(std::move(value)) {}

    std::vector<std::string> const& channels() const { return channels_; }
    std::uint32_t rows() const { return rows_; }
    std::uint32_t columns() const { return columns_; }
    /// Number of hits.
    std::size_t size() const { return index_.size(); }
    std::vector<std::uint32_t> const& index() const { return index_; }
    std::vector<float> const& value() const { return value_; }

  private:
    std::vector<std::string> channels_;
    std::uint32_t rows_ = 0;
    std::uint32_t columns_ = 0;
    std::vector<std::uint32_t> index_;
    std::vector<float> value_;
  };

}  // namespace e2e

#endif
