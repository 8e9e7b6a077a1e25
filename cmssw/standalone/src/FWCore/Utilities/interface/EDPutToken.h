#ifndef FWCore_Utilities_EDPutToken_h
#define FWCore_Utilities_EDPutToken_h

namespace edm {

  class ProducerBase;
  template <typename T>
  class EDPutTokenT;

  /// Permission to write one product, as returned by produces(); without the product's type.
  class EDPutToken {
  public:
    using value_type = unsigned int;

    constexpr EDPutToken() noexcept = default;
    template <typename T>
    constexpr EDPutToken(EDPutTokenT<T> other) noexcept : index_(other.index()) {}

    constexpr value_type index() const noexcept { return index_; }
    constexpr bool isUninitialized() const noexcept { return index_ == kUninitialized; }

    static constexpr value_type kUninitialized = 0xFFFFFFFF;

  private:
    value_type index_ = kUninitialized;
  };

  /// Permission to write one product of type T. `EDPutTokenT<T> token_{produces()};` takes T from the token.
  template <typename T>
  class EDPutTokenT {
  public:
    using value_type = EDPutToken::value_type;

    constexpr EDPutTokenT() noexcept = default;
    constexpr EDPutTokenT(EDPutTokenT const&) noexcept = default;
    constexpr EDPutTokenT(EDPutTokenT&& other) noexcept : index_(other.index_) {}
    constexpr EDPutTokenT(EDPutTokenT& other) noexcept : index_(other.index_) {}
    template <typename Adapter>
    constexpr explicit EDPutTokenT(Adapter&& adapter) noexcept : EDPutTokenT(adapter.template produces<T>()) {}

    constexpr EDPutTokenT& operator=(EDPutTokenT const&) noexcept = default;
    constexpr EDPutTokenT& operator=(EDPutTokenT& other) noexcept {
      index_ = other.index_;
      return *this;
    }
    constexpr EDPutTokenT& operator=(EDPutTokenT&& other) noexcept {
      index_ = other.index_;
      return *this;
    }
    template <typename Adapter>
    constexpr EDPutTokenT& operator=(Adapter&& adapter) noexcept {
      index_ = EDPutTokenT(adapter.template produces<T>()).index_;
      return *this;
    }

    constexpr value_type index() const noexcept { return index_; }
    constexpr bool isUninitialized() const noexcept { return index_ == EDPutToken::kUninitialized; }

  private:
    friend class ProducerBase;
    constexpr explicit EDPutTokenT(value_type index) noexcept : index_(index) {}

    value_type index_ = EDPutToken::kUninitialized;
  };

}  // namespace edm

#endif
