#include "RecoE2E/RHTree/interface/pairMomenta.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "RecoE2E/FrameTools/interface/geometry.h"

namespace e2e {

  namespace {
    // A seed is the hottest of the 7 x 7 towers around the jet's axis; one more for what the listed direction differs.
    constexpr double kReach = 4.5;
    constexpr double kTowerCells = 5;  // along each side of a tower
    constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

    using Source = ListedMomenta::Source;

    /// Which of what is listed is each seed's, and whether that is known.
    struct Pairing {
      std::vector<std::size_t> place;
      std::vector<bool> known;
    };

    /// A number of each object by one source, NaN where it gives none: as it stands, or an angle of a momentum.
    std::vector<float> asListed(Source const& source, std::size_t objects, bool isEta) {
      std::vector<float> found(objects, kUnknown);
      for (auto const& values : source.values)
        if (values.size() != objects)
          return found;
      if (source.values.size() == 1)
        return source.values.front();
      for (std::size_t i = 0; i < objects; ++i) {
        double const x = source.values[0][i], y = source.values[1][i], z = source.values[2][i];
        if (auto const pt = std::hypot(x, y); pt > 0)
          found[i] = static_cast<float>(isEta ? std::asinh(z / pt) : std::atan2(y, x));
      }
      return found;
    }

    /// An angle of each object that is sorted like the others of `falling`, as it is listed.
    std::vector<float> direction(std::vector<Source> const& sources,
                                 std::string const& falling,
                                 std::size_t objects,
                                 bool isEta) {
      std::vector<float> found(objects, kUnknown);
      for (auto const& source : sources)
        if (source.falling == falling) {
          auto const values = asListed(source, objects, isEta);
          for (std::size_t i = 0; i < objects; ++i)
            if (std::isnan(found[i]) and std::isfinite(values[i]))
              found[i] = values[i];
        }
      return found;
    }

    class Pairs {
    public:
      Pairs(SeedCollection const& seeds, ListedMomenta const& listed, std::uint32_t rows, std::uint32_t cell)
          : seeds_(seeds), listed_(listed), rows_(rows), cell_(cell) {}

      Pairing find(Source const& source) const {
        auto const count = seeds_.size();
        auto const eta = direction(listed_.eta, source.falling, count, true);
        auto const phi = direction(listed_.phi, source.falling, count, false);
        Pairing pairs{std::vector<std::size_t>(count), std::vector<bool>(count, true)};
        std::iota(pairs.place.begin(), pairs.place.end(), 0);
        std::vector<bool> tied(count, false);
        if (not source.falling.empty()) {
          auto const& order = source.order;
          auto const finite = std::all_of(order.begin(), order.end(), [](float value) { return std::isfinite(value); });
          if (order.size() != count or not finite) {
            pairs.known.assign(count, false);
            return pairs;
          }
          std::stable_sort(pairs.place.begin(), pairs.place.end(), [&](auto a, auto b) { return order[a] > order[b]; });
          for (std::size_t first = 0, last; first < count; first = last) {
            for (last = first + 1; last < count and order[pairs.place[last]] == order[pairs.place[first]];)
              ++last;
            if (last - first > 1)
              resolve(first, last, eta, phi, pairs.place, tied);
          }
        }
        for (std::size_t i = 0; i < count; ++i)
          pairs.known[i] = not tied[i] and fits(i, eta[pairs.place[i]], phi[pairs.place[i]]);
        return pairs;
      }

    private:
      /// Whether nothing speaks against a direction, as far as it is known, being that of a seed.
      bool fits(std::size_t i, double eta, double phi) const {
        auto const size = cell_ / kTowerCells;  // of what seeds count, in towers
        auto const row = (seeds_[i].row + 0.5) * size - rows_ / kTowerCells / 2;
        auto const away = std::abs(towerRow(eta) - towerRow(0) - row);
        auto const around = std::remainder(towerColumn(phi) - (seeds_[i].column + 0.5) * size, kTowerColumns);
        return not(away > kReach) and not(std::abs(around) > kReach);
      }

      /// Of objects of one momentum, each belongs to the seed that all of its kind, and no others, fit to.
      void resolve(std::size_t first,
                   std::size_t last,
                   std::vector<float> const& eta,
                   std::vector<float> const& phi,
                   std::vector<std::size_t>& place,
                   std::vector<bool>& tied) const {
        std::vector<std::size_t> const here(place.begin() + first, place.begin() + last);
        auto const kind = [&](std::size_t object) {
          auto const number = [](float value) { return std::isnan(value) ? 0.f : value; };
          return std::pair(number(eta[object]), number(phi[object]));
        };
        auto const at = [&](std::size_t i) { return std::pair(seeds_[i].row, seeds_[i].column); };
        std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> used;
        for (auto i = first; i < last; ++i) {
          std::vector<std::size_t> candidates;
          std::set<std::pair<float, float>> kinds;
          bool elsewhere = false;
          for (auto const object : here)
            if (fits(i, eta[object], phi[object])) {
              candidates.push_back(object);
              kinds.insert(kind(object));
              for (auto j = first; j < last; ++j)
                elsewhere = elsewhere or (at(j) != at(i) and fits(j, eta[object], phi[object]));
            }
          auto const number = used[at(i)]++;
          tied[i] = kinds.size() != 1 or elsewhere;
          place[i] = tied[i] ? here.front() : candidates[number % candidates.size()];
        }
      }

      SeedCollection const& seeds_;
      ListedMomenta const& listed_;
      double const rows_;
      double const cell_;
    };

    bool same(float a, float b) {
      return (std::isnan(a) and std::isnan(b)) or std::abs(a - b) <= 1e-8f + 1e-5f * std::abs(b);
    }
  }  // namespace

  std::vector<float> pairMomenta(
      SeedCollection const& seeds, ListedMomenta const& listed, std::uint32_t rows, std::uint32_t cell, bool once) {
    Pairs const pairs(seeds, listed, rows, cell);
    std::vector<float> pt(seeds.size(), kUnknown);
    std::vector<bool> open(seeds.size(), true);
    for (auto const& source : listed.pt) {
      if (source.values.front().size() != seeds.size())
        continue;
      auto const found = pairs.find(source);
      for (std::size_t i = 0; i < seeds.size(); ++i)
        if (open[i] and found.known[i]) {
          auto const value = source.values.front()[found.place[i]];
          pt[i] = std::isfinite(value) ? value : kUnknown;
          open[i] = false;
        }
    }
    if (once) {
      std::map<std::pair<std::int32_t, std::int32_t>, std::size_t> leaders;
      auto const paired = pt;
      for (std::size_t i = 0; i < seeds.size(); ++i) {
        auto const leader = leaders.emplace(std::pair(seeds[i].row, seeds[i].column), i).first->second;
        if (not same(paired[i], paired[leader]))
          pt[leader] = kUnknown;
      }
    }
    return pt;
  }

}  // namespace e2e
