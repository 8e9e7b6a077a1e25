#ifndef FWCore_Framework_one_OneModule_h
#define FWCore_Framework_one_OneModule_h

#include <string>
#include <vector>

#include "FWCore/Framework/interface/ModuleBase.h"
#include "FWCore/Framework/interface/moduleAbilities.h"

namespace edm::one {

  /// A module with one instance, which sees one event after the other.
  class OneModule : public ModuleBase {
  public:
    void doBeginJob() final { beginJob(); }
    void doEndJob() final { endJob(); }

  private:
    virtual void beginJob() {}
    virtual void endJob() {}
  };

  namespace impl {
    template <typename Ability>
    class Implementor;

    template <>
    class Implementor<SharedResources> : public virtual OneModule {
    public:
      std::vector<std::string> resources() const final { return resources_; }

    protected:
      void usesResource(std::string const& name) { resources_.push_back(name); }
      /// For a resource that has no name: shared by all modules that call it so.
      void usesResource() { resources_.emplace_back(); }

    private:
      std::vector<std::string> resources_;
    };
  }  // namespace impl

}  // namespace edm::one

#endif
