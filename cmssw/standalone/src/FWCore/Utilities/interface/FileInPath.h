#ifndef FWCore_Utilities_FileInPath_h
#define FWCore_Utilities_FileInPath_h

#include <ostream>
#include <string>

namespace edm {

  /// A file found by its path relative to one of the directories in CMSSW_SEARCH_PATH
  /// (by default the area's src). Throws edm::Exception(FileInPathError) when no directory has it.
  class FileInPath {
  public:
    FileInPath() = default;
    explicit FileInPath(std::string const& relativePath);
    explicit FileInPath(char const* relativePath) : FileInPath(std::string(relativePath)) {}

    std::string const& relativePath() const { return relativePath_; }
    std::string const& fullPath() const { return fullPath_; }

    bool operator==(FileInPath const& other) const { return relativePath_ == other.relativePath_; }

  private:
    std::string relativePath_;
    std::string fullPath_;
  };

  inline std::ostream& operator<<(std::ostream& out, FileInPath const& file) { return out << file.fullPath(); }

}  // namespace edm

#endif
