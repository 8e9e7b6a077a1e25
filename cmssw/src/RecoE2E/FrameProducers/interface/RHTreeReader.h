#ifndef RecoE2E_FrameProducers_RHTreeReader_h
#define RecoE2E_FrameProducers_RHTreeReader_h

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "TFile.h"

class TBranch;
class TLeaf;
class TTree;

namespace e2e {

  /**
   * One ntuple as the MLAnalyzer writes it: a tree with an entry per event, whose images and seeds are
   * std::vector<float> branches, and with the integers runId, lumiId and eventId. No other branch is read.
   *
   * Throws edm::Exception FileOpenError for a file that cannot be opened, FileReadError for one that is no ROOT file,
   * was not closed, is cut off or damaged, and cms::Exception InvalidNtuple where the tree or a branch is missing or
   * of another type. All name the file.
   */
  class RHTreeReader {
  public:
    struct Branches {
      std::string tree;
      std::vector<std::string> images;
      std::string seedRows;
      std::string seedColumns;
    };

    struct Identity {
      std::uint32_t run;
      std::uint32_t lumi;
      std::uint64_t event;
    };

    /// fileName is whatever TFile::Open understands.
    RHTreeReader(std::string fileName, Branches const& branches);
    ~RHTreeReader();
    RHTreeReader(RHTreeReader const&) = delete;
    RHTreeReader& operator=(RHTreeReader const&) = delete;

    std::string const& fileName() const { return fileName_; }
    std::int64_t entries() const { return entries_; }

    Identity identity(std::int64_t entry);

    /// Reads images and seeds of an entry; what the accessors below return holds until the next call.
    void load(std::int64_t entry);
    /// In the order of Branches::images.
    std::vector<std::vector<float> const*> const& images() const { return images_; }
    std::vector<float> const& seedRows() const { return *seedRows_; }
    std::vector<float> const& seedColumns() const { return *seedColumns_; }

  private:
    /// A branch and the vector that ROOT reads it into.
    struct Column {
      std::vector<float> values;
      std::vector<float>* address = &values;
      TBranch* branch = nullptr;
    };

    template <typename F>
    auto fromRoot(std::string const& what, F&& call) const;
    void openFile();
    TBranch* branch(std::string const& name) const;
    TLeaf* integer(std::string const& name) const;
    std::vector<float> const* vector(std::string const& name);
    void read(TBranch* branch, std::int64_t entry) const;
    std::uint64_t value(TLeaf* leaf, std::int64_t entry, std::uint64_t largest) const;

    std::string fileName_;
    // ROOT writes to the columns' addresses as long as the file is open: they are destroyed after it.
    std::vector<std::unique_ptr<Column>> columns_;
    std::unique_ptr<TFile> file_;
    TTree* tree_ = nullptr;
    std::int64_t entries_ = 0;
    TLeaf* run_ = nullptr;
    TLeaf* lumi_ = nullptr;
    TLeaf* event_ = nullptr;
    std::vector<std::vector<float> const*> images_;
    std::vector<float> const* seedRows_ = nullptr;
    std::vector<float> const* seedColumns_ = nullptr;
  };

}  // namespace e2e

#endif
