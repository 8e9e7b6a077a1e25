#ifndef RecoE2E_DataFormats_FrameOrigin_h
#define RecoE2E_DataFormats_FrameOrigin_h

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace e2e {

  /// What all events of an input file have in common: which file it is, and how it writes the channels of a frame.
  struct FrameOrigin {
    /// An image has one value for cell x cell cells of the frame, over which it is spread evenly (an HCAL tower over
    /// 5 x 5 crystals). In the file its values lie shift columns of its own further to the left.
    struct Channel {
      std::string name;
      std::uint32_t cell = 1;
      std::string branch;
      std::uint32_t shift = 0;
    };

    std::string file;         // as messages name it
    std::uint32_t index = 0;  // which of the job's input files, from 0
    std::uint32_t rows = 0;   // of the frame; columns wrap around
    std::uint32_t columns = 0;
    std::vector<Channel> channels;
    /// Where tracks lie: at the "direction" of the momentum on the face of the ECAL, at the "point" where they meet it,
    /// or at the direction at the "vertex"; empty without channels of tracks.
    std::string tracks;
  };

  /// Shared by all products of a file's events.
  using FrameOriginPtr = std::shared_ptr<FrameOrigin const>;

}  // namespace e2e

#endif
