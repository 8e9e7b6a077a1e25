#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/Framework/interface/InputSourceDescription.h"
#include "FWCore/Framework/interface/InputSourceMacros.h"
#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/FileInPath.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Sources/interface/ProducerSourceFromFiles.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/EDPutToken.h"
#include "RecoE2E/DataFormats/interface/DetectorImages.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"
#include "RecoE2E/DataFormats/interface/Seed.h"
#include "RecoE2E/FrameTools/interface/FrameBuilder.h"
#include "RecoE2E/RHTree/interface/RHTreeLayouts.h"
#include "RecoE2E/RHTree/interface/RHTreeNtuple.h"

/**
 * Reads ntuples of the MLAnalyzer, with their run, lumi and event, and puts their images and the seeds of the objects;
 * also, as "fileIndex", which of the job's input files an event comes from, counted from 0: run 1 is in every simulated
 * sample.
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

  e2e::RHTreeLayouts const layouts_;
  e2e::RHTreeNtuple::Request const request_;
  edm::EDPutTokenT<e2e::DetectorImages> const imagesToken_;
  edm::EDPutTokenT<e2e::SeedCollection> const seedsToken_;
  edm::EDPutTokenT<unsigned int> const fileIndexToken_;
  std::vector<std::string> const files_;
  std::size_t opened_ = 0;  // number of files opened so far; the last of them is read
  std::unique_ptr<e2e::RHTreeNtuple> ntuple_;
  std::int64_t nextEntry_ = 0;
};

namespace {
  e2e::RHTreeLayouts readLayouts(std::string const& path) {
    try {
      return e2e::RHTreeLayouts(path);
    } catch (std::runtime_error const& error) {
      throw edm::Exception(edm::errors::Configuration) << error.what();
    }
  }

  /// Throws std::invalid_argument where no frame can be built of what is asked for.
  void checkFrame(e2e::RHTreeNtuple::Request const& request) {
    auto frame = std::make_shared<e2e::FrameOrigin>();
    frame->rows = request.rows;
    frame->columns = request.columns;
    frame->channels = request.channels;
    e2e::FrameBuilder const builder(std::move(frame));
  }

  /// Throws an error of the configuration for what cannot be asked of any ntuple.
  e2e::RHTreeNtuple::Request readRequest(edm::ParameterSet const& config, e2e::RHTreeLayouts const& layouts) try {
    e2e::RHTreeNtuple::Request request;
    request.object = config.getParameter<std::string>("object");
    for (auto const& channel : config.getParameter<std::vector<edm::ParameterSet>>("channels"))
      request.channels.push_back(
          {channel.getParameter<std::string>("name"), channel.getParameter<std::uint32_t>("cell")});
    request.rows = config.getParameter<std::uint32_t>("rows");
    request.columns = config.getParameter<std::uint32_t>("columns");
    request.seedCell = config.getParameter<std::uint32_t>("seedCell");
    checkFrame(request);
    if (not layouts.knows(request.object))
      throw std::invalid_argument("the layouts of ntuples know no objects called " + request.object);
    if (request.seedCell == 0 or request.rows % request.seedCell != 0 or request.columns % request.seedCell != 0)
      throw std::invalid_argument("seeds of " + std::to_string(request.seedCell) + " x " +
                                  std::to_string(request.seedCell) + " cells do not fit the detector frame");
    auto const columns = config.getParameter<std::string>("hcalColumns");
    if (columns != "ecal" and columns != "own")
      throw std::invalid_argument("hcalColumns is \"" + columns + "\"; choose ecal or own");
    request.ownColumns = columns == "own";
    request.pt = config.getParameter<std::string>("pt");
    return request;
  } catch (std::invalid_argument const& error) {
    throw edm::Exception(edm::errors::Configuration) << error.what();
  }
}  // namespace

RHTreeSource::RHTreeSource(edm::ParameterSet const& config, edm::InputSourceDescription const& description)
    : edm::ProducerSourceFromFiles(config, description, false),
      layouts_(readLayouts(config.getParameter<edm::FileInPath>("layouts").fullPath())),
      request_(readRequest(config, layouts_)),
      imagesToken_(produces()),
      seedsToken_(produces()),
      fileIndexToken_(produces("fileIndex")),
      files_(fileNames(0)) {
  if (files_.empty())
    throw edm::Exception(edm::errors::Configuration) << "RHTreeSource: fileNames names no file";
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (files_[i].empty())
      throw edm::Exception(edm::errors::FileOpenError)
          << logicalFileNames()[i] << ": this site's catalogue has no such file; a path of your own starts with file:";
}

void RHTreeSource::fillDescriptions(edm::ConfigurationDescriptions& descriptions) {
  edm::ParameterSetDescription desc;
  desc.setComment("Reads ntuples of the MLAnalyzer; puts the images of the detector and the seeds of the objects.");
  edm::ProducerSourceFromFiles::fillDescription(desc);
  desc.add<edm::FileInPath>("layouts", edm::FileInPath("RecoE2E/RHTree/data/layouts.json"))
      ->setComment("Table of what analyzers, modes and versions write, by which each file is read.");
  edm::ParameterSetDescription channel;
  channel.add<std::string>("name")->setComment("What it measures, as the table of layouts calls it.");
  channel.add<std::uint32_t>("cell", 1)->setComment("Cells of the frame along each side of one value of the image.");
  std::vector<edm::ParameterSet> barrel(2);
  for (std::size_t i = 0; i < barrel.size(); ++i) {
    barrel[i].addParameter<std::string>("name", i == 0 ? "EB_energy" : "EB_time");
    barrel[i].addParameter<std::uint32_t>("cell", 1);
  }
  desc.addVPSet("channels", channel, barrel)
      ->setComment("The channels of the frame, in the order of the model's training.");
  desc.add<std::uint32_t>("rows", 170)->setComment("Rows (ieta) of the frame.");
  desc.add<std::uint32_t>("columns", 360)->setComment("Columns (iphi) of the frame; they wrap around.");
  desc.add<std::string>("object", "photon")->setComment("Kind of the objects: photon or jet.");
  desc.add<std::uint32_t>("seedCell", 1)->setComment("Cells of the frame along each side of what a seed counts.");
  desc.add<std::string>("hcalColumns", "ecal")
      ->setComment("Columns of HCAL images: ecal, as the MLAnalyzer writes them, or own, as this project once did.");
  desc.add<std::string>("pt", "")->setComment(
      "What the table calls the transverse momentum to put beside the seeds; empty: none.");
  descriptions.add("source", desc);
}

/// Opens the next file as often as needed; false after the last entry of the last file.
bool RHTreeSource::findNextEntry() {
  while (not ntuple_ or nextEntry_ == ntuple_->entries()) {
    if (opened_ == files_.size())
      return false;
    if (opened_ > 0)
      incrementFileIndex();
    ntuple_.reset();  // one file at a time
    ntuple_ =
        std::make_unique<e2e::RHTreeNtuple>(files_[opened_], static_cast<std::uint32_t>(opened_), layouts_, request_);
    ++opened_;
    nextEntry_ = 0;
  }
  return true;
}

edm::EventID RHTreeSource::nextEventID() {
  auto const identity = ntuple_->identity(nextEntry_);
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
  auto content = ntuple_->read(nextEntry_ - 1);
  event.emplace(imagesToken_, std::move(content.images));
  event.emplace(seedsToken_, std::move(content.seeds));
  event.emplace(fileIndexToken_, static_cast<unsigned int>(opened_ - 1));
}

DEFINE_FWK_INPUT_SOURCE(RHTreeSource);
