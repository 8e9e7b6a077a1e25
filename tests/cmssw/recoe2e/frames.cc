// The barrel frame, its seeds and the crops around them.
#include <atomic>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "doctest/doctest.h"

#include "RecoE2E/FrameTools/interface/FrameBuilder.h"
#include "RecoE2E/FrameTools/interface/FrameCropper.h"
#include "RecoE2E/FrameTools/interface/number.h"
#include "RecoE2E/RHTree/interface/makeSeeds.h"
#include "RecoE2E/RHTree/interface/pairObjects.h"
#include "testing.h"

using testing::contains;
using testing::message;

namespace {
  constexpr std::uint32_t kRows = 170, kColumns = 360, kCells = kRows * kColumns;
  constexpr e2e::Crop kPhoton{32, 32, 15, 15};

  e2e::FrameBuilder barrel() { return {{{"EB_energy"}, {"EB_time"}}, kRows, kColumns}; }

  /// A value that tells the cell it comes from, and is exact in float.
  float label(std::uint32_t channel, std::uint32_t row, std::uint32_t column) {
    return 1.f + column + 360.f * (row + 170.f * channel);
  }

  e2e::DetectorFrame labelled() {
    std::vector<std::vector<float>> images(2);
    for (std::uint32_t channel = 0; channel < 2; ++channel)
      for (std::uint32_t row = 0; row < kRows; ++row)
        for (std::uint32_t column = 0; column < kColumns; ++column)
          images[channel].push_back(label(channel, row, column));
    return barrel().build(images);
  }

  /// Every cell of a photon's crop around (row, column) is where it should be.
  void checkCrop(e2e::ObjectFrames const& frames, std::size_t object, int row, int column) {
    int wrong = 0;
    for (int channel = 0; channel < 2; ++channel)
      for (int r = 0; r < 32; ++r)
        for (int c = 0; c < 32; ++c) {
          auto const expected = label(channel, row - 15 + r, (column - 15 + c + 360) % 360);
          wrong += frames.data()[((object * 2 + channel) * 32 + r) * 32 + c] != expected;
        }
    CHECK(wrong == 0);
  }
}  // namespace

TEST_CASE("a detector frame holds exactly the hits of its images, sorted") {
  std::vector<float> energy(kCells, 0.f), time(kCells, 0.f);
  energy[0] = 1.5f;
  energy[kCells - 1] = 2.5f;
  time[360] = -3.f;
  auto const frame = barrel().build({energy, time});
  CHECK(frame.channels() == std::vector<std::string>{"EB_energy", "EB_time"});
  CHECK(frame.rows() == kRows);
  CHECK(frame.columns() == kColumns);
  CHECK(frame.index() == std::vector<std::uint32_t>{0, kCells - 1, kCells + 360});
  CHECK(frame.value() == std::vector<float>{1.5f, 2.5f, -3.f});
}

TEST_CASE("an empty event gives an empty frame, and zero frames around its seeds") {
  std::vector<float> const none(kCells, 0.f);
  auto const frame = barrel().build({none, none});
  CHECK(frame.size() == 0);
  CHECK(e2e::FrameCropper(kPhoton).cut(frame, {}).size() == 0);
  auto const frames = e2e::FrameCropper(kPhoton).cut(frame, {{0, 80, 0}});
  CHECK(frames.data() == std::vector<float>(2 * 32 * 32, 0.f));
}

TEST_CASE("an image of another length names its channel and both sizes") {
  std::vector<float> const good(kCells, 0.f), bad(kCells - 1, 0.f);
  auto const text = message([&] { barrel().build({good, bad}); });
  CHECK(contains(text, "EB_time has 61199 values; a frame of 170 x 360 has 61200"));
}

TEST_CASE("a value in a crop that is not finite is named as its file numbers it; elsewhere it does not matter") {
  std::vector<float> energy(kCells, 0.f), time(kCells, 0.f);
  time[80 * 360 + 7] = std::nanf("");
  time[20 * 360 + 7] = -std::numeric_limits<float>::infinity();
  auto const frame = barrel().build({energy, time});
  e2e::FrameCropper const cropper(kPhoton);
  CHECK(cropper.cut(frame, {{0, 80, 100}, {1, 50, 7}}).size() == 2);
  CHECK(message([&] { cropper.cut(frame, {{0, 95, 352}}); }) ==
        "EB_time is nan at row 80, column 7; a cell without a hit is 0");
  CHECK(contains(message([&] { cropper.cut(frame, {{0, 15, 0}}); }), "EB_time is -inf at row 20, column 7"));

  auto origin = std::make_shared<e2e::FrameOrigin>();
  origin->channels = {{"HCAL_energy", 5, "HBHE_energy", 2}};
  std::vector<float> towers(34 * 72, 0.f);
  towers[16 * 72 + 1] = std::nanf("");
  auto const coarse = e2e::FrameBuilder({{"HCAL_energy", 5}}, kRows, kColumns).build({towers}, origin);
  CHECK(message([&] { cropper.cut(coarse, {{0, 80, 7}}); }) ==
        "HBHE_energy is nan at row 16, column 71; a cell without a hit is 0");
}

