#ifndef FWCore_Utilities_PartialFile_h
#define FWCore_Utilities_PartialFile_h

#include <string>

namespace edm {

  /// The name beside a file's own under which the file is written, so that it appears whole or not at all. A symbolic
  /// link is followed, and stays. Of the host alone: CMSSW's services write in place.
  class PartialFile {
  public:
    /// `service` is who writes, for messages. Throws an edm::Exception (FatalRootError, as in CMSSW where ROOT finds
    /// that it cannot write) for a folder, a device, a name that ROOT would take apart, or a place without permission.
    PartialFile(std::string service, std::string name);
    PartialFile(PartialFile const&) = delete;
    PartialFile& operator=(PartialFile const&) = delete;
    /// What was not kept is removed.
    ~PartialFile();

    std::string const& path() const { return partial_; }
    void keep();

    /// Throws what the constructor does: `reason` says why the file cannot be written.
    [[noreturn]] void refuse(std::string const& reason) const;

  private:
    std::string const service_;
    std::string const name_;
    std::string target_;
    std::string partial_;
    bool kept_ = false;
  };

}  // namespace edm

#endif
