#ifndef FWCore_Framework_Event_h
#define FWCore_Framework_Event_h

#include <memory>
#include <string>
#include <utility>

#include "DataFormats/Common/interface/Handle.h"
#include "DataFormats/Common/interface/OrphanHandle.h"
#include "DataFormats/Common/interface/Wrapper.h"
#include "DataFormats/Provenance/interface/EventAuxiliary.h"
#include "DataFormats/Provenance/interface/EventID.h"
#include "FWCore/Framework/interface/Frameworkfwd.h"
#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "FWCore/Utilities/interface/StreamID.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  class EventPrincipal;

  /// One collision, as one module sees it: the products that the module says it reads, and those that it produces.
  class Event {
  public:
    /// `producer` is null for a module that produces nothing.
    Event(EventPrincipal& principal,
          ModuleDescription const& module,
          EDConsumerBase const* consumer,
          ProducerBase const* producer,
          StreamID stream);
    Event(Event const&) = delete;
    Event& operator=(Event const&) = delete;

    EventAuxiliary const& eventAuxiliary() const;
    EventID const& id() const { return eventAuxiliary().id(); }
    Timestamp const& time() const { return eventAuxiliary().time(); }
    RunNumber_t run() const { return id().run(); }
    LuminosityBlockNumber_t luminosityBlock() const { return id().luminosityBlock(); }
    bool isRealData() const { return eventAuxiliary().isRealData(); }
    StreamID streamID() const { return stream_; }

    /// The product; throws edm::Exception(ProductNotFound) when it is not in the event.
    template <typename T>
    T const& get(EDGetTokenT<T> token) const {
      return *getHandle(token);
    }
    template <typename T>
    Handle<T> getHandle(EDGetTokenT<T> token) const {
      return handle<T>(find(token, typeid(T)), token);
    }
    template <typename T>
    bool getByToken(EDGetTokenT<T> token, Handle<T>& result) const {
      result = getHandle(token);
      return result.isValid();
    }
    template <typename T>
    bool getByToken(EDGetToken token, Handle<T>& result) const {
      result = handle<T>(find(token, typeid(T)), token);
      return result.isValid();
    }
    /// Throws cms::Exception(GetByLabelWithoutRegistration) unless the module consumes this product.
    template <typename T>
    bool getByLabel(InputTag const& tag, Handle<T>& result) const {
      EDGetToken token = tokenFor(typeid(T), tag);
      result = handle<T>(find(token, typeid(T)), token);
      return result.isValid();
    }
    template <typename T>
    bool getByLabel(std::string const& label, Handle<T>& result) const {
      return getByLabel(InputTag(label, ""), result);
    }
    template <typename T>
    bool getByLabel(std::string const& label, std::string const& instance, Handle<T>& result) const {
      return getByLabel(InputTag(label, instance), result);
    }

    template <typename T>
    OrphanHandle<T> put(EDPutTokenT<T> token, std::unique_ptr<T> product) {
      return put(EDPutToken(token), std::move(product));
    }
    template <typename T>
    OrphanHandle<T> put(EDPutToken token, std::unique_ptr<T> product) {
      if (product == nullptr)
        throwNullProduct(typeid(T));
      auto wrapper = std::make_unique<Wrapper<T>>(std::move(product));
      T const* result = wrapper->product();
      store(token, std::move(wrapper));
      return OrphanHandle<T>(result);
    }
    /// Throws edm::Exception(InsertFailure) unless the module produces<T>(instance).
    template <typename T>
    OrphanHandle<T> put(std::unique_ptr<T> product, std::string const& instance = std::string()) {
      return put(putTokenFor(typeid(T), instance), std::move(product));
    }
    template <typename T, typename... Args>
    OrphanHandle<T> emplace(EDPutTokenT<T> token, Args&&... args) {
      return put(EDPutToken(token), std::make_unique<T>(std::forward<Args>(args)...));
    }

  private:
    WrapperBase const* find(EDGetToken token, std::type_info const& type) const;
    EDGetToken tokenFor(std::type_info const& type, InputTag const& tag) const;
    EDPutToken putTokenFor(std::type_info const& type, std::string const& instance) const;
    void store(EDPutToken token, std::unique_ptr<WrapperBase> product);
    std::shared_ptr<cms::Exception> whyNotFound(EDGetToken token) const;
    [[noreturn]] void throwNullProduct(std::type_info const& type) const;

    template <typename T>
    Handle<T> handle(WrapperBase const* wrapper, EDGetToken token) const {
      if (wrapper == nullptr)
        return Handle<T>(whyNotFound(token));
      return Handle<T>(static_cast<Wrapper<T> const*>(wrapper)->product());
    }

    EventPrincipal& principal_;
    ModuleDescription const& module_;
    EDConsumerBase const* consumer_;
    ProducerBase const* producer_;
    StreamID stream_;
  };

}  // namespace edm

#endif