TEST_CASE("a frame too large for its index is refused") {
  CHECK(contains(message([] { e2e::FrameBuilder({{"a"}, {"b"}}, 65536, 32768); }), "32 bits"));
  CHECK(contains(message([] { e2e::FrameBuilder({}, 170, 360); }), "at least one channel"));
}

TEST_CASE("a tower is spread evenly over the crystals above it") {
  e2e::FrameBuilder const builder({{"HCAL_energy", 5}}, 280, 360);
  std::vector<float> towers(56 * 72, 0.f);
  towers[3 * 72 + 0] = 25.f;   // over columns 0 to 4
  towers[3 * 72 + 71] = 50.f;  // over columns 355 to 359
  auto const frame = builder.build({towers});
  REQUIRE(frame.size() == 50);
  for (std::uint32_t row = 0; row < 5; ++row)
    for (std::uint32_t column = 0; column < 5; ++column) {
      auto const hit = row * 10 + column;
      CHECK(frame.index()[hit] == (15 + row) * 360 + column);
      CHECK(frame.value()[hit] == 1.f);
      CHECK(frame.index()[hit + 5] == (15 + row) * 360 + 355 + column);
      CHECK(frame.value()[hit + 5] == 2.f);
    }
  std::vector<float> const crystals(280 * 360, 0.f);
  CHECK(contains(message([&] { builder.build({crystals}); }), "has 100800 values; a frame of 56 x 72 has 4032"));
}

TEST_CASE("layers that do not fit the frame are refused") {
  for (auto const& layer : {e2e::Layer{"h", 0}, {"h", 7}, {"h", 11}})
    CHECK(contains(message([&] { e2e::FrameBuilder({layer}, 280, 360); }), "do not fit a detector frame of 280 x 360"));
}

namespace {
  e2e::SeedCollection crystals(std::vector<float> rows, std::vector<float> columns) {
    return e2e::makeSeeds({"SC_ieta", std::move(rows)}, {"SC_iphi", std::move(columns)}, kRows, kColumns);
  }
}  // namespace

TEST_CASE("the seed of a tower is its middle crystal") {
  auto const squares = e2e::makeSeeds({"r", {0.f, 55.f}}, {"c", {71.f, 2.f}}, 280, 360, 5);
  CHECK(squares[1].row == 55);
  auto const seeds = e2e::middleCells(squares, 5);
  CHECK(seeds[0].row == 2);
  CHECK(seeds[0].column == 357);
  CHECK(seeds[1].row == 277);
  CHECK(seeds[1].column == 12);
  CHECK(message([] { e2e::makeSeeds({"r", {56.f}}, {"c", {0.f}}, 280, 360, 5); }) ==
        "r holds a seed at 56.0; towers are numbered 0 to 55");
}

TEST_CASE("seeds keep the index of their object") {
  auto const seeds = e2e::middleCells(crystals({80.f, 169.f}, {0.f, 359.f}), 1);
  REQUIRE(seeds.size() == 2);
  CHECK(seeds[1].object == 1);
  CHECK(seeds[1].row == 169);
  CHECK(seeds[1].column == 359);
  CHECK(crystals({}, {}).empty());
}

TEST_CASE("seeds that are no cells of the detector are refused") {
  auto const text = [](float row, float column) { return message([=] { crystals({80.f, row}, {0.f, column}); }); };
  CHECK(text(80.f, 360.f) == "SC_iphi holds a seed at 360.0; crystals are numbered 0 to 359");
  CHECK(contains(text(80.f, -1.f), "SC_iphi holds a seed at -1.0"));
  CHECK(contains(text(170.f, 0.f), "SC_ieta holds a seed at 170.0; crystals are numbered 0 to 169"));
  CHECK(contains(text(80.5f, 0.f), "SC_ieta holds a seed at 80.5"));
  CHECK(contains(text(std::nanf(""), 0.f), "SC_ieta holds a seed at nan"));
  CHECK(message([] { crystals({80.f}, {}); }) == "SC_iphi has 0 objects, SC_ieta 1; a seed needs both");
}

