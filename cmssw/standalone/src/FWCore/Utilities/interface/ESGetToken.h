#ifndef FWCore_Utilities_ESGetToken_h
#define FWCore_Utilities_ESGetToken_h

namespace edm {

  /// Permission to read one EventSetup product of type T from record R, as returned by esConsumes().
  template <typename T, typename R>
  class ESGetToken {
  public:
    constexpr ESGetToken() noexcept = default;
    constexpr ESGetToken(ESGetToken const&) noexcept = default;
    constexpr ESGetToken(ESGetToken&&) noexcept = default;
    template <typename Adapter>
    constexpr explicit ESGetToken(Adapter&& adapter) : ESGetToken(adapter.template consumes<T, R>()) {}

    constexpr ESGetToken& operator=(ESGetToken const&) noexcept = default;
    constexpr ESGetToken& operator=(ESGetToken&&) noexcept = default;

    constexpr bool isInitialized() const noexcept { return initialized_; }

  private:
    friend class EDConsumerBase;
    constexpr explicit ESGetToken(bool initialized) noexcept : initialized_(initialized) {}

    bool initialized_ = false;
  };

}  // namespace edm

#endif
