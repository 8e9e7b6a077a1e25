#include "RecoE2E/Taggers/interface/ModelContract.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "nlohmann/json.hpp"

#include "RecoE2E/Taggers/interface/sha256.h"

namespace e2e {

  namespace {
    constexpr int kFormat = 1;

    std::string text(Crop const& crop) {
      return std::to_string(crop.rows) + " x " + std::to_string(crop.columns) + " cells with the seed at row " +
             std::to_string(crop.seedRow) + ", column " + std::to_string(crop.seedColumn);
    }

    std::string text(std::vector<std::string> const& names) {
      std::string joined;
      for (auto const& name : names)
        joined += (joined.empty() ? "" : ", ") + name;
      return joined;
    }

    ModelContract parse(nlohmann::json const& json) {
      if (json.at("format") != kFormat)
        throw std::runtime_error("format is " + json.at("format").dump() + "; this release reads format " +
                                 std::to_string(kFormat));
      ModelContract contract;
      auto const& input = json.at("input");
      contract.input = input.at("name").get<std::string>();
      for (auto const& channel : input.at("channels"))
        contract.channels.push_back(channel.at("name").get<std::string>());
      auto const& crop = json.at("crop");
      contract.crop = {crop.at("rows").get<std::uint32_t>(),
                       crop.at("columns").get<std::uint32_t>(),
                       crop.at("seed_row").get<std::uint32_t>(),
                       crop.at("seed_column").get<std::uint32_t>()};
      nlohmann::json const shape{"N", contract.channels.size(), contract.crop.rows, contract.crop.columns};
      if (input.at("shape") != shape)
        throw std::runtime_error("the shape of the input is " + input.at("shape").dump() +
                                 ", but its channels and crop make " + shape.dump());
      for (auto const& output : json.at("outputs")) {
        contract.outputs.push_back(output.at("name").get<std::string>());
        if (output.at("shape") != nlohmann::json{"N"})
          throw std::runtime_error("the shape of output " + contract.outputs.back() + " is " +
                                   output.at("shape").dump() + "; this release takes one number an object");
      }
      if (contract.outputs.empty())
        throw std::runtime_error("it names no output");
      return contract;
    }
  }  // namespace

  ModelContract ModelContract::read(std::string const& modelPath) {
    std::ifstream model(modelPath, std::ios::binary);
    if (not std::filesystem::is_regular_file(modelPath) or not model)
      throw std::runtime_error(modelPath + ": there is no such model, or it cannot be read; check the path");
    auto const jsonPath = std::filesystem::path(modelPath).replace_extension(".json").string();
    std::ifstream file(jsonPath);
    if (not file)
      throw std::runtime_error(jsonPath + ": cannot be read; the export writes it beside the model: copy both");
    auto const hash = sha256(model);
    try {
      auto const json = nlohmann::json::parse(file);
      if (json.at("sha256") != hash)
        throw std::runtime_error("it belongs to another model than " + modelPath + ", whose sha256 is " + hash +
                                 "; copy both files of one export");
      return parse(json);
    } catch (std::exception const& error) {
      throw std::runtime_error(jsonPath + ": " + error.what());
    }
  }

  void ModelContract::check(ObjectFrames const& frames) const {
    if (frames.channels() != channels)
      throw std::runtime_error("the frames hold the channels " + text(frames.channels()) + ", but the model takes " +
                               text(channels));
    if (frames.crop() != crop)
      throw std::runtime_error("the frames are " + text(frames.crop()) + ", but the model takes " + text(crop));
  }

}  // namespace e2e
