#ifndef DataFormats_Provenance_RunLumiEventNumber_h
#define DataFormats_Provenance_RunLumiEventNumber_h

namespace edm {
  using EventNumber_t = unsigned long long;
  using LuminosityBlockNumber_t = unsigned int;
  using RunNumber_t = unsigned int;
}  // namespace edm

#endif
