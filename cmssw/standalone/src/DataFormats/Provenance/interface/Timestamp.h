#ifndef DataFormats_Provenance_Timestamp_h
#define DataFormats_Provenance_Timestamp_h

namespace edm {

  using TimeValue_t = unsigned long long;

  /// A moment: seconds since 1970 in the upper 32 bits, microseconds within the second in the lower.
  class Timestamp {
  public:
    Timestamp() = default;
    explicit Timestamp(TimeValue_t value) : value_(value) {}

    TimeValue_t value() const { return value_; }
    unsigned int unixTime() const { return value_ >> 32; }
    unsigned int microsecondOffset() const { return value_ & 0xFFFFFFFFU; }

    bool operator==(Timestamp const& other) const { return value_ == other.value_; }
    bool operator!=(Timestamp const& other) const { return value_ != other.value_; }
    bool operator<(Timestamp const& other) const { return value_ < other.value_; }

    static Timestamp invalidTimestamp() { return Timestamp(0); }
    static Timestamp beginOfTime() { return Timestamp(1); }

  private:
    TimeValue_t value_ = 0;
  };

}  // namespace edm

#endif
