#include "RecoE2E/RHTree/interface/RHTreeLayouts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "nlohmann/json.hpp"

namespace e2e {

  using nlohmann::json;

  namespace {
    constexpr int kFormat = 1;
    constexpr char const* kDirection = "direction";
    constexpr std::array<char const*, 3> kConventions{{kDirection, "point", "vertex"}};  // of where a track lies
    constexpr std::size_t kShown = 40;  // characters of a wrong value in a message

    std::vector<std::string> names(json const& entry, char const* key) {
      return entry.contains(key) ? entry.at(key).get<std::vector<std::string>>() : std::vector<std::string>{};
    }

    /// The title of a marker, which is JSON, as an object; an empty optional for anything else.
    std::optional<json> parsed(std::optional<std::string> const& marker) {
      auto content = marker ? json::parse(*marker, nullptr, false) : json();
      return content.is_object() ? std::optional<json>(std::move(content)) : std::nullopt;
    }

    /// Where tracks lie, as the marker says.
    std::string conventionOf(json const& marker, std::string const& name) {
      auto const said = marker.value("tracks", json(kDirection));
      std::string known;
      for (auto const* convention : kConventions) {
        if (said == convention)
          return convention;
        known += (known.empty() ? "" : ", ") + std::string(convention);
      }
      auto const text = said.dump(-1, ' ', true);
      throw std::runtime_error(name + " says that tracks lie at " +
                               (text.size() > kShown ? text.substr(0, kShown) + "..." : text) + "; known are " + known +
                               ": simulate the file again");
    }

    /// The ways of finding a quantity whose branches are there, each a vector with a number an object. Of lists in lists
    /// nothing is read here: directions that they alone tell are compared by `e2e convert` only.
    std::vector<RHTreeLayout::Source> sources(json const& objects,
                                              json const& mode,
                                              std::string const& quantity,
                                              RHTreeContents const& contents) {
      auto const suffix = mode.value("suffix", "");
      json orders = json::array({mode.value("order", json::object())});
      for (auto const& order : objects.value("orders", json::array()))
        orders.push_back(order);
      auto const falling = [&](std::string const& branch) -> std::string {
        for (auto const& order : orders) {
          auto const name = order.value("falling", "") + suffix;
          auto const of = names(order, "of");
          if (contents.branches.count(name) > 0 and std::find(of.begin(), of.end(), branch) != of.end())
            return name;
        }
        return {};
      };
      std::vector<RHTreeLayout::Source> found;
      for (auto const& source : objects.at("kinematics").value(quantity, json::array())) {
        auto branches = source.contains("branch") ? std::vector<std::string>{source.at("branch").get<std::string>()}
                                                  : names(source, "momentum");
        if (branches.empty())
          continue;
        auto const order = falling(branches.front());
        for (auto& branch : branches)
          branch += suffix;
        if (std::all_of(
                branches.begin(), branches.end(), [&](auto const& name) { return contents.branches.count(name) > 0; }))
          found.push_back({std::move(branches), order});
      }
      return found;
    }

    bool endsWith(std::string text, std::string_view end) {
      std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
      return text.size() >= end.size() and std::string_view(text).substr(text.size() - end.size()) == end;
    }

    bool fits(json const& mode, RHTreeContents const& contents, bool marked) {
      auto const there = [&](std::string const& name) { return contents.branches.count(name) > 0; };
      auto const has = names(mode, "has"), lacks = names(mode, "lacks");
      return std::all_of(has.begin(), has.end(), there) && std::none_of(lacks.begin(), lacks.end(), there) &&
             (marked || not mode.value("marked", false));
    }
  }  // namespace

  struct RHTreeLayouts::Table {
    json content;
  };

