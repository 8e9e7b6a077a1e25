#include "PhysicsTools/ONNXRuntime/interface/ONNXRuntime.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "FWCore/Utilities/interface/Exception.h"

namespace cms::Ort {

  namespace {
    /// One for the process: ONNX Runtime shares its logging and its allocators among sessions through it. It is never
    /// destroyed: with CUDA, processes that destroyed it at their end aborted there ("corrupted double-linked list").
    /// Its telemetry is off: it looks up a host of its maker, and keeps a number of the device in HOME.
    ::Ort::Env& environment() {
      static ::Ort::Env& env = *[] {
        setenv("ORT_DISABLE_TELEMETRY", "1", 0);
        return new ::Ort::Env(ORT_LOGGING_LEVEL_ERROR, "");
      }();
      return env;
    }

    int64_t length(std::vector<int64_t> const& shape) {
      return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    }
  }  // namespace

  ONNXRuntime::ONNXRuntime(std::string const& model_path, ::Ort::SessionOptions const* session_options) {
    ::Ort::SessionOptions const defaults = defaultSessionOptions();
    session_ = std::make_unique<::Ort::Session>(
        environment(), model_path.c_str(), session_options == nullptr ? defaults : *session_options);

    ::Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_->GetInputCount(); ++i) {
      input_names_.emplace_back(session_->GetInputNameAllocated(i, allocator).get());
      auto shape = session_->GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      shape.at(0) = 1;
      input_shapes_[input_names_.back()] = std::move(shape);
    }
    for (std::size_t i = 0; i < session_->GetOutputCount(); ++i) {
      output_names_.emplace_back(session_->GetOutputNameAllocated(i, allocator).get());
      auto shape = session_->GetOutputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      shape.at(0) = -1;
      output_shapes_[output_names_.back()] = std::move(shape);
    }
  }

  ONNXRuntime::~ONNXRuntime() = default;

  ::Ort::SessionOptions ONNXRuntime::defaultSessionOptions(Backend backend) {
    ::Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetInterOpNumThreads(1);
    if (backend == Backend::cuda) {
      environment();  // the provider logs through it when it is loaded
      OrtCUDAProviderOptions cuda;
      options.AppendExecutionProvider_CUDA(cuda);  // throws where there is no CUDA
    }
    return options;
  }

  FloatArrays ONNXRuntime::run(std::vector<std::string> const& input_names,
                               FloatArrays& input_values,
                               std::vector<std::vector<int64_t>> const& input_shapes,
                               std::vector<std::string> const& output_names,
                               int64_t batch_size) const {
    if (input_names.size() != input_values.size() || batch_size < 1 ||
        (!input_shapes.empty() && input_shapes.size() != input_names.size()))
      throw cms::Exception("RuntimeError")
          << "ONNXRuntime::run: " << input_names.size() << " names for " << input_values.size() << " arrays and "
          << input_shapes.size() << " shapes, batch size " << batch_size;

    auto const memory = ::Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<::Ort::Value> inputs;
    std::vector<char const*> inputNames;
    for (std::string const& name : input_names_) {
      auto const found = std::find(input_names.begin(), input_names.end(), name);
      if (found == input_names.end())
        throw cms::Exception("RuntimeError") << "Input " << name << " is not provided!";
      auto const i = found - input_names.begin();
      auto shape = input_shapes.empty() ? input_shapes_.at(name) : input_shapes[i];
      shape.at(0) = batch_size;
      std::vector<float>& values = input_values[i];
      if (std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n < 0; }))
        throw cms::Exception("RuntimeError") << "Input " << name << " has dynamic axes: give its shape";
      if (static_cast<int64_t>(values.size()) != length(shape))
        throw cms::Exception("RuntimeError")
            << "Input array " << name << " has a wrong size of " << values.size() << ", expected " << length(shape);
      inputs.push_back(
          ::Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), shape.data(), shape.size()));
      inputNames.push_back(name.c_str());
    }

    std::vector<char const*> outputNames;
    for (std::string const& name : output_names.empty() ? output_names_ : output_names)
      outputNames.push_back(name.c_str());

    auto const outputs = session_->Run(::Ort::RunOptions{nullptr},
                                       inputNames.data(),
                                       inputs.data(),
                                       inputs.size(),
                                       outputNames.data(),
                                       outputNames.size());

    FloatArrays results;
    for (::Ort::Value const& output : outputs) {
      float const* const begin = output.GetTensorData<float>();
      results.emplace_back(begin, begin + output.GetTensorTypeAndShapeInfo().GetElementCount());
    }
    return results;
  }

  std::vector<int64_t> const& ONNXRuntime::getOutputShape(std::string const& output_name) const {
    auto const found = output_shapes_.find(output_name);
    if (found == output_shapes_.end())
      throw cms::Exception("RuntimeError") << "Output name " << output_name << " is invalid!";
    return found->second;
  }

}  // namespace cms::Ort
