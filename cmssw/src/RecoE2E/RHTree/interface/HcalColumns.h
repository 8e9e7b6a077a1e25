#ifndef RecoE2E_RHTree_HcalColumns_h
#define RecoE2E_RHTree_HcalColumns_h

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "RecoE2E/RHTree/interface/RHTreeLayouts.h"

namespace e2e {

  /**
   * Whether the towers of the HCAL lie where the jets are, which their seeds tell: the seed of a jet is the hottest
   * tower around its axis. Looks at all events of a file, as `e2e convert` does.
   */
  class HcalColumns {
  public:
    /// Of images of rows x columns towers; own says that the file is said to have towers in columns of their own.
    HcalColumns(RHTreeLayouts::OwnColumns const& layout, int rows, int columns, bool own);

    /// Images of another size and seeds outside are left to those who read them.
    void add(std::int64_t entry,
             std::vector<float> const& image,
             std::vector<float> const& seedRows,
             std::vector<float> const& seedColumns);

    /// Throws std::runtime_error, which begins with the branch, where the towers lie elsewhere, or in two places.
    void check(std::string const& branch) const;

  private:
    /// A seed with energy around it, the hottest column there, counted from its own, and whether the hottest tower is in
    /// its row.
    struct Seen {
      std::int64_t entry;
      int hottest;
      bool inRow;
    };
    /// By how many one column is more frequent than the expected one where it is most so, and the entries there.
    struct Stretch {
      std::ptrdiff_t rise;
      std::int64_t first;
      std::int64_t last;
    };

    std::size_t share(int column) const;
    Stretch stretch(int column) const;
    std::string elsewhere(int column) const;

    RHTreeLayouts::OwnColumns const layout_;
    int const rows_;
    int const columns_;
    int const reach_;
    int const expected_;
    std::vector<Seen> seen_;
    std::size_t jets_ = 0;  // all of events whose HCAL holds any energy
  };

}  // namespace e2e

#endif
