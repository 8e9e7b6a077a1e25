#include "CommonTools/Utils/interface/TFileDirectory.h"

#include "FWCore/Utilities/interface/Exception.h"

namespace {
  TDirectory* subdirectory(TDirectory* parent, std::string const& path, std::string const& title) {
    if (path.empty())
      return parent;
    if (TDirectory* existing = parent->GetDirectory(path.c_str()))
      return existing;
    TDirectory* made = parent->mkdir(path.c_str(), title.c_str());
    if (made == nullptr)
      throw cms::Exception("InvalidDirectory") << "Can't make directory " << path << " in " << parent->GetPath();
    return parent->GetDirectory(path.c_str());
  }
}  // namespace

TDirectory* TFileDirectory::getBareDirectory(std::string const& name) const {
  if (file_ == nullptr)
    throw cms::Exception("InvalidDirectory") << "This TFileDirectory has no file: get it from the TFileService.";
  return subdirectory(subdirectory(file_, path_, title_), name, "");
}

TFileDirectory TFileDirectory::mkdir(std::string const& name, std::string const& title) const {
  return TFileDirectory(file_, path_.empty() ? name : path_ + "/" + name, title);
}
