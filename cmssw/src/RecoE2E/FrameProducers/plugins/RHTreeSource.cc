#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/InputSourceDescription.h"
#include "FWCore/Framework/interface/InputSourceMacros.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Sources/interface/ProducerSourceFromFiles.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "RecoE2E/DataFormats/interface/DetectorFrame.h"
#include "RecoE2E/DataFormats/interface/Seed.h"
#include "RecoE2E/FrameProducers/interface/FrameBuilder.h"
#include "RecoE2E/FrameProducers/interface/RHTreeReader.h"
#include "RecoE2E/FrameProducers/interface/makeSeeds.h"

#include "configured.h"

/**
 * Reads ntuples of the MLAnalyzer, with their run, lumi and event, and puts the detector frame and the seeds; also, as
 * "fileIndex", which of the job's input files an event comes from, counted from 0: run 1 is in every simulated sample.
 */
class RHTreeSource : public edm::ProducerSourceFromFiles {
public:
  RHTreeSource(edm::ParameterSet const& config, edm::InputSourceDescription const& description);

  static void fillDescriptions(edm::ConfigurationDescriptions& descriptions);

private:
  void initialize(edm::EventID& id, edm::TimeValue_t& time, edm::TimeValue_t& interval) override;
  bool setRunAndEventInfo(edm::EventID& id, edm::TimeValue_t& time, edm::EventAuxiliary::ExperimentType& type) override;
  void produce(edm::Event& event) override;

  bool findNextEntry();
  edm::EventID nextEventID();

  e2e::RHTreeReader::Branches const branches_;
  std::uint32_t const rows_;
  std::uint32_t const columns_;
  std::uint32_t const seedCell_;
  e2e::FrameBuilder const builder_;
  edm::EDPutTokenT<e2e::DetectorFrame> const frameToken_;
  edm::EDPutTokenT<e2e::SeedCollection> const seedsToken_;
  edm::EDPutTokenT<unsigned int> const fileIndexToken_;
  std::vector<std::string> const files_;
  std::size_t opened_ = 0;  // number of files opened so far; the last of them is read
  std::unique_ptr<e2e::RHTreeReader> reader_;
  std::int64_t nextEntry_ = 0;
};

namespace {
  std::vector<e2e::Layer> layers(edm::ParameterSet const& config) {
    std::vector<e2e::Layer> layers;
    for (auto const& channel : config.getParameter<std::vector<edm::ParameterSet>>("channels"))
      layers.push_back({channel.getParameter<std::string>("name"),
                        channel.getParameter<std::uint32_t>("cell"),
                        channel.getParameter<std::uint32_t>("shift")});
    return layers;
  }

  std::vector<std::string> names(std::vector<e2e::Layer> const& layers) {
    std::vector<std::string> names;
    for (auto const& layer : layers)
      names.push_back(layer.name);
    return names;
  }
}  // namespace

RHTreeSource::RHTreeSource(edm::ParameterSet const& config, edm::InputSourceDescription const& description)
    : edm::ProducerSourceFromFiles(config, description, false),
      branches_{config.getParameter<std::string>("tree"),
                names(layers(config)),
                config.getParameter<std::string>("seedRows"),
                config.getParameter<std::string>("seedColumns")},
      rows_(config.getParameter<std::uint32_t>("rows")),
      columns_(config.getParameter<std::uint32_t>("columns")),
      seedCell_(config.getParameter<std::uint32_t>("seedCell")),
      builder_(e2e::configured([&] { return e2e::FrameBuilder(layers(config), rows_, columns_); })),
      frameToken_(produces()),
      seedsToken_(produces()),
      fileIndexToken_(produces("fileIndex")),
      files_(fileNames(0)) {
  if (seedCell_ == 0)
    throw edm::Exception(edm::errors::Configuration) << "RHTreeSource: seedCell is 0; a seed lies in at least one cell";
  if (files_.empty())
    throw edm::Exception(edm::errors::Configuration) << "RHTreeSource: fileNames names no file";
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (files_[i].empty())
      throw edm::Exception(edm::errors::FileOpenError)
          << logicalFileNames()[i] << ": this site's catalogue has no such file; a path of your own starts with file:";
}

