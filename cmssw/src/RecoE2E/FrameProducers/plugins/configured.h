#ifndef RecoE2E_FrameProducers_plugins_configured_h
#define RecoE2E_FrameProducers_plugins_configured_h

#include <stdexcept>

#include "FWCore/Utilities/interface/EDMException.h"

namespace e2e {

  /// The result of call, whose std::invalid_argument is for the framework an error of the configuration.
  template <typename F>
  auto configured(F&& call) {
    try {
      return call();
    } catch (std::invalid_argument const& error) {
      throw edm::Exception(edm::errors::Configuration) << error.what();
    }
  }

}  // namespace e2e

#endif
