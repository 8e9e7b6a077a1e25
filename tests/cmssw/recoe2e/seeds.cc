// The seeds of an ntuple's objects.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "doctest/doctest.h"

#include "RecoE2E/FrameTools/interface/geometry.h"
#include "RecoE2E/RHTree/interface/checkPairs.h"
#include "RecoE2E/RHTree/interface/makeSeeds.h"
#include "RecoE2E/RHTree/interface/pairMomenta.h"
#include "testing.h"

using testing::contains;
using testing::message;

namespace {
  e2e::SeedCollection crystals(std::vector<float> rows, std::vector<float> columns) {
    return e2e::makeSeeds({"SC_ieta", std::move(rows)}, {"SC_iphi", std::move(columns)}, 170, 360);
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

namespace {
  constexpr double kTower = 2 * M_PI / 72;

  /// Jets in the middle of towers, as an analyzer lists them, with these momenta.
  e2e::ListedObjects listed(std::vector<std::pair<int, int>> const& towers, std::vector<float> momenta) {
    e2e::ListedObjects objects{"jetSeed_ieta", {"jet_Pt", momenta}, {{"jet_Eta", {}}, {"jet_Px", {}}, {"jet_Py", {}}}};
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
  auto const text = [&](e2e::ListedObjects const& objects) {
    return message([&] { e2e::checkPairs(seeds, objects); });
  };
  CHECK(text(listed({{43, 0}, {30, 71}, {12, 40}}, {20.f, 90.f, 50.f})) == "no exception");
  CHECK(text(listed({{43, 71}, {30, 3}, {12, 36}}, {20.f, 90.f, 50.f})) == "no exception");  // nearby
  CHECK(text(listed({{43, 0}, {30, 71}, {12, 40}}, {60.f, 90.f, 50.f})) ==
        "the jet with jet_Pt in this place does not lie at its seed (row 12, column 40), as jet_Eta and jet_Px and "
        "jet_Py say; jets and seeds cannot be told to belong together");
  CHECK(contains(text(listed({{43, 0}, {30, 71}, {12, 35}}, {20.f, 90.f, 50.f})), "(row 12, column 40)"));
  auto nowhere = listed({{30, 71}, {12, 40}, {43, 0}}, {90.f, 50.f, 20.f});
  nowhere.direction[0].values[1] = std::nanf("");
  CHECK(contains(text(nowhere), "(row 12, column 40)"));
}

TEST_CASE("jets of one momentum belong to the seeds where they lie") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}, {2, 43, 0}};
  auto const text = [&](e2e::ListedObjects const& objects) {
    return message([&] { e2e::checkPairs(seeds, objects); });
  };
  CHECK(text(listed({{43, 0}, {12, 40}, {30, 71}}, {20.f, 50.f, 50.f})) == "no exception");
  CHECK(text(listed({{12, 40}, {43, 0}, {30, 71}}, {50.f, 50.f, 50.f})) == "no exception");
  // two at the first seed, and none at the second; and one that lies nowhere
  CHECK(contains(text(listed({{43, 0}, {30, 71}, {30, 71}}, {20.f, 50.f, 50.f})), "(row 12, column 40)"));
  CHECK(contains(text(listed({{43, 0}, {30, 71}, {20, 20}}, {20.f, 50.f, 50.f})), "(row 12, column 40)"));
}

TEST_CASE("a jet that is listed twice goes in once, and the others keep their numbers") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 43, 0}, {2, 30, 71}, {3, 43, 1}};
  auto const once = e2e::eachOnce(seeds);
  REQUIRE(once.size() == 3);
  CHECK(once[0].object == 0);
  CHECK(once[1].object == 1);
  CHECK(once[2].object == 3);
  CHECK(e2e::eachOnce({}).empty());
  e2e::SeedCollection const twice{{0, 30, 71}, {1, 30, 71}, {2, 43, 0}};
  CHECK(message([&] { e2e::checkPairs(twice, listed({{43, 0}, {30, 71}, {30, 71}}, {20.f, 90.f, 90.f})); }) ==
        "no exception");
}

namespace {
  using Source = e2e::ListedMomenta::Source;

  std::vector<float> pt(e2e::SeedCollection const& seeds, e2e::ListedMomenta const& listed, bool once = true) {
    return e2e::pairMomenta(seeds, listed, 280, 5, once);
  }

  bool equal(std::vector<float> const& found, std::vector<float> const& expected) {
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end(), [](float a, float b) {
      return a == b or (std::isnan(a) and std::isnan(b));
    });
  }

  /// The direction of a tower's middle.
  float eta(int row) { return static_cast<float>(0.087 * (row + 0.5 - 28)); }
  float phi(int column) { return static_cast<float>(std::remainder(kTower * (column + 0.5 - 2), 2 * M_PI)); }
}  // namespace