void RHTreeSource::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Reads ntuples of the MLAnalyzer; puts the detector frame and the seeds of the objects.");
  edm::ProducerSourceFromFiles::fillDescription(desc);
  desc.add<std::string>("tree", "fevt/RHTree")->setComment("Path of the tree in each file.");
  edm::ParameterSetDescription channel;
  channel.add<std::string>("name")->setComment("Branch with the image.");
  channel.add<std::uint32_t>("cell", 1)->setComment("Cells of the frame along each side of one value of the image.");
  channel.add<std::uint32_t>("shift", 0)->setComment("Column of the frame under which the image starts.");
  std::vector<edm::ParameterSet> barrel(2);
  for (std::size_t i = 0; i < barrel.size(); ++i) {
    barrel[i].addParameter<std::string>("name", i == 0 ? "EB_energy" : "EB_time");
    barrel[i].addParameter<std::uint32_t>("cell", 1);
    barrel[i].addParameter<std::uint32_t>("shift", 0);
  }
  desc.addVPSet("channels", channel, barrel)
      ->setComment("The channels of the frame, in the order of the model's training.");
  desc.add<std::uint32_t>("rows", 170)->setComment("Rows (ieta) of the frame.");
  desc.add<std::uint32_t>("columns", 360)->setComment("Columns (iphi) of the frame; they wrap around.");
  desc.add<std::string>("seedRows", "SC_ieta")->setComment("Branch with the row of each object's seed, from 0.");
  desc.add<std::string>("seedColumns", "SC_iphi")->setComment("Branch with the column of each object's seed, from 0.");
  desc.add<std::uint32_t>("seedCell", 1)->setComment("Cells of the frame along each side of what a seed counts.");
  descriptions.add("source", desc);
}

/// Opens the next file as often as needed; false after the last entry of the last file.
bool RHTreeSource::findNextEntry() {
  while (not reader_ or nextEntry_ == reader_->entries()) {
    if (opened_ == files_.size())
      return false;
    if (opened_ > 0)
      incrementFileIndex();
    reader_ = std::make_unique<e2e::RHTreeReader>(files_[opened_], branches_);
    ++opened_;
    nextEntry_ = 0;
  }
  return true;
}

edm::EventID RHTreeSource::nextEventID() {
  auto const identity = reader_->identity(nextEntry_);
  return edm::EventID(identity.run, identity.lumi, identity.event);
}

/// Sets the first run before the framework asks for it: otherwise the job would start with an empty run 1.
void RHTreeSource::initialize(edm::EventID& id, edm::TimeValue_t&, edm::TimeValue_t&) {
  if (findNextEntry())
    id = nextEventID();
}

bool RHTreeSource::setRunAndEventInfo(edm::EventID& id, edm::TimeValue_t&, edm::EventAuxiliary::ExperimentType&) {
  if (not findNextEntry())
    return false;
  id = nextEventID();
  ++nextEntry_;
  return true;
}

void RHTreeSource::produce(edm::Event& event) {
  auto const entry = nextEntry_ - 1;
  reader_->load(entry);
  event.emplace(fileIndexToken_, static_cast<unsigned int>(opened_ - 1));
  try {
    event.emplace(frameToken_, builder_.build(reader_->images()));
    event.emplace(seedsToken_, e2e::makeSeeds(reader_->seedRows(), reader_->seedColumns(), rows_, columns_, seedCell_));
  } catch (std::runtime_error const& error) {
    throw cms::Exception("InvalidNtuple") << reader_->fileName() << ", entry " << entry << ": " << error.what();
  }
}

DEFINE_FWK_INPUT_SOURCE(RHTreeSource);
