#include "FWCore/Utilities/interface/PartialFile.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "FWCore/Utilities/interface/EDMException.h"

namespace fs = std::filesystem;

namespace edm {

  namespace {
    /// Where a path leads, also if nothing is there yet.
    fs::path followed(fs::path path) {
      for (int links = 0; fs::is_symlink(path); ++links) {
        if (links == 40)
          throw fs::filesystem_error("", path, std::make_error_code(std::errc::too_many_symbolic_link_levels));
        path = path.parent_path() / fs::read_symlink(path);
      }
      return path;
    }
  }  // namespace

  PartialFile::PartialFile(std::string service, std::string name)
      : service_(std::move(service)), name_(name.rfind("file:", 0) == 0 ? name.substr(5) : std::move(name)) {
    if (name_.find_first_of("#?$") != std::string::npos)
      refuse("ROOT takes # and ? in a name for parts of a URL, and $ for a variable");
    try {
      target_ = followed(name_).string();
      if (fs::is_directory(target_))
        refuse("it is a folder");
      if (fs::exists(target_) && !fs::is_regular_file(target_))
        refuse("it is no ordinary file");
    } catch (fs::filesystem_error const& error) {
      refuse(error.code().message());
    }
    std::string const partial = target_ + ".partial-" + std::to_string(getpid());
    int const descriptor = open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
      refuse(std::strerror(errno));
    close(descriptor);
    partial_ = partial;
  }

  PartialFile::~PartialFile() {
    std::error_code ignored;
    if (!kept_)
      fs::remove(partial_, ignored);
  }

  void PartialFile::keep() {
    std::error_code error;
    fs::rename(partial_, target_, error);
    if (error)
      refuse(error.message());
    kept_ = true;
  }

  void PartialFile::refuse(std::string const& reason) const {
    throw edm::Exception(errors::FatalRootError) << service_ << " cannot write " << name_ << ": " << reason << "\n";
  }

}  // namespace edm
