#ifndef DataFormats_Common_OrphanHandle_h
#define DataFormats_Common_OrphanHandle_h

namespace edm {

  /// A product just put into an event, as its producer sees it.
  template <typename T>
  class OrphanHandle {
  public:
    OrphanHandle() = default;
    explicit OrphanHandle(T const* product) : product_(product) {}

    bool isValid() const { return product_ != nullptr; }
    T const* product() const { return product_; }
    T const* operator->() const { return product_; }
    T const& operator*() const { return *product_; }

  private:
    T const* product_ = nullptr;
  };

}  // namespace edm

#endif
