#ifndef PhysicsTools_ONNXRuntime_ONNXRuntime_h
#define PhysicsTools_ONNXRuntime_ONNXRuntime_h

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "onnxruntime/onnxruntime_cxx_api.h"

namespace cms::Ort {

  using FloatArrays = std::vector<std::vector<float>>;

  enum class Backend {
    cpu,
    cuda,
  };

  /// A model loaded into ONNX Runtime. run() may be called by several threads at once.
  class ONNXRuntime {
  public:
    /// Without options: those of the CPU. Throws Ort::Exception when the model cannot be loaded.
    ONNXRuntime(std::string const& model_path, ::Ort::SessionOptions const* session_options = nullptr);
    ONNXRuntime(ONNXRuntime const&) = delete;
    ONNXRuntime& operator=(ONNXRuntime const&) = delete;
    ~ONNXRuntime();

    /// One intra-op and one inter-op thread: CMSSW's parallelism comes from its streams. Throws when the backend is
    /// CUDA and the library or the machine has none.
    static ::Ort::SessionOptions defaultSessionOptions(Backend backend = Backend::cpu);

    /// Runs the model on `batch_size` samples. `input_values` go with `input_names`, each a flat array whose shape is
    /// that in `input_shapes`, or, without shapes, the model's own with the batch first. Returns the named outputs, or
    /// all of them, flat. Throws cms::Exception(RuntimeError) for a missing input or an array of the wrong size.
    FloatArrays run(std::vector<std::string> const& input_names,
                    FloatArrays& input_values,
                    std::vector<std::vector<int64_t>> const& input_shapes = {},
                    std::vector<std::string> const& output_names = {},
                    int64_t batch_size = 1) const;

    std::vector<std::string> const& getOutputNames() const { return output_names_; }
    /// The batch, which comes first, is -1. Throws cms::Exception(RuntimeError) for an unknown name.
    std::vector<int64_t> const& getOutputShape(std::string const& output_name) const;

  private:
    std::unique_ptr<::Ort::Session> session_;
    std::vector<std::string> input_names_;
    std::vector<std::string> output_names_;
    std::map<std::string, std::vector<int64_t>> input_shapes_;
    std::map<std::string, std::vector<int64_t>> output_shapes_;
  };

}  // namespace cms::Ort

#endif
