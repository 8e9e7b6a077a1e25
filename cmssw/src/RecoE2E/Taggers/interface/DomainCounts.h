#ifndef RecoE2E_Taggers_DomainCounts_h
#define RecoE2E_Taggers_DomainCounts_h

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/ObjectFrames.h"
#include "RecoE2E/Taggers/interface/ModelContract.h"

namespace e2e {

  /// Counts the objects of a source that lie outside of each range of a domain. `e2e predict` counts the same.
  class DomainCounts {
  public:
    explicit DomainCounts(std::size_t ranges) : known_(ranges, 0), beyond_(ranges, 0) {}

    /// What is unknown of an object, or not known here, lies nowhere.
    void add(std::vector<ModelContract::Range> const& domain, ObjectFrames const& frames);
    DomainCounts& operator+=(DomainCounts const& other);

    /// Of each range outside of which more objects lie than of a sample like that of the training, in words.
    std::vector<std::string> outside(std::vector<ModelContract::Range> const& domain) const;

  private:
    std::vector<std::uint64_t> known_;
    std::vector<std::uint64_t> beyond_;
  };

}  // namespace e2e

#endif
