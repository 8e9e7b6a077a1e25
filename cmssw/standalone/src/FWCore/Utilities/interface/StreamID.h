#ifndef FWCore_Utilities_StreamID_h
#define FWCore_Utilities_StreamID_h

#include <ostream>

namespace edm {

  /// Which of the job's streams (events in flight) is meant.
  class StreamID {
  public:
    explicit StreamID(unsigned int value) : value_(value) {}

    unsigned int value() const { return value_; }
    operator unsigned int() const { return value_; }

    bool operator==(StreamID const& other) const { return value_ == other.value_; }

    static StreamID invalidStreamID() { return StreamID(0xFFFFFFFFU); }

  private:
    unsigned int value_;
  };

  inline std::ostream& operator<<(std::ostream& out, StreamID const& id) { return out << id.value(); }

}  // namespace edm

#endif
