#include "RecoE2E/Taggers/interface/ModelContract.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "nlohmann/json.hpp"

#include "RecoE2E/Taggers/interface/sha256.h"

namespace e2e {

  namespace {
    constexpr int kFormat = 2;
    constexpr int kLevels = 32;               // lists and objects in each other
    constexpr std::uint32_t kLargest = 1000;  // rows or columns
    constexpr std::size_t kMostChannels = 16;
    constexpr std::uint32_t kMostClasses = 1000;
    constexpr char const* kOutward = "outward";  // orientation of crops that look outward
    // Where tracks may lie; mixed in what several samples were made into.
    constexpr std::array<char const*, 4> kTracks{{"direction", "point", "vertex", "mixed"}};
    constexpr std::array<char const*, 2> kScalars{{"seed_eta", "jetPt"}};
    constexpr std::size_t kMostRanges = 64;

    // Whether a number of one byte, written with as many bytes as a protocol buffer may take for it, ends at `end`,
    // which it is then moved before.
    bool endsWith(std::string_view content, std::size_t& end, unsigned char number) {
      auto at = end;
      if (at > 0 and static_cast<unsigned char>(content[at - 1]) == number) {
        end = at - 1;
        return true;
      }
      if (at < 2 or content[--at] != 0)
        return false;
      while (at > 1 and static_cast<unsigned char>(content[at - 1]) == 0x80)
        --at;
      if (static_cast<unsigned char>(content[at - 1]) != (number | 0x80))
        return false;
      end = at - 1;
      return true;
    }

    // A weight kept in another file names it by an entry with the key "location" (onnx.proto, TensorProto): field 1, of
    // 8 bytes. The entry's value may come before its key.
    bool keepsWeightsElsewhere(std::string_view content) {
      constexpr std::string_view kKey{"location"};
      for (auto found = content.find(kKey); found != std::string_view::npos; found = content.find(kKey, found + 1)) {
        auto end = found;
        if (endsWith(content, end, kKey.size()) and endsWith(content, end, 0x0a))
          return true;
      }
      return false;
    }

    std::string cells(std::uint32_t rows, std::uint32_t columns) {
      return std::to_string(rows) + " x " + std::to_string(columns) + " cells";
    }

    std::string text(Crop const& crop) {
      return cells(crop.rows, crop.columns) + " with the seed at row " + std::to_string(crop.seedRow) + ", column " +
             std::to_string(crop.seedColumn) + (crop.outward ? ", turned to look outward" : "");
    }

    std::string text(std::vector<Channel> const& channels) {
      std::string joined;
      for (auto const& channel : channels)
        joined += (joined.empty() ? "" : ", ") + channel.name +
                  (channel.cell == 1 ? "" : " of " + cells(channel.cell, channel.cell));
      return joined;
    }

    std::uint32_t size(nlohmann::json const& content, char const* key) {
      auto const& number = content.at(key);
      if (not number.is_number_unsigned() or number.get<std::uint64_t>() > kLargest)
        throw std::runtime_error(std::string(key) + " is " + number.dump() + ", not a whole number up to " +
                                 std::to_string(kLargest));
      return number.get<std::uint32_t>();
    }

    bool shallow(int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      if (depth > kLevels)
        throw std::runtime_error("it has more than " + std::to_string(kLevels) + " lists and objects in each other");
      return true;
    }

    /// What a domain says, which this release knows; it may say more.
    std::vector<ModelContract::Range> ranges(nlohmann::json const& domain) {
      std::vector<ModelContract::Range> found;
      if (domain.is_null())
        return found;
      for (auto const& range : domain.at("ranges")) {
        auto const& channel = range.at("channel");
        found.push_back({range.at("quantity").get<std::string>(),
                         channel.is_null() ? "" : channel.get<std::string>(),
                         range.at("unit").get<std::string>(),
                         range.at("low").get<double>(),
                         range.at("high").get<double>()});
      }
      if (found.size() > kMostRanges)
        throw std::runtime_error("its domain has " + std::to_string(found.size()) + " ranges");
      return found;
    }

