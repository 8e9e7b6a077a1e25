#include "RecoE2E/RHTree/interface/RHTreeNtuple.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

#include "FWCore/Utilities/interface/Exception.h"
#include "RecoE2E/FrameTools/interface/geometry.h"
#include "RecoE2E/RHTree/interface/HcalColumns.h"
#include "RecoE2E/RHTree/interface/checkPairs.h"
#include "RecoE2E/RHTree/interface/pairMomenta.h"

namespace e2e {

  namespace {
    // More than any collision has; frames of so many jets take half a gigabyte.
    constexpr std::size_t kMostObjects = 1000;

    cms::Exception invalid(std::string const& where, std::string const& what) {
      return cms::Exception("InvalidNtuple", where + ": " + what);
    }

    FrameOriginPtr describe(std::string const& file,
                            std::uint32_t index,
                            RHTreeNtuple::Request const& request,
                            RHTreeLayout const& layout,
                            RHTreeLayouts::OwnColumns const& own) {
      auto origin = std::make_shared<FrameOrigin>();
      origin->rows = request.rows;
      origin->columns = request.columns;
      origin->channels = request.channels;
      origin->tracks = layout.tracks;
      origin->file = file;
      origin->index = index;
      for (std::size_t i = 0; i < request.channels.size(); ++i) {
        bool const shifted = request.ownColumns and request.channels[i].name == own.image;
        origin->written.push_back({layout.images[i], shifted ? own.shift : 0});
      }
      return origin;
    }

    std::string shape(std::uint32_t rows, std::uint32_t columns) {
      return std::to_string(rows) + " x " + std::to_string(columns);
    }
  }  // namespace

  RHTreeNtuple::RHTreeNtuple(std::string const& fileName,
                             std::uint32_t index,
                             RHTreeLayouts const& layouts,
                             Request const& request)
      : request_(request), reader_(fileName, layouts.tree()), identityNames_(layouts.identity()) {
    std::vector<std::string> names;
    for (auto const& channel : request_.channels)
      names.push_back(channel.name);
    try {
      RHTreeContents const contents{reader_.branches(), reader_.title(layouts.marker())};
      layout_ = layouts.find(contents, request_.object, names, request_.ownColumns, request_.pt);
    } catch (std::runtime_error const& error) {
      throw invalid(reader_.file(), error.what());
    }
    for (auto const& name : identityNames_)
      identity_.push_back(reader_.integer(name));
    origin_ = describe(reader_.file(), index, request_, layout_, layouts.ownColumns());

    std::vector<std::string> read = identityNames_;
    auto const open = [&](std::string const& name, std::string const& purpose = "") {
      read.push_back(name);
      return reader_.vectors(name, purpose);
    };
    if (layout_.order) {
      auto names = layout_.order->direction;
      names.insert(names.begin(), layout_.order->falling);
      for (auto const& name : names)
        order_.push_back(open(name, ", which orders the jets"));
    }
    seedRows_ = open(layout_.seedRows);
    seedColumns_ = open(layout_.seedColumns);
    for (auto const& name : layout_.images)
      images_.push_back(open(name));
    for (auto const* sources : {&layout_.pt, &layout_.eta, &layout_.phi})
      for (auto const& source : *sources) {
        auto branches = source.branches;
        branches.push_back(source.falling);
        for (auto const& name : branches)
          if (listed_.count(name) == 0 and reader_.holdsVectors(name))
            listed_.emplace(name, open(name));
      }
    if (layout_.once)  // repeated seeds would outvote the others
      checkColumns(layouts.ownColumns());
    reader_.readAhead(read);
  }

