#ifndef RecoE2E_Taggers_TaggerModel_h
#define RecoE2E_Taggers_TaggerModel_h

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"
#include "RecoE2E/DataFormats/interface/ObjectFrames.h"
#include "RecoE2E/DataFormats/interface/ObjectOutputs.h"
#include "RecoE2E/Taggers/interface/ModelContract.h"

namespace e2e {

  /// What an object lacks that a model takes beside its frame.
  class MissingScalar : public std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  /// A model with its contract and its one session, which all threads of a process share.
  class TaggerModel {
  public:
    /**
     * Throws std::invalid_argument for an execution provider that is not known, and std::runtime_error, naming the
     * model, where it has no valid contract, cannot be loaded, does not take or give what its contract promises, gives
     * an object other numbers beside others than alone, or cannot run on the provider: there is no silent way back to
     * the CPU.
     */
    TaggerModel(std::string const& path, std::string const& provider);

    ModelContract const& contract() const { return contract_; }

    /**
     * What the contract promises for all objects, in their order, in calls of the session as large as memory bears; none
     * without objects.
     *
     * Throws MissingScalar, naming the object, for one without a scalar that the model takes, and std::runtime_error for
     * frames that the contract does not allow, and, naming the object, for a value that is not finite and for a score
     * that is not that of its logit.
     */
    ObjectOutputs outputs(ObjectFrames const& frames) const;

  private:
    cms::Ort::FloatArrays run(cms::Ort::FloatArrays input, std::size_t objects) const;
    std::vector<float> scalars(ObjectFrames const& frames) const;
    void checkAlone() const;
    void checkScores(cms::Ort::FloatArrays const& output, std::vector<std::uint32_t> const& object) const;

    std::string const path_;
    ModelContract const contract_;
    std::unique_ptr<cms::Ort::ONNXRuntime const> session_;
  };

}  // namespace e2e

#endif
