#ifndef DataFormats_Provenance_LuminosityBlockID_h
#define DataFormats_Provenance_LuminosityBlockID_h

#include <ostream>
#include <tuple>

#include "DataFormats/Provenance/interface/RunLumiEventNumber.h"

namespace edm {

  class LuminosityBlockID {
  public:
    LuminosityBlockID() = default;
    LuminosityBlockID(RunNumber_t run, LuminosityBlockNumber_t lumi) : run_(run), lumi_(lumi) {}

    RunNumber_t run() const { return run_; }
    LuminosityBlockNumber_t luminosityBlock() const { return lumi_; }

    bool operator==(LuminosityBlockID const& other) const { return run_ == other.run_ && lumi_ == other.lumi_; }
    bool operator!=(LuminosityBlockID const& other) const { return !(*this == other); }
    bool operator<(LuminosityBlockID const& other) const {
      return std::tie(run_, lumi_) < std::tie(other.run_, other.lumi_);
    }

  private:
    RunNumber_t run_ = 0;
    LuminosityBlockNumber_t lumi_ = 0;
  };

  inline std::ostream& operator<<(std::ostream& out, LuminosityBlockID const& id) {
    return out << "run: " << id.run() << " luminosityBlock: " << id.luminosityBlock();
  }

}  // namespace edm

#endif