  RHTreeNtuple::Identity RHTreeNtuple::identity(std::int64_t entry) {
    constexpr std::uint64_t narrow = std::numeric_limits<std::uint32_t>::max();
    constexpr std::uint64_t wide = std::numeric_limits<std::uint64_t>::max();
    constexpr std::array<std::uint64_t, 3> largest{{narrow, narrow, wide}};
    std::array<std::uint64_t, 3> numbers{};
    reader_.goTo(entry);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      auto const number = reader_.read(identity_[i], entry, largest[i]);
      if (not number.value)
        throw invalid(reader_.file(),
                      identityNames_[i] + " of entry " + std::to_string(entry) + " is " + number.text +
                          "; CMSSW numbers from 1 to " + std::to_string(largest[i]));
      numbers[i] = *number.value;
    }
    return {static_cast<std::uint32_t>(numbers[0]), static_cast<std::uint32_t>(numbers[1]), numbers[2]};
  }

  RHTreeNtuple::Event RHTreeNtuple::read(std::int64_t entry) {
    try {
      auto seeds = this->seeds(entry);
      std::vector<std::vector<float>> images;
      images.reserve(images_.size());
      for (std::size_t channel = 0; channel < images_.size(); ++channel) {
        images.push_back(image(channel, entry));
        if (layout_.images[channel] == layout_.hottest)
          checkEnergy(seeds, channel, images.back());
      }
      return {DetectorImages(origin_, std::move(images)), middleCells(std::move(seeds), request_.seedCell)};
    } catch (std::runtime_error const& error) {
      auto const id = identity(entry);
      throw invalid(reader_.file() + ": event " + std::to_string(id.run) + ':' + std::to_string(id.lumi) + ':' +
                        std::to_string(id.event),
                    error.what());
    }
  }

  BranchValues RHTreeNtuple::values(RHTreeReader::Vectors& branch, std::int64_t entry) const {
    auto const size = reader_.size(branch, entry);
    if (size > kMostObjects)
      throw std::runtime_error(branch.name() + " has " + std::to_string(size) + " objects; an event has at most " +
                               std::to_string(kMostObjects));
    BranchValues values{branch.name(), {}};
    reader_.read(branch, entry, values.values);
    return values;
  }

  /// Squares of seedCell x seedCell cells, of the objects that are not listed before.
  SeedCollection RHTreeNtuple::seeds(std::int64_t entry) {
    auto const rows = values(seedRows_, entry), columns = values(seedColumns_, entry);
    auto seeds = makeSeeds(rows, columns, request_.rows, request_.columns, request_.seedCell);
    if (not order_.empty()) {
      ListedObjects objects;  // filled one by one, so that the first fault is the one that is named
      objects.seedRows = layout_.seedRows;
      objects.falling = values(order_[0], entry);
      for (std::size_t i = 1; i < order_.size(); ++i)
        objects.direction.push_back(values(order_[i], entry));
      checkPairs(seeds, objects);
    }
    auto const pt = momenta(seeds, entry);
    for (std::size_t i = 0; i < seeds.size(); ++i)
      seeds[i].pt = pt[i];
    return layout_.once ? eachOnce(seeds) : seeds;
  }

  /// The pt of each seed, NaN where it cannot be told.
  std::vector<float> RHTreeNtuple::momenta(SeedCollection const& seeds, std::int64_t entry) {
    auto const read = [&](std::string const& name) {  // none where there is not one for each seed
      auto const found = listed_.find(name);
      if (found == listed_.end() or reader_.size(found->second, entry) != seeds.size())
        return std::vector<float>{};
      return values(found->second, entry).values;
    };
    ListedMomenta listed;
    for (auto const* sources : {&layout_.pt, &layout_.eta, &layout_.phi}) {
      auto& into = sources == &layout_.pt ? listed.pt : sources == &layout_.eta ? listed.eta : listed.phi;
      for (auto const& source : *sources) {
        ListedMomenta::Source one{{}, source.falling, {}};
        for (auto const& branch : source.branches)
          one.values.push_back(read(branch));
        if (not source.falling.empty())
          one.order = read(source.falling);
        into.push_back(std::move(one));
      }
    }
    return pairMomenta(seeds, listed, request_.rows, request_.seedCell, layout_.once);
  }

  std::vector<float> RHTreeNtuple::image(std::size_t channel, std::int64_t entry) {
    auto const cell = request_.channels[channel].cell, rows = request_.rows / cell, columns = request_.columns / cell;
    auto const& written = origin_->written[channel];
    auto const expected = std::size_t(rows) * columns, found = reader_.size(images_[channel], entry);
    if (found != expected)
      throw std::runtime_error(written.branch + " has " + std::to_string(found) + " values; a frame of " +
                               shape(rows, columns) + " has " + std::to_string(expected));
    std::vector<float> values;
    reader_.read(images_[channel], entry, values);
    if (auto const shift = written.shift % columns)
      for (auto row = values.begin(); row != values.end(); row += columns)
        std::rotate(row, row + (columns - shift), row + columns);
    return values;
  }

  /// A seed that is the hottest crystal of its object cannot be empty.
  void RHTreeNtuple::checkEnergy(SeedCollection const& seeds,
                                 std::size_t channel,
                                 std::vector<float> const& image) const {
    auto const cell = request_.channels[channel].cell, columns = request_.columns / cell;
    for (auto const& seed : seeds) {
      auto const row = seed.row * request_.seedCell / cell, column = seed.column * request_.seedCell / cell;
      auto const energy = image[row * columns + column];
      if (energy > 0)
        continue;
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%g", energy);
      throw std::runtime_error(layout_.hottest + " is " + text.data() + " at the seed in row " +
                               std::to_string(seed.row) + ", column " + std::to_string(seed.column) +
                               ", which is the hottest crystal of its object: " + layout_.seedRows +
                               " counts otherwise (one fork counts in the 280 rows of ECAL_energy, 55 more), or the "
                               "image is of other events");
    }
  }

  /// Towers that lie elsewhere than they are said to give themselves away by the jets of the file.
  void RHTreeNtuple::checkColumns(RHTreeLayouts::OwnColumns const& own) {
    auto const& channels = request_.channels;
    auto const channel =
        std::find_if(channels.begin(), channels.end(), [&](auto const& asked) { return asked.name == own.image; });
    if (channel == channels.end())
      return;
    auto& branch = images_[channel - channels.begin()];
    auto const rows = static_cast<int>(request_.rows / channel->cell);
    auto const columns = static_cast<int>(request_.columns / channel->cell);
    reader_.readAhead({branch.name(), seedRows_.name(), seedColumns_.name()});
    HcalColumns found(own, rows, columns, request_.ownColumns);
    std::vector<float> image, seedRows, seedColumns;
    for (std::int64_t entry = 0; entry < entries(); ++entry) {
      reader_.goTo(entry);
      if (reader_.size(branch, entry) != std::size_t(rows) * columns)
        continue;  // said when the event is read
      reader_.read(branch, entry, image);
      reader_.read(seedRows_, entry, seedRows);
      reader_.read(seedColumns_, entry, seedColumns);
      found.add(entry, image, seedRows, seedColumns);
    }
    try {
      found.check(branch.name());
    } catch (std::runtime_error const& error) {
      throw invalid(reader_.file(), error.what());
    }
  }

}  // namespace e2e
