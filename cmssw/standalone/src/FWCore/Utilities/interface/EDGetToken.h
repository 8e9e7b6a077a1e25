#ifndef FWCore_Utilities_EDGetToken_h
#define FWCore_Utilities_EDGetToken_h

namespace edm {

  class EDConsumerBase;
  template <typename T>
  class EDGetTokenT;

  /// Permission to read one product, as returned by consumes(); without the product's type.
  class EDGetToken {
  public:
    constexpr EDGetToken() noexcept = default;
    template <typename T>
    constexpr EDGetToken(EDGetTokenT<T> other) noexcept : index_(other.index()) {}

    constexpr unsigned int index() const noexcept { return index_; }
    constexpr bool isUninitialized() const noexcept { return index_ == kUninitialized; }

    static constexpr unsigned int kUninitialized = 0xFFFFFFFF;

  private:
    unsigned int index_ = kUninitialized;
  };

  /// Permission to read one product of type T. `EDGetTokenT<T> token_{consumes(tag)};` takes T from the token.
  template <typename T>
  class EDGetTokenT {
  public:
    constexpr EDGetTokenT() noexcept = default;
    constexpr EDGetTokenT(EDGetTokenT const&) noexcept = default;
    constexpr EDGetTokenT(EDGetTokenT&& other) noexcept : index_(other.index_) {}
    constexpr EDGetTokenT(EDGetTokenT& other) noexcept : index_(other.index_) {}
    template <typename Adapter>
    constexpr explicit EDGetTokenT(Adapter&& adapter) : EDGetTokenT(adapter.template consumes<T>()) {}

    constexpr EDGetTokenT& operator=(EDGetTokenT const&) noexcept = default;
    constexpr EDGetTokenT& operator=(EDGetTokenT& other) noexcept {
      index_ = other.index_;
      return *this;
    }
    constexpr EDGetTokenT& operator=(EDGetTokenT&& other) noexcept {
      index_ = other.index_;
      return *this;
    }
    template <typename Adapter>
    constexpr EDGetTokenT& operator=(Adapter&& adapter) {
      index_ = EDGetTokenT(adapter.template consumes<T>()).index_;
      return *this;
    }

    constexpr unsigned int index() const noexcept { return index_; }
    constexpr bool isUninitialized() const noexcept { return index_ == EDGetToken::kUninitialized; }

  private:
    friend class EDConsumerBase;
    constexpr explicit EDGetTokenT(unsigned int index) noexcept : index_(index) {}

    unsigned int index_ = EDGetToken::kUninitialized;
  };

}  // namespace edm

#endif
