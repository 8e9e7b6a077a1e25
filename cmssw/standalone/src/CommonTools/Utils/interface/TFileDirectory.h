#ifndef CommonTools_Utils_TFileDirectory_h
#define CommonTools_Utils_TFileDirectory_h

#include <string>

#include "TClass.h"
#include "TDirectory.h"
#include "TFile.h"

/// A directory of a ROOT file, made when the first object is put into it.
class TFileDirectory {
public:
  TFileDirectory() = default;
  TFileDirectory(TFile* file, std::string const& path, std::string const& title)
      : file_(file), path_(path), title_(title) {}

  /// Makes an object that this directory owns: `make<TTree>("name", "title")`.
  template <typename T, typename... Args>
  T* make(Args const&... args) const {
    TDirectory::TContext restoreDirectory;
    TDirectory* here = getBareDirectory();
    here->cd();
    T* object = new T(args...);
    ROOT::DirAutoAdd_t add = T::Class()->GetDirectoryAutoAdd();
    if (add != nullptr)
      add(object, here);
    else
      here->Append(object);
    return object;
  }

  TFileDirectory mkdir(std::string const& name, std::string const& title = "") const;
  /// Throws cms::Exception(InvalidDirectory) when the directory cannot be made.
  TDirectory* getBareDirectory(std::string const& subdirectory = "") const;
  bool cd() const { return getBareDirectory()->cd(); }
  std::string fullPath() const { return path_; }

private:
  TFile* file_ = nullptr;
  std::string path_;
  std::string title_;
};

#endif
