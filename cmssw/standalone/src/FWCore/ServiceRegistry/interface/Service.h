#ifndef FWCore_ServiceRegistry_Service_h
#define FWCore_ServiceRegistry_Service_h

#include <memory>
#include <typeinfo>

namespace edm {

  namespace serviceregistry {
    /// Null when the job has no such service.
    void* find(std::type_info const& type);
    [[noreturn]] void throwNotFound(std::type_info const& type);
    void put(std::type_info const& type, std::shared_ptr<void> service);
    /// Destroys the services, the last made first.
    void clear();
  }  // namespace serviceregistry

  /// Gives access to the job's service of type T; throws edm::Exception(NotFound) when it has none.
  template <typename T>
  class Service {
  public:
    T* operator->() const { return get(); }
    T& operator*() const { return *get(); }
    bool isAvailable() const { return serviceregistry::find(typeid(T)) != nullptr; }
    operator bool() const { return isAvailable(); }

  private:
    static T* get() {
      void* service = serviceregistry::find(typeid(T));
      if (service == nullptr)
        serviceregistry::throwNotFound(typeid(T));
      return static_cast<T*>(service);
    }
  };

}  // namespace edm

#endif
