#ifndef RecoE2E_DataFormats_FrameOrigin_h
#define RecoE2E_DataFormats_FrameOrigin_h

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"

namespace e2e {

  /**
   * What all frames of a source's file have in common: how they are laid out, which a model must find as in its
   * training, and which file it is.
   *
   * Rows run along ieta and end; columns run along iphi, wrap around, and are those of the ECAL for all channels.
   */
  struct FrameOrigin {
    /// How the file writes a channel: its values lie shift columns of its own further to the left.
    struct Written {
      std::string branch;
      std::uint32_t shift = 0;
    };

    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
    std::vector<Channel> channels;
    /// Where tracks lie: at the "direction" of the momentum on the face of the ECAL, at the "point" where they meet it,
    /// or at the direction at the "vertex"; empty without channels of tracks.
    std::string tracks;
    std::string file;              // as messages name it; empty where frames are of no file
    std::uint32_t index = 0;       // which of the job's input files, from 0
    std::vector<Written> written;  // of each channel; none where frames are of no file
  };

  /// Shared by all products of a file's events.
  using FrameOriginPtr = std::shared_ptr<FrameOrigin const>;

}  // namespace e2e

#endif
