#ifndef FWCore_Framework_LuminosityBlock_h
#define FWCore_Framework_LuminosityBlock_h

#include "DataFormats/Provenance/interface/LuminosityBlockID.h"

namespace edm {

  class LuminosityBlock {
  public:
    explicit LuminosityBlock(LuminosityBlockID const& id) : id_(id) {}

    LuminosityBlockID const& id() const { return id_; }
    RunNumber_t run() const { return id_.run(); }
    LuminosityBlockNumber_t luminosityBlock() const { return id_.luminosityBlock(); }

  private:
    LuminosityBlockID id_;
  };

}  // namespace edm

#endif