    ModelContract parse(nlohmann::json const& json) {
      if (json.at("format") != kFormat)
        throw std::runtime_error("format is " + json.at("format").dump() + "; this release reads format " +
                                 std::to_string(kFormat));
      ModelContract contract;
      auto const& input = json.at("input");
      contract.input = input.at("name").get<std::string>();
      for (auto const& channel : input.at("channels"))
        contract.channels.push_back({channel.at("name").get<std::string>(), size(channel, "cell")});
      if (auto const& tracks = input.at("tracks"); not tracks.is_null()) {
        if (std::find(kTracks.begin(), kTracks.end(), tracks) == kTracks.end())
          throw std::runtime_error("tracks lie at " + tracks.dump() + "; known are direction, point, vertex");
        contract.tracks = tracks.get<std::string>();
      }
      // A model that needs other numbers than are known here would give nonsense.
      if (auto const& scalars = json.at("scalars"); not scalars.is_null())
        for (auto const& scalar : scalars) {
          auto const& name = scalar.at("name");
          if (std::find(kScalars.begin(), kScalars.end(), name) == kScalars.end())
            throw std::runtime_error("it takes the scalar " + name.dump() + "; known are seed_eta and jetPt");
          contract.scalars.push_back(name.get<std::string>());
        }
      contract.domain = ranges(json.at("domain"));
      auto const& orientation = json.at("orientation");
      if (not orientation.is_null() and orientation != kOutward)
        throw std::runtime_error("orientation is " + orientation.dump() + "; this release knows null and " + kOutward);
      auto const& detector = json.at("detector");
      contract.rows = size(detector, "rows");
      contract.columns = size(detector, "columns");
      auto const& crop = json.at("crop");
      contract.crop = {size(crop, "rows"),
                       size(crop, "columns"),
                       size(crop, "seed_row"),
                       size(crop, "seed_column"),
                       orientation == kOutward};
      if (contract.channels.size() > kMostChannels)
        throw std::runtime_error("it has " + std::to_string(contract.channels.size()) + " channels");
      nlohmann::json const shape{"N", contract.channels.size(), contract.crop.rows, contract.crop.columns};
      if (input.at("shape") != shape)
        throw std::runtime_error("the shape of the input is " + input.at("shape").dump() +
                                 ", but its channels and crop make " + shape.dump());
      for (auto const& output : json.at("outputs")) {
        auto const name = output.at("name").get<std::string>();
        auto const& found = output.at("shape");
        auto const one = found == nlohmann::json{"N"};
        if (not one and (not found.is_array() or found.size() != 2 or found[0] != "N" or
                         not found[1].is_number_unsigned() or found[1] == 0 or found[1] > kMostClasses))
          throw std::runtime_error("the shape of output " + name + " is " + found.dump() +
                                   "; this release takes one number an object, or up to " +
                                   std::to_string(kMostClasses));
        contract.outputs.push_back(name);
        contract.sizes.push_back(one ? 1 : found[1].get<std::uint32_t>());
        for (std::uint32_t i = 0; i < contract.sizes.back(); ++i)
          contract.numbers.push_back(one ? name : name + '_' + std::to_string(i));
      }
      contract.nearTies = json.value("near_ties", false);
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
    std::string const content{std::istreambuf_iterator<char>(model), {}};
    std::istringstream bytes(content);
    auto const hash = sha256(bytes);
    if (keepsWeightsElsewhere(content))
      throw std::runtime_error(modelPath +
                               ": keeps weights in another file, which the checksum does not cover; save "
                               "the model with all of its weights inside, or export it anew");
    try {
      auto const json = nlohmann::json::parse(file, shallow);
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
    auto const& origin = *frames.origin();
    if (origin.rows != rows or origin.columns != columns)
      throw std::runtime_error("the frames are cut from a detector of " + cells(origin.rows, origin.columns) +
                               ", but the model takes those of " + cells(rows, columns));
  }

}  // namespace e2e
