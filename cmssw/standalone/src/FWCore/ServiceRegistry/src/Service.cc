#include "FWCore/ServiceRegistry/interface/Service.h"

#include <typeindex>
#include <utility>
#include <vector>

#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm::serviceregistry {

  namespace {
    // In the order they were made. Written before the streams start and after they end; read in between.
    std::vector<std::pair<std::type_index, std::shared_ptr<void>>>& services() {
      static std::vector<std::pair<std::type_index, std::shared_ptr<void>>> made;
      return made;
    }
  }  // namespace

  void* find(std::type_info const& type) {
    for (auto const& [made, service] : services())
      if (made == type)
        return service.get();
    return nullptr;
  }

  void throwNotFound(std::type_info const& type) {
    throw edm::Exception(errors::NotFound)
        << "Service Request unable to find requested service with compiler type name '" << TypeID(type).className()
        << "'.\n";
  }

  void put(std::type_info const& type, std::shared_ptr<void> service) {
    if (find(type) != nullptr)
      throw edm::Exception(errors::Configuration)
          << "Service " << TypeID(type).className() << " is configured twice.\n";
    services().emplace_back(type, std::move(service));
  }

  void clear() {
    while (!services().empty())
      services().pop_back();
  }

}  // namespace edm::serviceregistry
