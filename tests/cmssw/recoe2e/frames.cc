// The barrel frame, its seeds and the crops around them.
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "doctest/doctest.h"

#include "RecoE2E/FrameProducers/interface/FrameBuilder.h"
#include "RecoE2E/FrameProducers/interface/FrameCropper.h"
#include "RecoE2E/FrameProducers/interface/makeSeeds.h"
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
    std::vector<float> images[2];
    for (std::uint32_t channel = 0; channel < 2; ++channel)
      for (std::uint32_t row = 0; row < kRows; ++row)
        for (std::uint32_t column = 0; column < kColumns; ++column)
          images[channel].push_back(label(channel, row, column));
    return barrel().build({&images[0], &images[1]});
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
  auto const frame = barrel().build({&energy, &time});
  CHECK(frame.channels() == std::vector<std::string>{"EB_energy", "EB_time"});
  CHECK(frame.rows() == kRows);
  CHECK(frame.columns() == kColumns);
  CHECK(frame.index() == std::vector<std::uint32_t>{0, kCells - 1, kCells + 360});
  CHECK(frame.value() == std::vector<float>{1.5f, 2.5f, -3.f});
}

TEST_CASE("an empty event gives an empty frame, and zero frames around its seeds") {
  std::vector<float> const none(kCells, 0.f);
  auto const frame = barrel().build({&none, &none});
  CHECK(frame.size() == 0);
  CHECK(e2e::FrameCropper(kPhoton).cut(frame, {}).size() == 0);
  auto const frames = e2e::FrameCropper(kPhoton).cut(frame, {{0, 80, 0}});
  CHECK(frames.data() == std::vector<float>(2 * 32 * 32, 0.f));
}

TEST_CASE("an image of another length names its channel and both sizes") {
  std::vector<float> const good(kCells, 0.f), bad(kCells - 1, 0.f);
  auto const text = message([&] { barrel().build({&good, &bad}); });
  CHECK(contains(text, "EB_time has 61199 values; expected 170 x 360"));
}

TEST_CASE("a value that is not finite names channel, row and column") {
  for (auto const value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> energy(kCells, 0.f), time(kCells, 0.f);
    time[3 * 360 + 7] = value;
    auto const text = message([&] { barrel().build({&energy, &time}); });
    CHECK(contains(text, "EB_time is "));
    CHECK(contains(text, "row 3, column 7"));
  }
}

TEST_CASE("a frame too large for its index is refused") {
  CHECK(contains(message([] { e2e::FrameBuilder({{"a"}, {"b"}}, 65536, 32768); }), "32 bits"));
  CHECK(contains(message([] { e2e::FrameBuilder({}, 170, 360); }), "at least one channel"));
}

TEST_CASE("a tower is spread evenly over its crystals, and the image starts under its shift") {
  e2e::FrameBuilder const builder({{"HBHE_energy", 5, 10}}, 280, 360);
  std::vector<float> towers(56 * 72, 0.f);
  towers[3 * 72 + 0] = 25.f;   // under columns 10 to 14
  towers[3 * 72 + 70] = 50.f;  // wraps around: under columns 0 to 4
  auto const frame = builder.build({&towers});
  REQUIRE(frame.size() == 50);
  for (std::uint32_t row = 0; row < 5; ++row)
    for (std::uint32_t column = 0; column < 5; ++column) {
      auto const hit = row * 10 + column;
      CHECK(frame.index()[hit] == (15 + row) * 360 + column);
      CHECK(frame.value()[hit] == 2.f);
      CHECK(frame.index()[hit + 5] == (15 + row) * 360 + 10 + column);
      CHECK(frame.value()[hit + 5] == 1.f);
    }
  towers[5 * 72 + 71] = std::nanf("");
  CHECK(contains(message([&] { builder.build({&towers}); }), "HBHE_energy is nan at row 5, column 71"));
  std::vector<float> const crystals(280 * 360, 0.f);
  CHECK(contains(message([&] { builder.build({&crystals}); }), "has 100800 values; expected 56 x 72"));
}

TEST_CASE("layers that do not fit the frame are refused") {
  for (auto const& layer : {e2e::Layer{"h", 0, 0}, {"h", 7, 0}, {"h", 5, 3}, {"h", 5, 360}})
    CHECK(contains(message([&] { e2e::FrameBuilder({layer}, 280, 360); }), "do not fit a detector frame of 280 x 360"));
}

TEST_CASE("the seed of a tower is its middle crystal") {
  auto const seeds = e2e::makeSeeds({0.f, 55.f}, {71.f, 2.f}, 280, 360, 5);
  CHECK(seeds[0].row == 2);
  CHECK(seeds[0].column == 357);
  CHECK(seeds[1].row == 277);
  CHECK(seeds[1].column == 12);
  CHECK(contains(message([] { e2e::makeSeeds({56.f}, {0.f}, 280, 360, 5); }), "row 56.000000; they are numbered 0 to 55"));
}

TEST_CASE("seeds keep the index of their object") {
  auto const seeds = e2e::makeSeeds({80.f, 169.f}, {0.f, 359.f}, kRows, kColumns);
  REQUIRE(seeds.size() == 2);
  CHECK(seeds[1].object == 1);
  CHECK(seeds[1].row == 169);
  CHECK(seeds[1].column == 359);
  CHECK(e2e::makeSeeds({}, {}, kRows, kColumns).empty());
}

TEST_CASE("seeds that are no cells of the detector are refused") {
  auto const text = [](float row, float column) {
    return message([=] { e2e::makeSeeds({80.f, row}, {0.f, column}, kRows, kColumns); });
  };
  CHECK(contains(text(80.f, 360.f), "the seed of object 1 is in column 360.000000; they are numbered 0 to 359"));
  CHECK(contains(text(80.f, -1.f), "object 1 is in column -1"));
  CHECK(contains(text(170.f, 0.f), "object 1 is in row 170.000000; they are numbered 0 to 169"));
  CHECK(contains(text(80.5f, 0.f), "object 1 is in row 80.5"));
  CHECK(contains(text(std::nanf(""), 0.f), "object 1 is in row nan"));
  CHECK(contains(message([] { e2e::makeSeeds({80.f}, {}, kRows, kColumns); }), "1 seed rows, but 0 seed columns"));
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