TEST_CASE("momenta are those of the seeds by their place, as far as their directions fit") {
  auto const none = std::nanf("");
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}, {2, 43, 0}};
  Source const momenta{{{90.f, 50.f, 20.f}}, "", {}};
  CHECK(equal(pt(seeds, {{momenta}, {}, {}}), {90.f, 50.f, 20.f}));
  CHECK(equal(pt(seeds, {{}, {}, {}}), {none, none, none}));
  CHECK(equal(pt(seeds, {{Source{{{90.f, 50.f}}, "", {}}}, {}, {}}), {none, none, none}));  // which is whose?
  CHECK(equal(pt(seeds, {{Source{{{}}, "", {}}, momenta}, {}, {}}), {90.f, 50.f, 20.f}));   // the next way
  CHECK(equal(pt(seeds, {{Source{{{90.f, HUGE_VALF, 20.f}}, "", {}}}, {}, {}}), {90.f, none, 20.f}));
  Source const etas{{{eta(30), eta(16), eta(38)}}, "", {}}, phis{{{phi(71), phi(40), phi(68)}}, "", {}};
  CHECK(equal(pt(seeds, {{momenta}, {etas}, {phis}}), {90.f, 50.f, none}));  // within reach, and 5 rows away
  Source const around{{{phi(3), none, phi(67)}}, "", {}};                    // columns wrap around
  CHECK(equal(pt(seeds, {{momenta}, {}, {around}}), {90.f, 50.f, none}));
}

TEST_CASE("momenta of photons are compared with crystals of the barrel") {
  auto const none = std::nanf("");
  e2e::SeedCollection const seeds{{0, 100, 200}, {1, 20, 359}, {2, 140, 5}};
  auto const eta = [](int row) { return static_cast<float>(0.0174 * (row - 84.5)); };
  auto const phi = [](int column) { return static_cast<float>(M_PI / 180 * (column - 9.5)); };
  Source const momenta{{{50.f, 40.f, 30.f}}, "", {}};
  Source const etas{{{eta(100), eta(42), eta(140)}}, "", {}}, phis{{{phi(200), phi(-1), phi(28)}}, "", {}};
  // The second one lies 22 crystals away along eta, the third 23 along phi; the reach is 4.5 towers of 5.
  CHECK(equal(e2e::pairMomenta(seeds, {{momenta}, {etas}, {phis}}, 170, 1, false), {50.f, 40.f, none}));
}

TEST_CASE("momenta that are listed in another order are sorted") {
  auto const none = std::nanf("");
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}, {2, 43, 0}};
  auto const sorted = [](std::vector<float> const& values) { return Source{{values}, "jet_Pt", values}; };
  CHECK(equal(pt(seeds, {{sorted({20.f, 90.f, 50.f})}, {}, {}}), {90.f, 50.f, 20.f}));
  CHECK(equal(pt(seeds, {{sorted({20.f, none, 50.f})}, {}, {}}), {none, none, none}));
  // Directions count that are sorted alike, here as components of momenta.
  auto const components = [&](std::vector<int> const& rows, std::vector<int> const& columns) {
    Source source{{{}, {}, {}}, "jet_Pt", {}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      source.values[0].push_back(std::cos(phi(columns[i])));
      source.values[1].push_back(std::sin(phi(columns[i])));
      source.values[2].push_back(std::sinh(eta(rows[i])));
    }
    return source;
  };
  auto const there = components({43, 30, 12}, {0, 71, 40}), elsewhere = components({43, 30, 20}, {0, 71, 40});
  CHECK(equal(pt(seeds, {{sorted({20.f, 90.f, 50.f})}, {there}, {there}}), {90.f, 50.f, 20.f}));
  CHECK(equal(pt(seeds, {{sorted({20.f, 90.f, 50.f})}, {elsewhere}, {elsewhere}}), {90.f, none, 20.f}));
  CHECK(equal(pt(seeds, {{Source{{{20.f, 90.f, 50.f}}, "", {}}}, {elsewhere}, {elsewhere}}), {20.f, 90.f, 50.f}));
  // Of one momentum each belongs to the seed where it lies; where several do, nobody knows.
  CHECK(equal(pt(seeds, {{sorted({50.f, 90.f, 50.f})}, {there}, {there}}), {90.f, 50.f, 50.f}));
  auto const both = components({12, 30, 12}, {40, 71, 40});
  CHECK(equal(pt(seeds, {{sorted({50.f, 90.f, 50.f})}, {both}, {both}}), {90.f, 50.f, none}));
  auto const between = components({14, 30, 13}, {40, 71, 42});
  CHECK(equal(pt({{0, 30, 71}, {1, 12, 40}, {2, 15, 41}}, {{sorted({50.f, 90.f, 50.f})}, {between}, {between}}),
              {90.f, none, none}));
}

TEST_CASE("what differs between two objects at one seed is unknown") {
  auto const none = std::nanf("");
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}, {2, 30, 71}, {3, 12, 40}};
  e2e::ListedMomenta const listed{{Source{{{90.f, 50.f, 90.f, 20.f}}, "", {}}}, {}, {}};
  CHECK(equal(pt(seeds, listed), {90.f, none, 90.f, 20.f}));
  CHECK(equal(pt(seeds, listed, false), {90.f, 50.f, 90.f, 20.f}));
}

TEST_CASE("jets that cannot be ordered are refused") {
  e2e::SeedCollection const seeds{{0, 30, 71}, {1, 12, 40}};
  auto const text = [&](e2e::ListedObjects const& objects) {
    return message([&] { e2e::checkPairs(seeds, objects); });
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
