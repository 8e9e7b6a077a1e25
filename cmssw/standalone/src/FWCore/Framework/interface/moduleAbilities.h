#ifndef FWCore_Framework_moduleAbilities_h
#define FWCore_Framework_moduleAbilities_h

namespace edm {

  // The abilities that the host offers. A module that asks for another one does not compile.
  template <typename T>
  struct GlobalCache {  // stream modules: one T a job, made before the replicas, which share it
    using Type = T;
  };
  template <typename T>
  struct StreamCache {  // global modules: one T a stream
    using Type = T;
  };
  namespace one {
    struct SharedResources {};  // one modules: usesResource(name)
  }  // namespace one

}  // namespace edm

#endif
