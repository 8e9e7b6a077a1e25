#ifndef RecoE2E_RHTree_RHTreeLayouts_h
#define RecoE2E_RHTree_RHTreeLayouts_h

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace e2e {

  /// What of a tree tells its layout: the names of its branches, and the title of its marker, where there is one.
  struct RHTreeContents {
    std::set<std::string> branches;
    std::optional<std::string> marker;
  };

  /// How one ntuple writes what is asked of it.
  struct RHTreeLayout {
    /// Branches by whose falling order objects are those of the seeds, and of a direction that has to fit to them: eta
    /// and the momentum's x and y, eta alone, or nothing.
    struct Order {
      std::string falling;
      std::vector<std::string> direction;
    };

    /// One source of a number of each object: a branch of it, or the direction of the momentum in three. The objects
    /// are in the order of their seeds when sorted by the falling branch; empty: as they are.
    struct Source {
      std::vector<std::string> branches;
      std::string falling;
    };

    std::string seedRows;
    std::string seedColumns;
    std::vector<std::string> images;  // branches of the channels asked for, in their order
    std::optional<Order> order;       // where objects come in another order than their seeds, or twice
    std::string hottest;              // branch of an image that holds energy at every seed; empty for none
    std::string tracks;               // see FrameOrigin
    bool once = false;                // whether objects at one seed are one, listed twice
    std::vector<Source> pt;           // of the quantity asked for, in the order in which they are looked at
    std::vector<Source> eta, phi;     // of the directions that have to fit to the seeds
  };

  /**
   * The table of layouts, data/layouts.json: what the analyzers, their modes and their versions write. `e2e convert`
   * reads the same table.
   */
  class RHTreeLayouts {
  public:
    /// HCAL images of this project's old ntuples, whose columns are the HCAL's own: how to know and how to read them.
    struct OwnColumns {
      std::string image;  // the channel
      std::uint32_t shift = 0;
      std::string tracks;
      std::uint32_t window = 0;   // towers around a seed, along each side, of which it is the hottest
      std::uint32_t jets = 0;     // fewest that tell anything
      std::uint32_t many = 0;     // fewest that tell that towers lie nowhere in particular
      std::uint32_t stretch = 0;  // by how many seeds that say otherwise outnumber the others in a part of a file
    };

    /// Throws std::runtime_error, naming the file, where it cannot be read or is no such table.
    explicit RHTreeLayouts(std::string const& path);

    std::string const& tree() const { return tree_; }
    std::string const& marker() const { return marker_; }
    /// Branches of run, lumi and event.
    std::vector<std::string> const& identity() const { return identity_; }
    OwnColumns const& ownColumns() const { return ownColumns_; }
    /// Whether there is such a kind of object: "photon", "jet".
    bool knows(std::string const& object) const;

    /**
     * How the tree with these contents writes the channels, which are quantities, and the seeds of a kind of object;
     * and, without a word where there is none, the quantity pt of the objects, unless it is empty.
     *
     * Throws std::runtime_error for an analyzer or mode whose images cannot be told to belong to an object, and for
     * missing branches.
     */
    RHTreeLayout find(RHTreeContents const& contents,
                      std::string const& object,
                      std::vector<std::string> const& channels,
                      bool ownColumns,
                      std::string const& pt = "") const;

  private:
    struct Table;

    std::shared_ptr<Table const> table_;
    std::string tree_;
    std::string marker_;
    std::vector<std::string> identity_;
    OwnColumns ownColumns_;
  };

}  // namespace e2e

#endif
