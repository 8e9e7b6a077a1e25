#include "openSession.h"

#include <exception>
#include <stdexcept>
#include <type_traits>

namespace e2e {

  namespace {
    /// Opens sessions on a GPU. CMSSW's wrapper chooses the backend in defaultSessionOptions, which came after 12_4:
    /// without it there is only the CPU.
    template <typename Runtime, typename = void>
    struct Cuda {
      static std::unique_ptr<Runtime> open(std::string const&) {
        throw std::runtime_error("the ONNXRuntime wrapper of this release has no CUDA");
      }
    };

    template <typename Runtime>
    struct Cuda<Runtime, std::void_t<decltype(&Runtime::defaultSessionOptions)>> {
      template <typename Options, typename Backend, typename... More>
      static Backend backendOf(Options (*)(Backend, More...));
      using Backend = decltype(backendOf(&Runtime::defaultSessionOptions));

      static std::unique_ptr<Runtime> open(std::string const& path) {
        auto const options = Runtime::defaultSessionOptions(Backend::cuda);
        return std::make_unique<Runtime>(path, &options);
      }
    };
  }  // namespace

  std::unique_ptr<cms::Ort::ONNXRuntime const> openSession(std::string const& path, std::string const& provider) {
    using cms::Ort::ONNXRuntime;
    try {
      if (provider == "cpu")
        return std::make_unique<ONNXRuntime>(path);  // the wrapper's own options: one thread
      if (provider == "cuda")
        return Cuda<ONNXRuntime>::open(path);
    } catch (std::exception const& error) {
      throw std::runtime_error(path + ": cannot be loaded by provider " + provider + ": " + error.what());
    }
    throw std::invalid_argument("the provider is \"" + provider + "\"; choose cpu or cuda");
  }

}  // namespace e2e
