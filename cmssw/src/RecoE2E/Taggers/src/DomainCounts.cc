#include "RecoE2E/Taggers/interface/DomainCounts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace e2e {

  namespace {
    // As in e2e.data.domain, where the choice is explained.
    constexpr double kPart = 0.05;
    constexpr std::uint64_t kLeast = 6;

    /// A quantity of the i-th object, NaN where it is unknown.
    double value(ModelContract::Range const& range, ObjectFrames const& frames, std::size_t i) {
      constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
      if (range.channel.empty())
        return range.quantity == "seed_eta" ? std::abs(frames.eta()[i])
               : range.unit == "GeV"        ? frames.pt()[i]
                                            : unknown;
      auto const& channels = frames.channels();
      auto const channel = std::find_if(
          channels.begin(), channels.end(), [&](auto const& channel) { return channel.name == range.channel; });
      if (channel == channels.end())
        return unknown;
      auto const cells = std::size_t(frames.crop().rows) * frames.crop().columns;
      auto const begin = frames.data().begin() + (i * channels.size() + (channel - channels.begin())) * cells;
      if (range.quantity == "hits")
        return cells - std::count(begin, begin + cells, 0.f);
      if (range.quantity != "smallest")
        return unknown;
      double smallest = unknown;
      for (auto hit = begin; hit != begin + cells; ++hit)
        if (*hit != 0.f and not(smallest <= std::abs(*hit)))
          smallest = std::abs(*hit);
      return smallest;
    }

    std::string text(double number) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.4g", number);
      return text.data();
    }

    std::string text(ModelContract::Range const& range) {
      auto const name = range.quantity == "hits"       ? "number of hits in " + range.channel
                        : range.quantity == "smallest" ? "smallest " + range.channel + " of the frame"
                                                       : range.quantity;
      auto const unit = range.unit == "1" or range.unit == "hits" ? "" : ' ' + range.unit;
      return name + " outside " + text(range.low) + " to " + text(range.high) + unit;
    }
  }  // namespace

  void DomainCounts::add(std::vector<ModelContract::Range> const& domain, ObjectFrames const& frames) {
    for (std::size_t j = 0; j < domain.size(); ++j)
      for (std::size_t i = 0; i < frames.size(); ++i)
        if (auto const found = value(domain[j], frames, i); std::isfinite(found)) {
          ++known_[j];
          beyond_[j] += found < domain[j].low or found > domain[j].high;
        }
  }

  DomainCounts& DomainCounts::operator+=(DomainCounts const& other) {
    for (std::size_t j = 0; j < known_.size(); ++j) {
      known_[j] += other.known_[j];
      beyond_[j] += other.beyond_[j];
    }
    return *this;
  }

  std::vector<std::string> DomainCounts::outside(std::vector<ModelContract::Range> const& domain) const {
    std::vector<std::string> found;
    for (std::size_t j = 0; j < domain.size(); ++j)
      if (beyond_[j] >= kLeast and beyond_[j] > kPart * known_[j])
        found.push_back(std::to_string(beyond_[j]) + " of " + std::to_string(known_[j]) + " objects have " +
                        text(domain[j]));
    return found;
  }

}  // namespace e2e
