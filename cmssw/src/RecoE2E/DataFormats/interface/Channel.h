#ifndef RecoE2E_DataFormats_Channel_h
#define RecoE2E_DataFormats_Channel_h

#include <cstdint>
#include <string>

namespace e2e {

  /// A channel of a frame: the quantity that it measures, one value of which covers cell x cell cells of the frame and
  /// is spread over them evenly (an HCAL tower over 5 x 5 crystals).
  struct Channel {
    std::string name;
    std::uint32_t cell = 1;
  };

  inline bool operator==(Channel const& a, Channel const& b) { return a.name == b.name && a.cell == b.cell; }
  inline bool operator!=(Channel const& a, Channel const& b) { return !(a == b); }

}  // namespace e2e

#endif
