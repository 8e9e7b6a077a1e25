#include "FWCore/Framework/interface/Event.h"

#include "DataFormats/Provenance/interface/ModuleDescription.h"
#include "FWCore/Framework/interface/EDConsumerBase.h"
#include "FWCore/Framework/interface/EventPrincipal.h"
#include "FWCore/Framework/interface/ProducerBase.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  Event::Event(EventPrincipal& principal,
               ModuleDescription const& module,
               EDConsumerBase const* consumer,
               ProducerBase const* producer,
               StreamID stream)
      : principal_(principal), module_(module), consumer_(consumer), producer_(producer), stream_(stream) {}

  EventAuxiliary const& Event::eventAuxiliary() const { return principal_.auxiliary; }

  WrapperBase const* Event::find(EDGetToken token, std::type_info const& type) const {
    if (token.isUninitialized() || consumer_ == nullptr || token.index() >= consumer_->consumedItems().size())
      throw cms::Exception("BadToken") << "A get using a EDGetToken with the C++ type '" << TypeID(type).className()
                                       << "' was made using an uninitialized token.\n Please check that the variable "
                                          "is assigned in the module's constructor.";
    ConsumedItem const& item = consumer_->consumedItems()[token.index()];
    if (item.type.typeInfo() != type)
      throw cms::Exception("TypeMismatch") << "A get using a EDGetToken used the C++ type '" << TypeID(type).className()
                                           << "' but the consumes call was for type '" << item.type.className()
                                           << "'.\n Please modify either the consumes or get call so the types match.";
    return item.index == ConsumedItem::kNoProduct ? nullptr : principal_.product(item.index);
  }

  EDGetToken Event::tokenFor(std::type_info const& type, InputTag const& tag) const {
    auto const& items = consumer_->consumedItems();
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].type.typeInfo() == type && items[i].tag == tag)
        return consumer_->token(i);
    throw cms::Exception("GetByLabelWithoutRegistration")
        << "::getByLabel without corresponding call to consumes or mayConsumes for this module.\n"
        << "  type: " << TypeID(type).className() << "\n  module label: " << tag.label()
        << "\n  product instance name: '" << tag.instance() << "'\n  process name: '" << tag.process() << "'\n";
  }

  std::shared_ptr<cms::Exception> Event::whyNotFound(EDGetToken token) const {
    ConsumedItem const& item = consumer_->consumedItems()[token.index()];
    auto exception = std::make_shared<edm::Exception>(errors::ProductNotFound);
    *exception << "Principal::getByToken: Found zero products matching all criteria\nLooking for type: "
               << item.type.className() << "\nLooking for module label: " << item.tag.label()
               << "\nLooking for productInstanceName: " << item.tag.instance() << "\n";
    if (!item.tag.process().empty())
      *exception << "Looking for process: " << item.tag.process() << "\n";
    return exception;
  }

  EDPutToken Event::putTokenFor(std::type_info const& type, std::string const& instance) const {
    if (producer_ != nullptr) {
      auto const& items = producer_->producedItems();
      for (std::size_t i = 0; i < items.size(); ++i)
        if (items[i].type.typeInfo() == type && items[i].instance == instance)
          return producer_->token(i);
    }
    edm::Exception exception(errors::InsertFailure);
    exception << "Illegal attempt to 'put' an unregistered product.\nNo product is registered for\n"
              << "  product class name:    '" << TypeID(type).className() << "'\n"
              << "  module label:          '" << module_.moduleLabel() << "'\n"
              << "  product instance name: '" << instance << "'\n"
              << "  process name:          '" << module_.processName() << "'\n"
              << "The following data products are registered for production by " << module_.moduleLabel() << ":\n";
    if (producer_ != nullptr)
      for (ProducedItem const& item : producer_->producedItems())
        exception << "  " << item.type.className() << " '" << item.instance << "'\n";
    exception << "To correct the problem, make sure that the module's constructor calls produces with this type\n"
                 "and, if 'put' gives a product instance name, with that name.";
    throw exception;
  }

  void Event::store(EDPutToken token, std::unique_ptr<WrapperBase> product) {
    if (token.isUninitialized() || producer_ == nullptr)
      throw edm::Exception(errors::LogicError)
          << "Event::put: An uninitialized EDPutToken was passed to 'put'.\nThe pointer is of type "
          << TypeID(product->dynamicTypeInfo()).className() << ".\n";
    ProducedItem const& item = producer_->producedItems()[token.index()];
    if (item.type.typeInfo() != product->dynamicTypeInfo())
      throw edm::Exception(errors::LogicError)
          << "The registered type for an EDPutToken does not match the put type.\nThe expected type "
          << item.type.className() << "\nThe put type " << TypeID(product->dynamicTypeInfo()).className() << ".\n";
    principal_.put(producer_->putIndices()[token.index()], std::move(product));
  }

  void Event::throwNullProduct(std::type_info const& type) const {
    throw edm::Exception(errors::NullPointerError)
        << "Event::put: A null unique_ptr was passed to 'put'.\nThe pointer is of type " << TypeID(type).className()
        << ".\n";
  }

}  // namespace edm
