#ifndef RecoE2E_DataFormats_DetectorImages_h
#define RecoE2E_DataFormats_DetectorImages_h

#include <memory>
#include <utility>
#include <vector>

#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace e2e {

  /// The images of an event as its file holds them, dense: of each channel of the origin, in their order,
  /// (rows / cell) x (columns / cell) values, row by row; 0 is no hit.
  class DetectorImages {
  public:
    DetectorImages() : origin_(std::make_shared<FrameOrigin const>()) {}
    /// origin must not be null.
    DetectorImages(FrameOriginPtr origin, std::vector<std::vector<float>> images)
        : origin_(std::move(origin)), images_(std::move(images)) {}

    FrameOriginPtr const& origin() const { return origin_; }
    std::vector<std::vector<float>> const& images() const { return images_; }

  private:
    FrameOriginPtr origin_;
    std::vector<std::vector<float>> images_;
  };

}  // namespace e2e

#endif
