// The detector frame, and the crops around seeds.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "doctest/doctest.h"

#include "RecoE2E/FrameTools/interface/FrameBuilder.h"
#include "RecoE2E/FrameTools/interface/FrameCropper.h"
#include "RecoE2E/FrameTools/interface/geometry.h"
#include "RecoE2E/FrameTools/interface/number.h"
#include "testing.h"

using testing::contains;
using testing::layout;
using testing::message;

namespace {
  constexpr std::uint32_t kRows = 170, kColumns = 360, kCells = kRows * kColumns;
  constexpr e2e::Crop kPhoton{32, 32, 15, 15};

  std::vector<e2e::Channel> const kChannels{{"EB_energy"}, {"EB_time"}};

  e2e::FrameBuilder barrel() { return e2e::FrameBuilder(layout(kChannels)); }

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
  CHECK(frame.channels() == kChannels);
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

  auto origin = std::make_shared<e2e::FrameOrigin>(*layout({{"HCAL_energy", 5}}));
  origin->written = {{"HBHE_energy", 2}};
  std::vector<float> towers(34 * 72, 0.f);
  towers[16 * 72 + 1] = std::nanf("");
  auto const coarse = e2e::FrameBuilder(origin).build({towers});
  CHECK(message([&] { cropper.cut(coarse, {{0, 80, 7}}); }) ==
        "HBHE_energy is nan at row 16, column 71; a cell without a hit is 0");
}

TEST_CASE("a frame too large for its index is refused") {
  CHECK(contains(message([] { e2e::FrameBuilder(layout({{"a"}, {"b"}}, 65536, 32768)); }), "32 bits"));
  CHECK(contains(message([] { e2e::FrameBuilder(layout({})); }), "at least one channel"));
}

