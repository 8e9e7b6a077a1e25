#ifndef RecoE2E_RHTree_RHTreeReader_h
#define RecoE2E_RHTree_RHTreeReader_h

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "TFile.h"

class TBasket;
class TBranch;
class TDirectory;
class TKey;
class TTree;

namespace e2e {

  /**
   * The tree of one ROOT file, whose branches are integers and std::vector<float>. What the file says about its own
   * sizes is compared with what is there before memory is taken for it.
   *
   * Throws edm::Exception FileOpenError for a file that cannot be opened, FileReadError for one that is no ROOT file,
   * was not closed, is cut off or damaged, and cms::Exception InvalidNtuple where it holds another tree or branch than
   * is asked for. All name the file.
   */
  class RHTreeReader {
  public:
    /// A branch with one std::vector<float> an entry.
    class Vectors {
    public:
      std::string const& name() const { return name_; }

    private:
      friend class RHTreeReader;
      /// Where the values of an entry begin in the basket in memory, and how many they are.
      struct Span {
        std::size_t begin;
        std::size_t size;
      };
      std::string name_;
      TBranch* branch_ = nullptr;
      TBasket* basket_ = nullptr;
      int number_ = -1;
      std::int64_t first_ = 0;
      std::vector<Span> spans_;
    };

    /// A branch with one integer of 32 or 64 bits an entry.
    struct Integer {
      TBranch* branch = nullptr;
      std::size_t size = 0;  // bytes
      bool isSigned = false;
    };

    /// fileName is whatever TFile::Open understands, tree the path of the tree in it.
    RHTreeReader(std::string fileName, std::string const& tree);
    ~RHTreeReader();
    RHTreeReader(RHTreeReader const&) = delete;
    RHTreeReader& operator=(RHTreeReader const&) = delete;

    /// The file's name for messages: of a local file its path.
    std::string const& file() const { return name_; }
    std::int64_t entries() const { return entries_; }
    std::set<std::string> branches() const;
    /// Title of the TNamed at this path; none where there is nothing of the kind.
    std::optional<std::string> title(std::string const& path) const;

    /// Whether there is such a branch with one std::vector<float> an entry.
    bool holdsVectors(std::string const& branch) const;
    Integer integer(std::string const& branch) const;
    /// purpose: what the branch does, for the message about one that is missing.
    Vectors vectors(std::string const& branch, std::string const& purpose = "") const;
    /// Lets ROOT read ahead in these branches, and no others, of a file that is not of this machine, entry after entry.
    void readAhead(std::vector<std::string> const& branches) const;
    /// Tells ROOT, which reads ahead, the entry that is read from now on.
    void goTo(std::int64_t entry) const;

    /// The number as text, and, where it is from 1 to largest, as a number.
    struct Number {
      std::string text;
      std::optional<std::uint64_t> value;
    };
    Number read(Integer const& branch, std::int64_t entry, std::uint64_t largest) const;
    /// Number of values of an entry, for which no memory has been taken yet.
    std::size_t size(Vectors& branch, std::int64_t entry) const;
    void read(Vectors& branch, std::int64_t entry, std::vector<float>& values) const;

  private:
    template <typename F>
    auto fromRoot(F&& call) const;
    [[noreturn]] void throwDamaged(std::string const& why) const;
    void openFile();
    TKey* key(std::string const& path) const;
    TBranch* branch(std::string const& name, std::string const& purpose = "") const;
    void checkBaskets(TBranch const& branch) const;
    void checkMethod(char const* method) const;
    TBasket* basket(TBranch& branch, int number) const;
    std::int64_t count(TBranch const& branch, int number) const;
    Vectors::Span const& span(Vectors& branch, std::int64_t entry) const;

    std::string fileName_;
    std::string name_;
    bool local_ = false;  // a file of this machine
    std::unique_ptr<TFile> file_;
    std::string treePath_;
    std::map<std::string, TBranch*> branches_;
    TTree* tree_ = nullptr;  // owned by the file
    std::int64_t entries_ = 0;
  };

}  // namespace e2e

#endif