  RHTreeLayouts::RHTreeLayouts(std::string const& path) {
    std::ifstream file(path);
    if (not file)
      throw std::runtime_error(path + ": cannot be read; it is the table of the layouts of ntuples");
    try {
      table_ = std::make_shared<Table const>(Table{json::parse(file)});
      auto const& table = table_->content;
      if (table.at("format") != kFormat)
        throw std::runtime_error("format is " + table.at("format").dump() + "; this release reads format " +
                                 std::to_string(kFormat));
      tree_ = table.at("tree").get<std::string>();
      marker_ = table.at("marker").get<std::string>();
      identity_ = table.at("identity").get<std::vector<std::string>>();
      if (identity_.size() != 3)
        throw std::runtime_error("identity does not name run, lumi and event");
      auto const& own = table.at("own_columns");
      ownColumns_ = {own.at("image").get<std::string>(),
                     own.at("shift").get<std::uint32_t>(),
                     own.at("tracks").get<std::string>(),
                     own.at("window").get<std::uint32_t>(),
                     own.at("jets").get<std::uint32_t>(),
                     own.at("many").get<std::uint32_t>(),
                     own.at("stretch").get<std::uint32_t>()};
    } catch (std::exception const& error) {
      throw std::runtime_error(path + ": is no table of layouts: " + error.what());
    }
  }

  bool RHTreeLayouts::knows(std::string const& object) const { return table_->content.at("objects").contains(object); }

  RHTreeLayout RHTreeLayouts::find(RHTreeContents const& contents,
                                   std::string const& object,
                                   std::vector<std::string> const& channels,
                                   bool ownColumns,
                                   std::string const& pt) const {
    auto const& objects = table_->content.at("objects").at(object);
    auto const marker = parsed(contents.marker);
    auto const seeds = names(objects, "seeds");
    auto const& modes = objects.at("modes");
    auto const mode = std::find_if(
        modes.begin(), modes.end(), [&](auto const& mode) { return fits(mode, contents, marker.has_value()); });
    if (mode == modes.end())
      throw std::runtime_error(tree_ + " has no branches " + seeds.at(0) + " and " + seeds.at(1) + ", so no " + object +
                               " can be cropped; write the ntuple with them, for instance by MLAnalyzer");
    if (mode->contains("refused"))
      throw std::runtime_error("written by " + mode->at("analyzer").get<std::string>() + ", mode " +
                               mode->at("name").get<std::string>() +
                               ", which cannot be used: " + mode->at("refused").get<std::string>());

    RHTreeLayout layout;
    layout.seedRows = seeds.at(0);
    layout.seedColumns = seeds.at(1);
    layout.hottest = objects.value("hottest", "");
    layout.once = objects.value("once", false) and not(marker and marker->value("repeats", false));
    std::set<std::string> tracks;
    for (auto const& channel : channels) {
      json const branches = table_->content.at("images").value(channel, json::array({{{"branch", channel}}}));
      auto const branch = std::find_if(branches.begin(), branches.end(), [&](auto const& candidate) {
        return contents.branches.count(candidate.at("branch").template get<std::string>()) > 0;
      });
      if (branch == branches.end())
        throw std::runtime_error(tree_ + " has no branch " + branches.at(0).at("branch").get<std::string>() +
                                 "; write the ntuple with it, for instance by MLAnalyzer");
      layout.images.push_back(branch->at("branch").get<std::string>());
      if (branch->contains("refused"))
        throw std::runtime_error(layout.images.back() + " cannot serve as " + channel + ": it is " +
                                 branch->at("refused").get<std::string>());
      if (branch->contains("tracks"))
        tracks.insert(branch->at("tracks").get<std::string>());
    }
    if (not tracks.empty()) {
      layout.tracks = tracks.size() == 1 ? *tracks.begin() : "mixed";
      if (ownColumns)
        layout.tracks = ownColumns_.tracks;
      else if (layout.tracks == kDirection and marker)  // only the marker tells the point from the direction
        layout.tracks = conventionOf(*marker, marker_);
    }
    if (mode->contains("order")) {
      auto const& order = mode->at("order");
      auto const suffix = mode->value("suffix", "");
      layout.order = {order.at("falling").get<std::string>() + suffix, {}};
      if (order.contains("eta"))
        layout.order->direction.push_back(order.at("eta").get<std::string>() + suffix);
      for (auto const& name : names(order, "phi"))
        layout.order->direction.push_back(name + suffix);
    }
    if (pt.empty())
      return layout;
    layout.pt = sources(objects, *mode, pt, contents);
    for (auto const& quantity : objects.at("kinematics").items())
      for (auto& [axis, into] : {std::pair("eta", &layout.eta), std::pair("phi", &layout.phi)})
        if (endsWith(quantity.key(), axis))
          for (auto& source : sources(objects, *mode, quantity.key(), contents))
            into->push_back(std::move(source));
    return layout;
  }

}  // namespace e2e
