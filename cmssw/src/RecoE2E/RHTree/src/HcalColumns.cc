#include "RecoE2E/RHTree/interface/HcalColumns.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace e2e {

  namespace {
    std::string place(int column) {
      if (column == 0)
        return "at the seed";
      return std::to_string(std::abs(column)) + (std::abs(column) > 1 ? " towers" : " tower") + " to the " +
             (column < 0 ? "left" : "right");
    }
  }  // namespace

  HcalColumns::HcalColumns(RHTreeLayouts::OwnColumns const& layout, int rows, int columns, bool own)
      : layout_(layout),
        rows_(rows),
        columns_(columns),
        reach_(static_cast<int>(layout.window) / 2),
        expected_(own ? -static_cast<int>(layout.shift) : 0) {}

  void HcalColumns::add(std::int64_t entry,
                        std::vector<float> const& image,
                        std::vector<float> const& seedRows,
                        std::vector<float> const& seedColumns) {
    if (image.size() != std::size_t(rows_) * columns_ or seedRows.size() != seedColumns.size())
      return;
    bool const lit = std::any_of(image.begin(), image.end(), [](float energy) { return energy > 0; });
    for (std::size_t i = 0; i < seedRows.size(); ++i) {
      if (not(seedRows[i] >= 0 and seedRows[i] < rows_ and seedColumns[i] >= 0 and seedColumns[i] < columns_))
        continue;
      int const row = static_cast<int>(seedRows[i]), column = static_cast<int>(seedColumns[i]);
      std::vector<double> energy(2 * reach_ + 1, 0.);
      double sum = 0;
      float highest = 0, inRow = 0;  // of the towers around the seed, and of those in its row
      for (int away = -reach_; away <= reach_; ++away) {
        auto& total = energy[away + reach_];
        for (int r = std::max(row - reach_, 0); r <= std::min(row + reach_, rows_ - 1); ++r) {
          float const tower = image[r * columns_ + (column + away + columns_) % columns_];
          total += tower;
          highest = std::max(highest, tower);
          if (r == row)
            inRow = std::max(inRow, tower);
        }
        sum += total;
      }
      auto const hottest = std::max_element(energy.begin(), energy.end());
      if (sum > 0 and std::count(energy.begin(), energy.end(), *hottest) > 1)
        continue;  // as hot as each other, they tell nothing
      jets_ += lit;
      if (sum > 0)
        seen_.push_back({entry, static_cast<int>(hottest - energy.begin()) - reach_, inRow == highest});
    }
  }

  std::size_t HcalColumns::share(int column) const {
    return std::count_if(seen_.begin(), seen_.end(), [&](auto const& seed) { return seed.hottest == column; });
  }

  HcalColumns::Stretch HcalColumns::stretch(int column) const {
    Stretch found{-1, 0, 0};
    std::ptrdiff_t excess = 0, lowest = 1;
    std::int64_t first = 0;
    for (auto const& seed : seen_) {
      if (lowest > excess) {
        lowest = excess;
        first = seed.entry;
      }
      excess += (seed.hottest == column) - (seed.hottest == expected_);
      if (excess - lowest > found.rise)
        found = {excess - lowest, first, seed.entry};
    }
    return found;
  }

  /// Where most seeds say that an image lies, who writes so, and what to do.
  std::string HcalColumns::elsewhere(int column) const {
    auto const count = std::to_string(share(column)) + " of " + std::to_string(seen_.size());
    if (column == 0)
      return "in the columns of the ECAL (" + count +
             " seeds have their hottest column at the seed), as MLAnalyzer writes it: no ntuple of this project from "
             "before it did so, too; leave out --hcal-columns own (hcalColumns=own of cmsRun)";
    auto const text = place(column) + " of the jets (" + count + " seeds have their hottest column there)";
    if (column == -static_cast<int>(layout_.shift))
      return text +
             ": an ntuple of this project from before it wrote towers in the columns of the ECAL, as MLAnalyzer does; "
             "say so (--hcal-columns own; hcalColumns=own of cmsRun), or make it again";
    return text +
           ", where neither MLAnalyzer nor this project has written it; write the ntuple again, image and seeds by one "
           "version of MLAnalyzer";
  }

  void HcalColumns::check(std::string const& branch) const {
    auto const seeds = seen_.size(), here = share(expected_);
    int other = expected_, longest = expected_;  // columns, none yet
    for (int column = -reach_; column <= reach_; ++column) {
      if (column == expected_)
        continue;
      if (other == expected_ or share(column) > share(other))
        other = column;
      if (longest == expected_ or stretch(column).rise > stretch(longest).rise)
        longest = column;
    }
    auto const there = share(other);
    bool const most = seeds >= layout_.jets and 2 * there >= seeds;
    bool const two = 4 * here >= seeds and (most or (seeds >= layout_.many and 4 * there >= seeds));
    if (most and not two)
      throw std::runtime_error(branch + " lies " + elsewhere(other));
    if (not two)
      other = longest;
    if (auto const found = stretch(other); two or found.rise >= static_cast<std::ptrdiff_t>(layout_.stretch))
      throw std::runtime_error(branch + " lies in two places: of " + std::to_string(seeds) + " seeds " +
                               std::to_string(here) + " have their hottest column " + place(expected_) + ", " +
                               std::to_string(share(other)) + " " + place(other) + " (most of these in entries " +
                               std::to_string(found.first) + " to " + std::to_string(found.last) +
                               "): files of two kinds, merged into one; read each of them by itself");
    // Electrons leave little in the HCAL: a few seeds that are its hottest towers tell as much as many.
    std::size_t const right = std::count_if(
        seen_.begin(), seen_.end(), [&](auto const& seed) { return seed.hottest == expected_ and seed.inRow; });
    if (jets_ >= layout_.many and 4 * here < jets_ and (2 * right < seeds or seeds == 0))
      throw std::runtime_error(
          branch + " does not lie where the jets are: of " + std::to_string(jets_) +
          " jets in events with any of its energy, " + std::to_string(seeds) + " have some around their seed, and " +
          std::to_string(here) + " most of it in the column " + place(expected_) +
          ", as 6 of 10 or more have in genuine files; image and seeds are of other events, or one "
          "of them is turned: write the ntuple again");
  }

}  // namespace e2e
