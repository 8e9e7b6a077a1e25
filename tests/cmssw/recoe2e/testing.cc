#include "testing.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <unistd.h>

#include "RecoE2E/Taggers/interface/sha256.h"

namespace testing {

  Folder::Folder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("recoe2e-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }

  Folder::~Folder() { std::filesystem::remove_all(path_); }

  e2e::FrameOriginPtr layout(std::vector<e2e::Channel> channels, std::uint32_t rows, std::uint32_t columns) {
    auto frame = std::make_shared<e2e::FrameOrigin>();
    frame->rows = rows;
    frame->columns = columns;
    frame->channels = std::move(channels);
    return frame;
  }

  void write(std::string const& path, std::string const& content) {
    std::ofstream file(path, std::ios::binary);
    file << content;
    if (not file.flush())
      throw std::runtime_error("cannot write " + path);
  }

  std::string read(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  namespace {
    // The protocol buffers of ONNX (onnx.proto), as far as a linear model needs them.
    std::string varint(std::uint64_t number) {
      std::string bytes;
      for (; number > 127; number >>= 7)
        bytes += static_cast<char>(number | 128);
      return bytes + static_cast<char>(number);
    }
    std::string field(int id, std::uint64_t number) { return varint(id << 3) + varint(number); }
    std::string field(int id, std::string const& bytes) { return varint(id << 3 | 2) + varint(bytes.size()) + bytes; }

    constexpr int kFloat = 1, kInt64 = 7;

    template <typename T>
    std::string tensor(std::string const& name, int type, std::vector<int> const& shape, std::vector<T> const& values) {
      std::string dimensions;
      for (auto n : shape)
        dimensions += field(1, static_cast<std::uint64_t>(n));
      std::string raw(values.size() * sizeof(T), '\0');
      if (not values.empty())
        std::memcpy(raw.data(), values.data(), raw.size());
      return dimensions + field(2, static_cast<std::uint64_t>(type)) + field(8, name) + field(9, raw);
    }

    std::string node(std::string const& op, std::vector<std::string> const& inputs, std::string const& output) {
      std::string bytes;
      for (auto const& input : inputs)
        bytes += field(1, input);
      return bytes + field(2, output) + field(4, op);
    }

    std::string valueInfo(std::string const& name, std::vector<std::string> const& shape) {
      std::string dimensions;
      for (auto const& n : shape)
        dimensions += field(1, n == "N" ? field(2, n) : field(1, std::stoull(n)));
      return field(1, name) + field(2, field(1, field(1, std::uint64_t{kFloat}) + field(2, dimensions)));
    }
  }  // namespace

  std::string LinearModel::onnx() const {
    auto const n = batch.empty() ? std::string("N") : batch;
    auto const size = static_cast<int>(weights.size());
    std::string ends;
    for (auto const& name : outputs)
      ends += field(1, node(name == "score" ? score : "Identity", {through.empty() ? "sum" : "changed"}, name)) +
              field(12, valueInfo(name, {n}));
    auto const graph =
        field(1, node("Flatten", {input}, "flat")) + field(1, node("MatMul", {"flat", "weights"}, "product")) +
        (scalars.empty() ? field(1, node("Identity", {"product"}, "column"))
                         : field(1, node("MatMul", {"scalars", "ones"}, "beside")) +
                               field(1, node("Add", {"product", "beside"}, "column")) +
                               field(5,
                                     tensor("ones",
                                            kFloat,
                                            {static_cast<int>(scalars.size()), 1},
                                            std::vector<float>(scalars.size(), 1.f)))) +
        field(1, node("Reshape", {"column", "shape"}, "sum")) +
        (through.empty() ? std::string() : field(1, node(through, {"sum"}, "changed"))) +
        field(2, std::string("linear")) +
        field(5,
              external.empty() ? tensor("weights", kFloat, {size, 1}, weights)
                               : tensor<float>("weights", kFloat, {size, 1}, {}) +
                                     field(13, field(1, std::string("location")) + field(2, external)) + field(14, 1)) +
        field(5, tensor<std::int64_t>("shape", kInt64, {1}, {-1})) +
        field(
            11,
            valueInfo(input,
                      {n, std::to_string(channels.size()), std::to_string(crop.rows), std::to_string(crop.columns)})) +
        (scalars.empty() ? std::string() : field(11, valueInfo("scalars", {n, std::to_string(scalars.size())}))) + ends;
    return field(1, 8) + field(7, graph) + field(8, field(2, 13));
  }

  std::string LinearModel::json(std::string const& sha256) const {
    std::ostringstream text;
    text << R"({"format": 2, "sha256": ")" << sha256 << R"(", "input": {"name": ")" << input << R"(", "shape": ["N", )"
         << channels.size() << ", " << crop.rows << ", " << crop.columns << R"(], "channels": [)";
    for (std::size_t i = 0; i < channels.size(); ++i)
      text << (i ? ", " : "") << R"({"name": ")" << channels[i].name << R"(", "unit": "GeV", "cell": )"
           << channels[i].cell << "}";
    text << R"(], "tracks": )" << (tracks.empty() ? "null" : '"' + tracks + '"') << R"(}, "scalars": )";
    for (std::size_t i = 0; i < scalars.size(); ++i)
      text << (i ? ", " : "[") << R"({"name": ")" << scalars[i] << R"(", "unit": "1"})";
    text << (scalars.empty() ? "null" : "]") << R"(, "orientation": )" << (crop.outward ? R"("outward")" : "null")
         << R"(, "domain": )" << domain << R"(, "working_points": null)"
         << R"(, "detector": {"rows": 170, "columns": 360}, "crop": {"rows": )" << crop.rows << R"(, "columns": )"
         << crop.columns << R"(, "seed_row": )" << crop.seedRow << R"(, "seed_column": )" << crop.seedColumn
         << R"(}, "outputs": [)";
    for (std::size_t i = 0; i < outputs.size(); ++i)
      text << (i ? ", " : "") << R"({"name": ")" << outputs[i] << R"(", "unit": "1", "shape": ["N"]})";
    text << "]}";
    return text.str();
  }

  void LinearModel::save(std::string const& path) const {
    write(path, onnx());
    std::istringstream model(onnx());
    write(std::filesystem::path(path).replace_extension(".json").string(), json(e2e::sha256(model)));
  }

}  // namespace testing
