#include "FWCore/Utilities/interface/FileInPath.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  FileInPath::FileInPath(std::string const& relativePath) : relativePath_(relativePath) {
    char const* const searchPath = std::getenv("CMSSW_SEARCH_PATH");
    if (searchPath == nullptr || *searchPath == '\0')
      throw edm::Exception(errors::FileInPathError) << "CMSSW_SEARCH_PATH must be defined\n";
    if (relativePath.empty())
      throw edm::Exception(errors::FileInPathError) << "Relative path must not be empty\n";

    std::istringstream directories(searchPath);
    for (std::string directory; std::getline(directories, directory, ':');) {
      std::filesystem::path const candidate = std::filesystem::path(directory) / relativePath;
      if (!std::filesystem::exists(candidate))
        continue;
      if (std::filesystem::is_directory(candidate))
        throw edm::Exception(errors::FileInPathError)
            << "Path " << candidate.string() << " is a directory, not a file\n";
      relativePath_ = std::filesystem::path(relativePath).lexically_normal().string();
      fullPath_ = std::filesystem::absolute(candidate).lexically_normal().string();
      return;
    }
    throw edm::Exception(errors::FileInPathError)
        << "edm::FileInPath unable to find file " << relativePath << " anywhere in the search path.\n"
        << "The search path is defined by: CMSSW_SEARCH_PATH\n${CMSSW_SEARCH_PATH} is: " << searchPath << '\n';
  }

}  // namespace edm
