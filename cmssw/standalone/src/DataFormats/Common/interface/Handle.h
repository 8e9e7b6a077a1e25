#ifndef DataFormats_Common_Handle_h
#define DataFormats_Common_Handle_h

#include <memory>

#include "FWCore/Utilities/interface/Exception.h"

namespace edm {

  /// A product read from an event, or the reason why there is none; dereferencing an empty one throws that reason.
  template <typename T>
  class Handle {
  public:
    using element_type = T;

    Handle() = default;
    explicit Handle(T const* product) : product_(product) {}
    explicit Handle(std::shared_ptr<cms::Exception> whyFailed) : whyFailed_(std::move(whyFailed)) {}

    bool isValid() const { return product_ != nullptr; }
    bool failedToGet() const { return whyFailed_ != nullptr; }
    std::shared_ptr<cms::Exception const> whyFailed() const { return whyFailed_; }
    explicit operator bool() const { return isValid(); }
    bool operator!() const { return !isValid(); }

    T const* product() const {
      if (product_ == nullptr) {
        if (whyFailed_ != nullptr)
          whyFailed_->raise();
        throw cms::Exception("InvalidReference", "Attempt to dereference an edm::Handle that was never filled.\n");
      }
      return product_;
    }
    T const* operator->() const { return product(); }
    T const& operator*() const { return *product(); }

    void clear() { *this = Handle(); }

  private:
    T const* product_ = nullptr;
    std::shared_ptr<cms::Exception> whyFailed_;
  };

}  // namespace edm

#endif
