#ifndef tests_cmssw_recoe2e_testing_h
#define tests_cmssw_recoe2e_testing_h

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"
#include "RecoE2E/DataFormats/interface/Crop.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"

namespace testing {

  /// A new folder that goes away with the object.
  class Folder {
  public:
    Folder();
    ~Folder();
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    std::string operator/(std::string const& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
  };

  /// The message of the exception that call throws; fails the test if it throws none.
  template <typename F>
  std::string message(F&& call) {
    try {
      call();
    } catch (std::exception const& error) {
      return error.what();
    }
    return "no exception";
  }

  inline bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
  }

  /// The layout of frames that are of no file.
  e2e::FrameOriginPtr layout(std::vector<e2e::Channel> channels, std::uint32_t rows = 170, std::uint32_t columns = 360);

  void write(std::string const& path, std::string const& content);
  std::string read(std::string const& path);

  /// A frame of rows x columns values for each channel, in ONNX: each output is sum(weights * frames) + sum(scalars),
  /// but the score its sigmoid.
  struct LinearModel {
    std::vector<e2e::Channel> channels{{"EB_energy"}, {"EB_time"}};
    e2e::Crop crop{32, 32, 15, 15};
    std::vector<float> weights = std::vector<float>(2 * 32 * 32, 1.f);
    std::string input = "frames";
    std::vector<std::string> outputs{"score", "logit"};
    std::string tracks;
    std::vector<std::string> scalars;  // whose values are added to the sum
    std::string domain = "null";       // JSON
    std::string batch;                 // a number fixes the batch of the graph; empty leaves it open
    std::string external;              // file with the weights, beside the model; empty keeps them inside
    std::string through;               // an operator that all outputs go through
    std::string score = "Sigmoid";     // the operator that makes the score

    std::string onnx() const;
    std::string json(std::string const& sha256) const;
    /// Writes path and the JSON beside it.
    void save(std::string const& path) const;
  };

}  // namespace testing

#endif
