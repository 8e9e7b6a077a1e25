#ifndef FWCore_ParameterSet_ParameterSet_h
#define FWCore_ParameterSet_ParameterSet_h

#include <any>
#include <map>
#include <string>
#include <vector>

#include "FWCore/ParameterSet/interface/ParameterSetfwd.h"
#include "FWCore/Utilities/interface/FileInPath.h"
#include "FWCore/Utilities/interface/InputTag.h"

namespace edm {

  /// A set of named, typed parameters; tracked ones are part of a job's identity, untracked ones are not.
  ///
  /// T is one of bool, int, unsigned int, long long, unsigned long long, double, std::string, edm::InputTag, a vector
  /// of one of these (not of bool), edm::FileInPath, edm::EventID, edm::LuminosityBlockID (and their vectors),
  /// edm::ParameterSet and std::vector<edm::ParameterSet>. Reading a parameter that is missing, or
  /// that has another type or trackedness, throws edm::Exception(Configuration).
  class ParameterSet {
  public:
    struct Entry {
      bool tracked;
      std::any value;
    };

    template <typename T>
    T getParameter(std::string const& name) const {
      return value<T>(name, true);
    }
    template <typename T>
    T getUntrackedParameter(std::string const& name) const {
      return value<T>(name, false);
    }
    template <typename T>
    T getUntrackedParameter(std::string const& name, T const& defaultValue) const {
      return entry(name) == nullptr ? defaultValue : value<T>(name, false);
    }

    ParameterSet const& getParameterSet(std::string const& name) const { return value<ParameterSet>(name, true); }
    ParameterSet const& getUntrackedParameterSet(std::string const& name) const {
      return value<ParameterSet>(name, false);
    }
    ParameterSet getUntrackedParameterSet(std::string const& name, ParameterSet const& defaultValue) const;
    VParameterSet const& getParameterSetVector(std::string const& name) const {
      return value<VParameterSet>(name, true);
    }
    VParameterSet const& getUntrackedParameterSetVector(std::string const& name) const {
      return value<VParameterSet>(name, false);
    }

    template <typename T>
    void addParameter(std::string const& name, T const& value) {
      entries_[name] = Entry{true, value};
    }
    template <typename T>
    void addUntrackedParameter(std::string const& name, T const& value) {
      entries_[name] = Entry{false, value};
    }

    bool exists(std::string const& name) const { return entry(name) != nullptr; }
    template <typename T>
    bool existsAs(std::string const& name, bool tracked = true) const {
      Entry const* found = entry(name);
      return found != nullptr && found->tracked == tracked && found->value.type() == typeid(T);
    }
    std::vector<std::string> getParameterNames() const;
    template <typename T>
    std::vector<std::string> getParameterNamesForType(bool tracked = true) const {
      std::vector<std::string> names;
      for (auto const& [name, found] : entries_)
        if (found.tracked == tracked && found.value.type() == typeid(T))
          names.push_back(name);
      return names;
    }
    bool empty() const { return entries_.empty(); }

    /// The host's own access, for validation: null when there is no such parameter.
    void insert(std::string const& name, Entry const& entry) { entries_[name] = entry; }
    void erase(std::string const& name) { entries_.erase(name); }
    Entry const* entry(std::string const& name) const;
    Entry* entry(std::string const& name);

  private:
    template <typename T>
    T const& value(std::string const& name, bool tracked) const;

    std::map<std::string, Entry> entries_;
  };

  namespace pset {
    /// The name a type has in a Python configuration ("int32", "VPSet", ...).
    std::string configurationType(std::type_info const& type);
    [[noreturn]] void throwMissing(std::string const& name, bool tracked, std::type_info const& type);
    [[noreturn]] void throwMismatch(std::string const& name,
                                    bool tracked,
                                    std::type_info const& type,
                                    ParameterSet::Entry const& found);
  }  // namespace pset

  template <typename T>
  T const& ParameterSet::value(std::string const& name, bool tracked) const {
    Entry const* found = entry(name);
    if (found == nullptr)
      pset::throwMissing(name, tracked, typeid(T));
    T const* result = found->tracked == tracked ? std::any_cast<T>(&found->value) : nullptr;
    if (result == nullptr)
      pset::throwMismatch(name, tracked, typeid(T), *found);
    return *result;
  }

  inline ParameterSet ParameterSet::getUntrackedParameterSet(std::string const& name,
                                                             ParameterSet const& defaultValue) const {
    return getUntrackedParameter<ParameterSet>(name, defaultValue);
  }

}  // namespace edm

#endif
