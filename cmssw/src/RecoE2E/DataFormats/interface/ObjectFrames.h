#ifndef RecoE2E_DataFormats_ObjectFrames_h
#define RecoE2E_DataFormats_ObjectFrames_h

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"
#include "RecoE2E/DataFormats/interface/Crop.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace e2e {

  /**
   * Dense frames [objects, channels, rows, columns] of all objects of an event, contiguous in this order: the input of
   * a model as it stands.
   *
   * object()[i] is the index of the i-th frame's object among the event's candidates; those that were rejected leave
   * gaps. Values are raw, in the unit of their channel. The origin is that of the detector frame. Of each object there
   * also are the pseudorapidity of its seed's cell, and the pt [GeV] that was reconstructed for it, NaN where unknown.
   */
  class ObjectFrames {
  public:
    ObjectFrames() : origin_(std::make_shared<FrameOrigin const>()) {}
    /// origin must not be null; data has object.size() * channels * crop.rows * crop.columns elements. eta and pt have
    /// one an object, or none where they are unknown.
    ObjectFrames(FrameOriginPtr origin,
                 Crop const& crop,
                 std::vector<std::uint32_t> object,
                 std::vector<float> data,
                 std::uint32_t rejected,
                 std::vector<float> eta = {},
                 std::vector<float> pt = {})
        : origin_(std::move(origin)),
          crop_(crop),
          object_(std::move(object)),
          data_(std::move(data)),
          rejected_(rejected),
          eta_(std::move(eta)),
          pt_(std::move(pt)) {
      eta_.resize(object_.size(), std::numeric_limits<float>::quiet_NaN());
      pt_.resize(object_.size(), std::numeric_limits<float>::quiet_NaN());
    }

    FrameOriginPtr const& origin() const { return origin_; }
    std::vector<Channel> const& channels() const { return origin_->channels; }
    Crop const& crop() const { return crop_; }
    /// Number of objects.
    std::size_t size() const { return object_.size(); }
    std::vector<std::uint32_t> const& object() const { return object_; }
    std::vector<float> const& data() const { return data_; }
    /// Number of objects without a frame, as it would cross the end of the detector.
    std::uint32_t rejected() const { return rejected_; }
    std::vector<float> const& eta() const { return eta_; }
    std::vector<float> const& pt() const { return pt_; }

  private:
    FrameOriginPtr origin_;
    Crop crop_;
    std::vector<std::uint32_t> object_;
    std::vector<float> data_;
    std::uint32_t rejected_ = 0;
    std::vector<float> eta_;
    std::vector<float> pt_;
  };

}  // namespace e2e

#endif