TEST_CASE("numbers are written as Python writes them") {
  for (auto const& [value, text] : std::initializer_list<std::pair<double, char const*>>{
           {360., "360.0"}, {-0.5, "-0.5"}, {0.1f, "0.10000000149011612"}, {1e20f, "1.0000000200408773e+20"},
           {1e16, "1e+16"}, {123456789., "123456789.0"}, {1e-5, "1e-05"}, {0., "0.0"}})
    CHECK(e2e::number(value) == text);
}

namespace {
  constexpr double kTower = 2 * M_PI / 72;

  /// Jets in the middle of towers, as an analyzer lists them, with these momenta.
  e2e::ListedObjects listed(std::vector<std::pair<int, int>> const& towers, std::vector<float> momenta) {
    e2e::ListedObjects objects{
        "jetSeed_ieta", {"jet_Pt", momenta}, {{"jet_Eta", {}}, {"jet_Px", {}}, {"jet_Py", {}}}};
    for (std::size_t i = 0; i < towers.size(); ++i) {
      auto const phi = kTower * (towers[i].second + 0.5 - 2);
      objects.direction[0].values.push_back(static_cast<float>(0.087 * (towers[i].first + 0.5 - 28)));
      objects.direction[1].values.push_back(static_cast<float>(momenta[i] * std::cos(phi)));
      objects.direction[2].values.push_back(static_cast<float>(momenta[i] * std::sin(phi)));
    }
    return objects;
  }
}  // namespace

TEST_CASE("jets that are listed in another order belong to the seeds in the order of their momenta") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}, {2, 43, 0}};
  CHECK(e2e::pairObjects(seeds, listed({{43, 0}, {30, 71}, {12, 40}}, {20.f, 90.f, 50.f})).size() == 3);
  CHECK(e2e::pairObjects(seeds, listed({{43, 71}, {30, 3}, {12, 36}}, {20.f, 90.f, 50.f})).size() == 3);  // nearby
  CHECK(message([&] { e2e::pairObjects(seeds, listed({{43, 0}, {30, 71}, {12, 40}}, {60.f, 90.f, 50.f})); }) ==
        "the jet with jet_Pt in this place does not lie at its seed (row 12, column 40), as jet_Eta and jet_Px and "
        "jet_Py say; jets and seeds cannot be told to belong together");
  CHECK(contains(message([&] { e2e::pairObjects(seeds, listed({{43, 0}, {30, 71}, {12, 35}}, {20.f, 90.f, 50.f})); }),
                 "(row 12, column 40)"));
  auto nowhere = listed({{30, 71}, {12, 40}, {43, 0}}, {90.f, 50.f, 20.f});
  nowhere.direction[0].values[1] = std::nanf("");
  CHECK(contains(message([&] { e2e::pairObjects(seeds, nowhere); }), "(row 12, column 40)"));
}

TEST_CASE("a jet that is listed twice goes in once, and the others keep their numbers") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 30, 71}, {2, 43, 0}};
  auto const paired = e2e::pairObjects(seeds, listed({{43, 0}, {30, 71}, {30, 71}}, {20.f, 90.f, 90.f}));
  REQUIRE(paired.size() == 2);
  CHECK(paired[0].object == 0);
  CHECK(paired[1].object == 2);
  // with less of a direction, or none, too
  auto objects = listed({{43, 0}, {30, 71}, {30, 71}}, {20.f, 90.f, 90.f});
  objects.direction.resize(1);
  CHECK(e2e::pairObjects(seeds, objects).size() == 2);
  objects.direction.clear();
  CHECK(e2e::pairObjects(seeds, objects).size() == 2);
  // two jets at one seed are two
  CHECK(e2e::pairObjects(seeds, listed({{43, 0}, {30, 71}, {30, 71}}, {20.f, 90.f, 80.f})).size() == 3);
}

TEST_CASE("jets that cannot be ordered are refused") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}};
  auto const text = [&](e2e::ListedObjects const& objects) {
    return message([&] { e2e::pairObjects(seeds, objects); });
  };
  auto const good = listed({{30, 71}, {12, 40}}, {90.f, 50.f});
  CHECK(text(good) == "no exception");
  auto bad = good;
  bad.falling.values = {};
  CHECK(text(bad) == "jet_Pt has 0 objects, jetSeed_ieta 2; its order tells which jet has which seed");
  bad.falling.values = {90.f, std::numeric_limits<float>::infinity()};
  CHECK(text(bad) == "jet_Pt is inf; its order tells which jet has which seed");
  bad = good;
  bad.direction[2].values.pop_back();
  CHECK(text(bad) == "jet_Py has 1 objects, jetSeed_ieta 2");
}

