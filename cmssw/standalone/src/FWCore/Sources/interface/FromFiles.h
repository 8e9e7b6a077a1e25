#ifndef FWCore_Sources_FromFiles_h
#define FWCore_Sources_FromFiles_h

#include <cstddef>
#include <string>
#include <vector>

#include "FWCore/Framework/interface/Frameworkfwd.h"

namespace edm {

  /// The files of a source, taken from its parameter `fileNames`.
  class FromFiles {
  public:
    /// Throws edm::Exception(FileOpenError) for a logical name: the host has no catalog that could resolve it.
    explicit FromFiles(ParameterSet const& pset);

    std::vector<std::string> const& logicalFileNames() const { return fileNames_; }
    std::vector<std::string> fileNames(unsigned int catalog) const;

    static void fillDescription(ParameterSetDescription& description);

    void incrementFileIndex() { ++fileIndex_; }
    std::size_t fileIndex() const { return fileIndex_; }

  private:
    std::vector<std::string> fileNames_;
    std::size_t fileIndex_ = 0;
  };

}  // namespace edm

#endif
