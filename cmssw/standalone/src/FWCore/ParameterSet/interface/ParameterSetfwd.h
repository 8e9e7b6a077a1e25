#ifndef FWCore_ParameterSet_ParameterSetfwd_h
#define FWCore_ParameterSet_ParameterSetfwd_h

#include <vector>

namespace edm {
  class ParameterSet;
  class ParameterSetDescription;
  class ConfigurationDescriptions;
  using VParameterSet = std::vector<ParameterSet>;
}  // namespace edm

#endif