TEST_CASE("a tower is spread evenly over the crystals above it") {
  e2e::FrameBuilder const builder(layout({{"HCAL_energy", 5}}, 280));
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

TEST_CASE("channels that do not fit the frame are refused") {
  for (auto const& channel : {e2e::Channel{"h", 0}, {"h", 7}, {"h", 11}})
    CHECK(contains(message([&] { e2e::FrameBuilder(layout({channel}, 280)); }),
                   "do not fit a detector frame of 280 x 360"));
}

namespace {
  using Hits = std::vector<std::vector<e2e::Hit>>;

  e2e::FrameBuilder ecalAndHcal() { return e2e::FrameBuilder(layout({{"ECAL_energy"}, {"HCAL_energy", 5}}, 280)); }
}  // namespace

TEST_CASE("single hits, in any order, give the frame of the images that hold them, bit by bit") {
  std::mt19937 random(7);
  Hits hits(2);
  std::vector<std::vector<float>> images{std::vector<float>(280 * 360, 0.f), std::vector<float>(56 * 72, 0.f)};
  for (auto const channel : {0, 1})
    for (std::size_t cell = 0; cell < images[channel].size(); ++cell) {
      if (random() % 20 != 0)
        continue;
      auto const columns = channel == 0 ? 360u : 72u, place = static_cast<std::uint32_t>(cell);
      auto const value = random() % 10 == 0 ? 0.f : static_cast<float>(random()) / 7e8f - 1.f;
      images[channel][cell] = value;
      hits[channel].push_back({place / columns, place % columns, value});
    }
  images[1][55 * 72 + 71] = std::nanf("");  // the last tower
  hits[1].push_back({55, 71, std::nanf("")});
  auto const wanted = ecalAndHcal().build(images);
  for (auto& list : hits)
    std::shuffle(list.begin(), list.end(), random);
  auto const found = ecalAndHcal().build(hits);
  REQUIRE(found.size() > 8000);
  CHECK(found.index() == wanted.index());
  CHECK(std::memcmp(found.value().data(), wanted.value().data(), wanted.size() * sizeof(float)) == 0);
  CHECK(found.origin()->channels == wanted.origin()->channels);
  CHECK(ecalAndHcal().build(Hits(2)).size() == 0);
}

TEST_CASE("a hit outside the frame, or a second one at its place, is named") {
  auto const failure = [](Hits const& hits) { return message([&] { ecalAndHcal().build(hits); }); };
  CHECK(failure({{{279, 359, 1.f}}, {{55, 71, 1.f}}}) == "no exception");
  CHECK(failure({{{280, 0, 1.f}}, {}}) == "ECAL_energy has a hit at row 280, column 0, outside a frame of 280 x 360");
  CHECK(failure({{}, {{0, 72, 1.f}}}) == "HCAL_energy has a hit at row 0, column 72, outside a frame of 56 x 72");
  CHECK(failure({{}, {{3, 4, 1.f}, {3, 5, 1.f}, {3, 4, 2.f}}}) ==
        "HCAL_energy has a hit at row 3, column 4 twice; add them up, or choose one");
  CHECK(failure({{{0, 0, 1.f}}}) == "1 lists of hits for a frame of 2 channels");
}

TEST_CASE("directions lie in the towers of HCAL's geometry") {
  // HcalDetId: ieta 1 from eta 0 to 0.087, ieta -1 below; iphi 71 and 72 before phi 0, which is where iphi 1 begins.
  CHECK(static_cast<int>(e2e::towerRow(0.01)) == 28);
  CHECK(static_cast<int>(e2e::towerRow(-0.01)) == 27);
  CHECK(static_cast<int>(e2e::towerRow(0.088)) == 29);
  auto const degree = M_PI / 180;
  CHECK(static_cast<int>(e2e::towerColumn(-9.9 * degree)) == 0);
  CHECK(static_cast<int>(e2e::towerColumn(0.1 * degree)) == 2);
  CHECK(static_cast<int>(e2e::towerColumn(179.9 * degree)) == 37);
  CHECK(e2e::towerColumn(349.9 * degree) - e2e::towerColumn(-10.1 * degree) == doctest::Approx(e2e::kTowerColumns));
}

TEST_CASE("numbers are written as Python writes them") {
  for (auto const& [value, text] :
       std::initializer_list<std::pair<double, char const*>>{{360., "360.0"},
                                                             {-0.5, "-0.5"},
                                                             {0.1f, "0.10000000149011612"},
                                                             {1e20f, "1.0000000200408773e+20"},
                                                             {1e16, "1e+16"},
                                                             {123456789., "123456789.0"},
                                                             {1e-5, "1e-05"},
                                                             {0., "0.0"}})
    CHECK(e2e::number(value) == text);
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
  CHECK(frames.channels() == kChannels);
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

namespace {
  /// Every cell of a crop around (row, column) of z < 0 that looks outward is where it should be.
  void checkTurned(e2e::ObjectFrames const& frames, std::size_t object, int row, int column) {
    int wrong = 0;
    for (int channel = 0; channel < 2; ++channel)
      for (int r = 0; r < 32; ++r)
        for (int c = 0; c < 32; ++c) {
          auto const expected = label(channel, row + 15 - r, (column + 15 - c + 360) % 360);
          wrong += frames.data()[((object * 2 + channel) * 32 + r) * 32 + c] != expected;
        }
    CHECK(wrong == 0);
  }
}  // namespace

TEST_CASE("crops that look outward are turned at z < 0 alone, about the seed, over the seam in phi") {
  e2e::FrameCropper const cropper({32, 32, 15, 15, true});
  auto const frames = cropper.cut(labelled(), {{0, 84, 350}, {1, 85, 350}, {2, 16, 3}, {3, 153, 3}});
  CHECK(frames.object() == std::vector<std::uint32_t>{0, 1, 2, 3});
  CHECK(frames.crop().outward);
  checkTurned(frames, 0, 84, 350);
  checkCrop(frames, 1, 85, 350);
  checkTurned(frames, 2, 16, 3);
  checkCrop(frames, 3, 153, 3);
  // The same by hand: the seed, the cell before it, the first and the last one.
  auto const at = [&](int object, int r, int c) { return frames.data()[(object * 64 + r) * 32 + c]; };
  CHECK(at(2, 15, 15) == label(0, 16, 3));
  CHECK(at(2, 14, 15) == label(0, 17, 3));
  CHECK(at(2, 15, 14) == label(0, 16, 4));
  CHECK(at(2, 0, 0) == label(0, 31, 18));
  CHECK(at(2, 31, 31) == label(0, 0, 347));
  CHECK(at(3, 0, 0) == label(0, 138, 348));
  CHECK(at(3, 31, 31) == label(0, 169, 19));
}

TEST_CASE("crops that look outward end as far from the middle at either end of the detector") {
  e2e::FrameCropper const cropper({32, 32, 15, 15, true});
  auto const frames = cropper.cut(labelled(), {{0, 15, 3}, {1, 16, 3}, {2, 153, 3}, {3, 154, 3}});
  CHECK(frames.object() == std::vector<std::uint32_t>{1, 2});
  CHECK(frames.rejected() == 2);
}

TEST_CASE("a value that is not finite in a crop that is turned is named where it lies") {
  std::vector<float> energy(kCells, 0.f), time(kCells, 0.f);
  time[20 * 360 + 7] = std::nanf("");
  auto const frame = barrel().build({energy, time});
  CHECK(message([&] { e2e::FrameCropper({32, 32, 15, 15, true}).cut(frame, {{0, 30, 352}}); }) ==
        "EB_time is nan at row 20, column 7; a cell without a hit is 0");
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
  e2e::DetectorFrame const outside(layout({{"EB_energy"}}), {kCells}, {1.f});
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
