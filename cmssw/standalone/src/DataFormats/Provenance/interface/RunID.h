#ifndef DataFormats_Provenance_RunID_h
#define DataFormats_Provenance_RunID_h

#include <ostream>

#include "DataFormats/Provenance/interface/RunLumiEventNumber.h"

namespace edm {

  class RunID {
  public:
    RunID() = default;
    explicit RunID(RunNumber_t run) : run_(run) {}

    RunNumber_t run() const { return run_; }

    bool operator==(RunID const& other) const { return run_ == other.run_; }
    bool operator!=(RunID const& other) const { return run_ != other.run_; }
    bool operator<(RunID const& other) const { return run_ < other.run_; }

  private:
    RunNumber_t run_ = 0;
  };

  inline std::ostream& operator<<(std::ostream& out, RunID const& id) { return out << "run: " << id.run(); }

}  // namespace edm

#endif
