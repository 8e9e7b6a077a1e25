#ifndef FWCore_ServiceRegistry_ModuleCallingContext_h
#define FWCore_ServiceRegistry_ModuleCallingContext_h

namespace edm {

  class ModuleDescription;

  /// Which module is being called, and which one called for it on the same thread (null: none).
  class ModuleCallingContext {
  public:
    explicit ModuleCallingContext(ModuleDescription const* module, ModuleCallingContext const* previous = nullptr)
        : module_(module), previous_(previous) {}

    ModuleDescription const* moduleDescription() const { return module_; }
    ModuleCallingContext const* previousModuleOnThread() const { return previous_; }

  private:
    ModuleDescription const* module_;
    ModuleCallingContext const* previous_;
  };

}  // namespace edm

#endif
