#ifndef RecoE2E_RHTree_RHTreeNtuple_h
#define RecoE2E_RHTree_RHTreeNtuple_h

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "RecoE2E/DataFormats/interface/Channel.h"
#include "RecoE2E/DataFormats/interface/DetectorImages.h"
#include "RecoE2E/DataFormats/interface/FrameOrigin.h"
#include "RecoE2E/DataFormats/interface/Seed.h"
#include "RecoE2E/RHTree/interface/RHTreeLayouts.h"
#include "RecoE2E/RHTree/interface/RHTreeReader.h"
#include "RecoE2E/RHTree/interface/makeSeeds.h"

namespace e2e {

  /**
   * An ntuple of the MLAnalyzer: the images and seeds of its events, read by the layout that its branches tell.
   *
   * Throws as RHTreeReader does, and cms::Exception InvalidNtuple for what `e2e convert` refuses, too: analyzers and
   * modes whose images cannot be told to belong to an object, images of another length, seeds that are no cell of
   * the detector or hold no energy where they must, jets that do not lie at their seeds. All name the file.
   */
  class RHTreeNtuple {
  public:
    /// What is asked of an ntuple.
    struct Request {
      std::string object;  // kind of the objects: "photon", "jet"
      std::vector<Channel> channels;
      std::uint32_t rows = 0;
      std::uint32_t columns = 0;
      std::uint32_t seedCell = 1;
      bool ownColumns = false;  // HCAL towers are in columns of their own, as this project once wrote them
      std::string pt = "";      // quantity that is the pt of the seeds, as the table calls it; empty for none
    };

    struct Identity {
      std::uint32_t run;
      std::uint32_t lumi;
      std::uint64_t event;
    };

    /// fileName is whatever TFile::Open understands, index its place among the input files.
    RHTreeNtuple(std::string const& fileName, std::uint32_t index, RHTreeLayouts const& layouts, Request const& request);

    std::int64_t entries() const { return reader_.entries(); }
    Identity identity(std::int64_t entry);

    struct Event {
      DetectorImages images;
      SeedCollection seeds;  // middle cells of the seeds in the frame
    };
    Event read(std::int64_t entry);

  private:
    BranchValues values(RHTreeReader::Vectors& branch, std::int64_t entry) const;
    SeedCollection seeds(std::int64_t entry);
    std::vector<float> momenta(SeedCollection const& seeds, std::int64_t entry);
    std::vector<float> image(std::size_t channel, std::int64_t entry);
    void checkEnergy(SeedCollection const& seeds, std::size_t channel, std::vector<float> const& image) const;
    void checkColumns(RHTreeLayouts::OwnColumns const& own);

    Request const request_;
    RHTreeReader reader_;
    RHTreeLayout layout_;
    FrameOriginPtr origin_;
    std::vector<std::string> identityNames_;
    std::vector<RHTreeReader::Integer> identity_;
    std::vector<RHTreeReader::Vectors> images_;
    RHTreeReader::Vectors seedRows_;
    RHTreeReader::Vectors seedColumns_;
    std::vector<RHTreeReader::Vectors> order_;             // of the layout: falling, and the direction
    std::map<std::string, RHTreeReader::Vectors> listed_;  // of the layout: pt, eta and phi, and what orders them
  };

}  // namespace e2e

#endif
