#ifndef RecoE2E_Taggers_src_openSession_h
#define RecoE2E_Taggers_src_openSession_h

#include <memory>
#include <string>

#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"

namespace e2e {

  /**
   * A session of the model at path on an execution provider: all that the packages know of providers is here, as it is
   * in e2e.deploy.providers in Python.
   *
   * Throws std::invalid_argument, naming those that there are, for an unknown provider, and std::runtime_error where
   * the model cannot be loaded on it.
   */
  std::unique_ptr<cms::Ort::ONNXRuntime const> openSession(std::string const& path, std::string const& provider);

}  // namespace e2e

#endif
