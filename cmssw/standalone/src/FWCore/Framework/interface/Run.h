#ifndef FWCore_Framework_Run_h
#define FWCore_Framework_Run_h

#include "DataFormats/Provenance/interface/RunID.h"

namespace edm {

  class Run {
  public:
    explicit Run(RunID const& id) : id_(id) {}

    RunID const& id() const { return id_; }
    RunNumber_t run() const { return id_.run(); }

  private:
    RunID id_;
  };

}  // namespace edm

#endif