TEST_CASE("crops wrap around in phi at both ends") {
  auto const frame = labelled();
  e2e::FrameCropper const cropper(kPhoton);
  for (int const column : {0, 1, 14, 15, 16, 180, 342, 343, 344, 359}) {
    CAPTURE(column);
    auto const frames = cropper.cut(frame, {{0, 80, column}});
    REQUIRE(frames.size() == 1);
    checkCrop(frames, 0, 80, column);
  }
}

TEST_CASE("crops end with the barrel: what would cross its end is rejected and counted") {
  auto const frame = labelled();
  // 15 rows below the seed and 16 above it must exist.
  auto const frames = e2e::FrameCropper(kPhoton).cut(
      frame, {{0, 14, 9}, {1, 15, 9}, {2, 153, 9}, {3, 154, 9}, {4, -999, 9}, {5, 170, 9}});
  CHECK(frames.object() == std::vector<std::uint32_t>{1, 2});
  CHECK(frames.rejected() == 4);
  checkCrop(frames, 0, 15, 9);
  checkCrop(frames, 1, 153, 9);
}

TEST_CASE("several objects of an event get their own frames, in their order") {
  auto const frames = e2e::FrameCropper(kPhoton).cut(labelled(), {{4, 100, 350}, {7, 20, 3}, {9, 100, 350}});
  CHECK(frames.object() == std::vector<std::uint32_t>{4, 7, 9});
  CHECK(frames.rejected() == 0);
  CHECK(frames.channels() == std::vector<std::string>{"EB_energy", "EB_time"});
  CHECK(frames.data().size() == 3 * 2 * 32 * 32);
  checkCrop(frames, 0, 100, 350);
  checkCrop(frames, 1, 20, 3);
  checkCrop(frames, 2, 100, 350);
}

TEST_CASE("a jet's crop of 125 x 125 cells around its seed at 62") {
  auto const frame = labelled();
  auto const frames =
      e2e::FrameCropper({125, 125, 62, 62}).cut(frame, {{0, 62, 5}, {1, 61, 5}, {2, 107, 5}, {3, 108, 5}});
  CHECK(frames.object() == std::vector<std::uint32_t>{0, 2});
  CHECK(frames.rejected() == 2);
  CHECK(frames.data()[62 * 125 + 62] == label(0, 62, 5));
  CHECK(frames.data()[0] == label(0, 0, 303));
  CHECK(frames.data().back() == label(1, 169, 67));
}

TEST_CASE("a crop as wide as the detector holds every column once") {
  auto const frames = e2e::FrameCropper({2, 360, 0, 0}).cut(labelled(), {{0, 10, 359}});
  CHECK(frames.data()[0] == label(0, 10, 359));
  CHECK(frames.data()[1] == label(0, 10, 0));
  CHECK(frames.data()[359] == label(0, 10, 358));
}

TEST_CASE("crops that cannot be are refused") {
  CHECK(contains(message([] { e2e::FrameCropper({32, 32, 32, 15}); }), "seed at row 32"));
  CHECK(contains(message([] { e2e::FrameCropper({0, 0, 0, 0}); }), "0 x 0"));
  auto const frame = labelled();
  CHECK(contains(message([&] { e2e::FrameCropper({171, 32, 15, 15}).cut(frame, {}); }), "larger than the detector"));
  e2e::DetectorFrame const outside({"EB_energy"}, 170, 360, {kCells}, {1.f});
  CHECK(contains(message([&] { e2e::FrameCropper(kPhoton).cut(outside, {}); }), "index 61200"));
}

TEST_CASE("two threads cut from one frame with one cropper") {
  auto const frame = labelled();
  e2e::FrameCropper const cropper(kPhoton);
  auto const expected = cropper.cut(frame, {{0, 80, 350}, {1, 30, 2}}).data();
  std::atomic<int> wrong{0};
  auto const work = [&] {
    for (int i = 0; i < 20; ++i)
      wrong += cropper.cut(frame, {{0, 80, 350}, {1, 30, 2}}).data() != expected;
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
  CHECK(wrong == 0);
}
