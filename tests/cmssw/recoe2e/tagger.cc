// The model with its contract: checks at the begin of the job, and its outputs for each object.
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "doctest/doctest.h"

#include "RecoE2E/Taggers/interface/DomainCounts.h"
#include "RecoE2E/Taggers/interface/ModelContract.h"
#include "RecoE2E/Taggers/interface/TaggerModel.h"
#include "RecoE2E/Taggers/interface/sha256.h"
#include "testing.h"

using e2e::ModelContract;
using e2e::TaggerModel;
using testing::contains;
using testing::layout;
using testing::LinearModel;
using testing::message;

namespace {
  std::string sha256(std::string const& text) {
    std::istringstream stream(text);
    return e2e::sha256(stream);
  }

  e2e::ObjectFrames frames(std::vector<std::uint32_t> object, std::vector<float> data) {
    return {testing::layout({{"EB_energy"}, {"EB_time"}}), {32, 32, 15, 15}, std::move(object), std::move(data), 0};
  }
}  // namespace

TEST_CASE("SHA-256 of known messages") {
  // FIPS 180-2, appendix B, and the empty message.
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // The lengths around the padding (computed with hashlib).
  CHECK(sha256(std::string(55, 'x')) == "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
  CHECK(sha256(std::string(56, 'x')) == "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
  CHECK(sha256(std::string(63, 'x')) == "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
  CHECK(sha256(std::string(64, 'x')) == "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
}

TEST_CASE("the contract gives names, channels and crop of the model") {
  testing::Folder const folder;
  LinearModel().save(folder / "model.onnx");
  auto const contract = ModelContract::read(folder / "model.onnx");
  CHECK(contract.input == "frames");
  CHECK(contract.channels == std::vector<e2e::Channel>{{"EB_energy"}, {"EB_time"}});
  CHECK((contract.rows == 170 && contract.columns == 360));
  CHECK(contract.tracks.empty());
  CHECK(contract.crop == e2e::Crop{32, 32, 15, 15});
  CHECK(contract.outputs == std::vector<std::string>{"score", "logit"});
  LinearModel turned;
  turned.crop.outward = true;
  turned.save(folder / "turned.onnx");
  CHECK(ModelContract::read(folder / "turned.onnx").crop == e2e::Crop{32, 32, 15, 15, true});
  LinearModel tracks;
  tracks.tracks = "direction";
  tracks.save(folder / "tracks.onnx");
  CHECK(ModelContract::read(folder / "tracks.onnx").tracks == "direction");
}

TEST_CASE("a model without a valid contract is refused, naming the file") {
  testing::Folder const folder;
  auto const path = folder / "model.onnx", json = folder / "model.json";
  auto const failure = [&] { return message([&] { ModelContract::read(path); }); };
  CHECK(contains(failure(), path + ": there is no such model"));
  LinearModel const model;
  testing::write(path, model.onnx());
  CHECK(contains(failure(), json + ": cannot be read"));
  testing::write(json, "<html></html>");
  CHECK(contains(failure(), json + ": "));
  testing::write(json, model.json(sha256(model.onnx() + "another")));
  CHECK(contains(failure(), "belongs to another model"));
  testing::write(json, R"({"format": 2, "sha256": ")" + sha256(model.onnx()) + R"("})");
  CHECK(contains(failure(), "'input'"));

  auto text = model.json(sha256(model.onnx()));
  auto const replaced = [&](std::string const& from, std::string const& to) {
    auto changed = text;
    return changed.replace(changed.find(from), from.size(), to);
  };
  testing::write(json, replaced(R"("format": 2)", R"("format": 1)"));
  CHECK(contains(failure(), "format is 1; this release reads format 2"));
  testing::write(json, replaced(R"("scalars": null)", R"("scalars": [{"name": "jetM", "unit": "GeV"}])"));
  CHECK(contains(failure(), R"(it takes the scalar "jetM"; known are seed_eta and jetPt)"));
  testing::write(json, replaced(R"("scalars": null)", R"("scalars": ["jetPt"])"));
  CHECK(contains(failure(), json + ": "));
  testing::write(json, replaced(R"("domain": null)", R"("domain": {"ranges": [{"quantity": "hits"}]})"));
  CHECK(contains(failure(), "'channel'"));
  for (auto const* tracks : {"\"banana\"", "5"}) {
    testing::write(json, replaced(R"("tracks": null)", R"("tracks": )" + std::string(tracks)));
    CHECK(contains(failure(), "tracks lie at " + std::string(tracks) + "; known are direction, point, vertex"));
  }
  testing::write(json, replaced(R"("orientation": null)", R"("orientation": "along phi")"));
  CHECK(contains(failure(), R"(orientation is "along phi"; this release knows null and outward)"));
  testing::write(json, replaced(R"(["N", 2, 32, 32])", R"(["N", 32, 32, 2])"));
  CHECK(contains(failure(), R"(the shape of the input is ["N",32,32,2])"));
  testing::write(json,
                 replaced(R"("logit", "unit": "1", "shape": ["N"])", R"("logit", "unit": "1", "shape": ["N", 3])"));
  auto const classes = ModelContract::read(path);
  CHECK(classes.outputs == std::vector<std::string>{"score", "logit"});
  CHECK(classes.sizes == std::vector<std::uint32_t>{1, 3});
  CHECK(classes.numbers == std::vector<std::string>{"score", "logit_0", "logit_1", "logit_2"});
  // Such a model gives three numbers an object, this one gives one.
  CHECK(contains(message([&] { TaggerModel(path, "cpu"); }), "gave 2 values of logit for 2 frames"));
  for (auto const* shape : {R"(["N",0])", R"(["N",2,2])", R"([2])", R"(["N",-3])", R"("N")"}) {
    testing::write(
        json,
        replaced(R"("logit", "unit": "1", "shape": ["N"])", R"("logit", "unit": "1", "shape": )" + std::string(shape)));
    CHECK(
        contains(failure(), "the shape of output logit is " + std::string(shape) + "; this release takes one number"));
  }
  for (auto const& rows : {"4294967328", "-1", "32.0", "1e30", "\"32\"", "[[]]"}) {
    testing::write(json, replaced(R"("rows": 32)", R"("rows": )" + std::string(rows)));
    CHECK(contains(failure(), json + ": rows is " + (rows == std::string("1e30") ? "1e+30" : rows)));
  }
  testing::write(json, replaced(R"("format": 2)", R"("format": )" + std::string(100000, '[')));
  CHECK(contains(failure(), json + ": it has more than 32 lists and objects in each other"));
  testing::write(json, replaced(R"("detector")", R"("detectors")"));
  CHECK(contains(failure(), "'detector'"));
  testing::write(json, replaced(R"("cell": 1)", R"("cell": -1)"));
  CHECK(contains(failure(), json + ": cell is -1"));
  testing::write(json, replaced(R"({"name": "EB_energy")", R"({"name": 7)"));
  CHECK(contains(failure(), json + ": "));
  testing::write(json, replaced(R"("outputs": [)", R"("outputs": [], "others": [)"));
  CHECK(contains(failure(), "it names no output"));
}

TEST_CASE("a model that keeps weights in another file is refused") {
  testing::Folder const folder;
  LinearModel model;
  model.external = "weights.bin";
  model.save(folder / "model.onnx");
  testing::write(folder / "weights.bin", std::string(model.weights.size() * sizeof(float), '\0'));
  auto const failure = [&] { return message([&] { ModelContract::read(folder / "model.onnx"); }); };
  CHECK(contains(failure(), "keeps weights in another file"));

  std::ifstream file(folder / "model.onnx", std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), {});
  std::string const key("\n\x08location"), value("\x12\x0bweights.bin");
  auto const at = content.find(key + value);
  REQUIRE(at != std::string::npos);
  content.replace(at, key.size() + value.size(), value + key);  // the same entry, its value first
  testing::write(folder / "model.onnx", content);
  CHECK(contains(failure(), "keeps weights in another file"));
}

TEST_CASE("frames of other channels, another order of them, or another crop are refused") {
  testing::Folder const folder;
  LinearModel().save(folder / "model.onnx");
  TaggerModel const model(folder / "model.onnx", "cpu");
  auto const failure = [&](std::vector<e2e::Channel> channels, e2e::Crop crop) {
    return message([&] { model.outputs({layout(std::move(channels)), crop, {}, {}, 0}); });  // no object at all
  };
  CHECK(failure({{"EB_energy"}, {"EB_time"}}, {32, 32, 15, 15}) == "no exception");
  CHECK(contains(failure({{"EB_time"}, {"EB_energy"}}, {32, 32, 15, 15}),
                 "the frames hold the channels EB_time, EB_energy"));
  CHECK(contains(failure({{"EB_energy"}}, {32, 32, 15, 15}), "but the model takes EB_energy, EB_time"));
  CHECK(contains(failure({{"EB_energy"}, {"EB_time"}}, {16, 32, 15, 15}), "the frames are 16 x 32 cells"));
  CHECK(contains(failure({{"EB_energy"}, {"EB_time"}}, {32, 32, 16, 15}), "seed at row 16, column 15"));
  CHECK(contains(failure({{"EB_energy"}, {"EB_time"}}, {32, 32, 15, 15, true}),
                 "column 15, turned to look outward, but the model takes 32 x 32 cells with the seed at row 15"));
}

TEST_CASE("frames of another layout are refused, though names and crop are the same") {
  testing::Folder const folder;
  LinearModel jets;
  jets.channels = {{"ECAL_energy"}, {"HCAL_energy", 5}};
  jets.save(folder / "model.onnx");
  TaggerModel const model(folder / "model.onnx", "cpu");
  auto const failure = [&](e2e::FrameOriginPtr origin) {
    return message([&] { model.outputs({std::move(origin), {32, 32, 15, 15}, {}, {}, 0}); });
  };
  CHECK(failure(layout({{"ECAL_energy"}, {"HCAL_energy", 5}})) == "no exception");
  CHECK(failure(layout({{"ECAL_energy"}, {"HCAL_energy"}})) ==
        "the frames hold the channels ECAL_energy, HCAL_energy, but the model takes ECAL_energy, HCAL_energy of 5 x 5 "
        "cells");
  CHECK(failure(layout({{"ECAL_energy"}, {"HCAL_energy", 5}}, 280)) ==
        "the frames are cut from a detector of 280 x 360 cells, but the model takes those of 170 x 360 cells");
  CHECK(contains(failure(layout({{"ECAL_energy"}, {"HCAL_energy", 5}}, 170, 90)), "a detector of 170 x 90 cells"));
  CHECK(contains(message([&] { model.outputs({}); }), "the frames hold the channels , but the model takes"));
}

TEST_CASE("a model of another shape than its JSON is refused before any event") {
  testing::Folder const folder;
  auto const path = folder / "model.onnx";
  auto const failure = [&](LinearModel const& inside, LinearModel const& promised) {
    testing::write(path, inside.onnx());
    testing::write(folder / "model.json", promised.json(sha256(inside.onnx())));
    return message([&] { TaggerModel(path, "cpu"); });
  };
  LinearModel const good;
  CHECK(failure(good, good) == "no exception");
  LinearModel small;
  small.crop = {16, 16, 7, 7};
  small.weights.assign(2 * 16 * 16, 1.f);
  CHECK(contains(failure(small, good), path + ": cannot run on 2 frames"));
  LinearModel renamed;
  renamed.input = "image";
  CHECK(contains(failure(renamed, good), path + ": cannot run on 2 frames"));
  LinearModel fixed;
  fixed.batch = "1";
  CHECK(contains(failure(fixed, good), path + ": cannot run on 2 frames"));
  LinearModel regression;
  regression.outputs = {"mass"};
  CHECK(contains(failure(good, regression), path + ": cannot run on 2 frames"));
  CHECK(contains(failure(regression, good), path + ": cannot run on 2 frames"));
  testing::write(path, "no model");
  testing::write(folder / "model.json", good.json(sha256("no model")));
  CHECK(contains(message([&] { TaggerModel(path, "cpu"); }), path + ": cannot be loaded by provider cpu"));
}

TEST_CASE("the provider is cpu or cuda, and nothing else") {
  testing::Folder const folder;
  LinearModel().save(folder / "model.onnx");
  CHECK(contains(message([&] { TaggerModel(folder / "model.onnx", "gpu"); }), "choose cpu or cuda"));
  if (not std::filesystem::exists("/dev/nvidiactl"))
    CHECK(contains(message([&] { TaggerModel(folder / "model.onnx", "cuda"); }), "cannot be loaded by provider cuda"));
}

TEST_CASE("every object gets its own outputs, in NCHW order") {
  testing::Folder const folder;
  LinearModel model;
  for (std::size_t i = 0; i < model.weights.size(); ++i)
    model.weights[i] = static_cast<float>(i);
  model.save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");

  auto const none = tagger.outputs(frames({}, {}));
  CHECK(none.names() == std::vector<std::string>{"score", "logit"});
  CHECK(none.size() == 0);
  CHECK(none.values().empty());

  constexpr std::size_t size = 2 * 32 * 32;
  std::vector<float> data(3 * size, 0.f);
  data[7] = 0.5f;                               // object 0: channel 0, row 0, column 7
  data[size + 32 * 32 + 32 * 2 + 5] = -0.001f;  // object 3: channel 1, row 2, column 5
  auto const outputs = tagger.outputs(frames({0, 3, 4}, data));
  CHECK(outputs.names() == std::vector<std::string>{"score", "logit"});
  REQUIRE(outputs.object() == std::vector<std::uint32_t>{0, 3, 4});
  REQUIRE(outputs.values().size() == 6);
  std::vector<float> const logits{3.5f, -(1024 + 64 + 5) * 0.001f, 0.f};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(outputs.value(i, 1) == doctest::Approx(logits[i]));
    CHECK(outputs.value(i, 0) == doctest::Approx(1 / (1 + std::exp(-logits[i]))));
  }
}

TEST_CASE("scalars come beside the frames, in the order of the contract") {
  testing::Folder const folder;
  LinearModel model;
  model.outputs = {"mass"};
  model.scalars = {"jetPt", "seed_eta"};
  model.save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  CHECK(tagger.contract().scalars == std::vector<std::string>{"jetPt", "seed_eta"});
  constexpr std::size_t size = 2 * 32 * 32;
  auto const given = [&](std::vector<float> eta, std::vector<float> pt) {
    auto data = std::vector<float>(2 * size, 0.f);
    data[size] = 1.f;
    return e2e::ObjectFrames(layout({{"EB_energy"}, {"EB_time"}}),
                             {32, 32, 15, 15},
                             {0, 4},
                             std::move(data),
                             0,
                             std::move(eta),
                             std::move(pt));
  };
  auto const outputs = tagger.outputs(given({-0.5f, 1.25f}, {50.f, 20.f}));
  CHECK(outputs.value(0, 0) == 49.5f);
  CHECK(outputs.value(1, 0) == 22.25f);
  auto const failure = [&](std::vector<float> eta, std::vector<float> pt) {
    return message([&] { tagger.outputs(given(std::move(eta), std::move(pt))); });
  };
  CHECK(
      contains(failure({0.f, 1.f}, {50.f, std::nanf("")}), "object 4 has no jetPt, which the model takes; write the"));
  CHECK(contains(failure({0.f, 1.f}, {}), "object 0 has no jetPt, which the model takes"));
  CHECK(contains(failure({}, {50.f, 20.f}), "object 0 has no seed_eta, which the model takes"));

  LinearModel unaware = model;
  unaware.scalars.clear();
  testing::write(folder / "model.json", unaware.json(sha256(model.onnx())));
  CHECK(contains(message([&] { TaggerModel(folder / "model.onnx", "cpu"); }), "cannot run on 2 frames"));
}

TEST_CASE("objects outside the domain are counted, and said where they are many") {
  std::vector<ModelContract::Range> const domain{{"jetPt", "", "GeV", 20, 60},
                                                 {"seed_eta", "", "1", 0.1, 1},
                                                 {"hits", "EB_energy", "hits", 1, 3},
                                                 {"smallest", "EB_energy", "GeV", 0.5, 2},
                                                 {"depth", "EB_energy", "m", 0, 1},
                                                 {"pileup", "", "1", 0, 1}};
  constexpr std::size_t size = 2 * 32 * 32, count = 100;
  std::vector<float> eta(count, -0.5f), pt(count, 40.f), data(count * size, 0.f);
  std::vector<std::uint32_t> object(count);
  for (std::size_t i = 0; i < count; ++i)
    data[i * size + 7] = -1.f;
  auto const outside = [&](std::size_t objects) {
    e2e::DomainCounts half(domain.size()), all(domain.size());
    auto const frames = [&](std::size_t first, std::size_t last) {
      auto const part = [&](auto const& values, std::size_t each) {
        return std::vector(values.begin() + first * each, values.begin() + last * each);
      };
      return e2e::ObjectFrames(layout({{"EB_energy"}, {"EB_time"}}),
                               {32, 32, 15, 15},
                               part(object, 1),
                               part(data, size),
                               0,
                               part(eta, 1),
                               part(pt, 1));
    };
    half.add(domain, frames(0, objects / 2));
    all.add(domain, frames(objects / 2, objects));
    all += half;
    return all.outside(domain);
  };
  CHECK(outside(count).empty());
  for (std::size_t i = 0; i < 6; ++i) {
    eta[i] = -1.5f;
    pt[i] = 60.5f;
    data[i * size + 8] = data[i * size + 9] = data[i * size + 10] = 0.25f;
  }
  CHECK(outside(count) == std::vector<std::string>{"6 of 100 objects have jetPt outside 20 to 60 GeV",
                                                   "6 of 100 objects have seed_eta outside 0.1 to 1",
                                                   "6 of 100 objects have number of hits in EB_energy outside 1 to 3",
                                                   "6 of 100 objects have smallest EB_energy of the frame outside 0.5 "
                                                   "to 2 GeV"});
  pt[0] = std::nanf("");  // unknown
  eta[1] = -0.5f;
  CHECK(outside(count).size() == 2);
  CHECK(outside(10).size() == 2);  // at least six
}

TEST_CASE("objects that are too many for one call keep their order and their names") {
  testing::Folder const folder;
  LinearModel model;
  model.outputs = {"mass"};
  model.weights.front() = 1.f;
  model.save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  constexpr std::size_t size = 2 * 32 * 32, count = 2 * 4096 + 1;
  std::vector<std::uint32_t> object(count);
  std::vector<float> data(count * size, 0.f);
  for (std::size_t i = 0; i < count; ++i)
    data[i * size] = static_cast<float>(object[i] = 3 * i);
  auto const outputs = tagger.outputs(frames(object, data));
  REQUIRE(outputs.object() == object);
  REQUIRE(outputs.size() == count);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i)
    wrong += outputs.value(i, 0) != static_cast<float>(3 * i);
  CHECK(wrong == 0);
  data[4096 * size] = std::nanf("");
  CHECK(contains(message([&] { tagger.outputs(frames(object, data)); }), "mass of object 12288 is nan; its hits"));
}

TEST_CASE("outputs are those that the contract names, in its order") {
  testing::Folder const folder;
  LinearModel model;
  for (auto const& names : {std::vector<std::string>{"mass"}, {"logit", "score"}, {"a", "score", "b"}}) {
    model.outputs = names;
    model.save(folder / "model.onnx");
    auto const outputs =
        TaggerModel(folder / "model.onnx", "cpu").outputs(frames({5}, std::vector<float>(2 * 32 * 32, 0.001f)));
    CHECK(outputs.names() == names);
    REQUIRE(outputs.values().size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i)
      CHECK(outputs.value(0, i) == doctest::Approx(names[i] == "score" ? 1 / (1 + std::exp(-2.048)) : 2.048));
  }
}

TEST_CASE("a value that is not finite names model, output and object") {
  testing::Folder const folder;
  LinearModel model;
  model.outputs = {"mass"};
  model.save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  std::vector<float> data(2 * 2 * 32 * 32, 0.f);
  data[2 * 32 * 32] = data[2 * 32 * 32 + 1] = 3e38f;
  auto const failure = [&] { return message([&] { tagger.outputs(frames({1, 7}, data)); }); };
  CHECK(contains(failure(), "model.onnx: mass of object 7 is inf; its frame is finite, so the model is at fault"));
  data[2 * 32 * 32] = std::nanf("");
  CHECK(contains(failure(), "mass of object 7 is nan; its hits are not all finite"));
  model.weights[3] = std::nanf("");
  model.save(folder / "model.onnx");
  CHECK(contains(message([&] { TaggerModel(folder / "model.onnx", "cpu"); }),
                 "gives nan for frames without a hit: its weights are not finite"));
}

TEST_CASE("a model whose numbers are random, or depend on the other objects, is refused") {
  testing::Folder const folder;
  for (auto const* through : {"RandomNormalLike", "Softmax"}) {
    LinearModel model;
    model.through = through;
    model.save(folder / "model.onnx");
    CHECK(contains(message([&] { TaggerModel(folder / "model.onnx", "cpu"); }),
                   "model.onnx: gives an object other numbers alone than beside others"));
  }
}

TEST_CASE("a score that is not that of its logit is refused") {
  testing::Folder const folder;
  LinearModel model;
  model.score = "Tanh";
  model.weights.front() = 1.f;
  model.save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  std::vector<float> data(2 * 2 * 32 * 32, 0.f);
  data[2 * 32 * 32] = 2.f;
  CHECK(contains(message([&] { tagger.outputs(frames({1, 7}, data)); }),
                 "model.onnx: gives score 0.000000 beside logit 0.000000 for object 1, which do not belong together"));
}

TEST_CASE("the session outlives its file: no event loads the model again") {
  testing::Folder const folder;
  LinearModel().save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  std::filesystem::remove(folder / "model.onnx");
  std::filesystem::remove(folder / "model.json");
  for (int i = 0; i < 3; ++i)
    CHECK(tagger.outputs(frames({0}, std::vector<float>(2 * 32 * 32, 0.f))).value(0, 0) == 0.5f);
}

TEST_CASE("two threads share one session") {
  testing::Folder const folder;
  LinearModel().save(folder / "model.onnx");
  TaggerModel const tagger(folder / "model.onnx", "cpu");
  std::atomic<int> wrong{0};
  auto const work = [&](float value) {
    for (int i = 1; i < 20; ++i) {
      std::vector<std::uint32_t> objects(i, 0);
      auto const outputs = tagger.outputs(frames(objects, std::vector<float>(i * 2 * 32 * 32, value)));
      for (int object = 0; object < i; ++object)
        wrong += std::abs(outputs.value(object, 1) - value * 2 * 32 * 32) > 1e-3f;
    }
  };
  std::thread first(work, 0.001f), second(work, -0.002f);
  first.join();
  second.join();
  CHECK(wrong == 0);
}
