#include "FWCore/ParameterSet/interface/ParameterSet.h"

#include <typeindex>
#include <utility>

#include "DataFormats/Provenance/interface/EventID.h"
#include "DataFormats/Provenance/interface/LuminosityBlockID.h"
#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace edm {

  std::vector<std::string> ParameterSet::getParameterNames() const {
    std::vector<std::string> names;
    for (auto const& named : entries_)
      names.push_back(named.first);
    return names;
  }

  ParameterSet::Entry const* ParameterSet::entry(std::string const& name) const {
    auto const found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }

  ParameterSet::Entry* ParameterSet::entry(std::string const& name) {
    return const_cast<Entry*>(std::as_const(*this).entry(name));
  }

  namespace pset {
    std::string configurationType(std::type_info const& type) {
      static std::map<std::type_index, std::string> const names{
          {typeid(bool), "bool"},
          {typeid(int), "int32"},
          {typeid(std::vector<int>), "vint32"},
          {typeid(unsigned int), "uint32"},
          {typeid(std::vector<unsigned int>), "vuint32"},
          {typeid(long long), "int64"},
          {typeid(std::vector<long long>), "vint64"},
          {typeid(unsigned long long), "uint64"},
          {typeid(std::vector<unsigned long long>), "vuint64"},
          {typeid(double), "double"},
          {typeid(std::vector<double>), "vdouble"},
          {typeid(std::string), "string"},
          {typeid(std::vector<std::string>), "vstring"},
          {typeid(InputTag), "InputTag"},
          {typeid(std::vector<InputTag>), "VInputTag"},
          {typeid(FileInPath), "FileInPath"},
          {typeid(EventID), "EventID"},
          {typeid(std::vector<EventID>), "VEventID"},
          {typeid(LuminosityBlockID), "LuminosityBlockID"},
          {typeid(std::vector<LuminosityBlockID>), "VLuminosityBlockID"},
          {typeid(ParameterSet), "PSet"},
          {typeid(ParameterSetDescription), "PSet"},
          {typeid(VParameterSet), "VPSet"},
      };
      auto const found = names.find(type);
      if (found == names.end())
        throw edm::Exception(errors::LogicError) << TypeID(type).className() << " is no type of a parameter\n";
      return found->second;
    }

    namespace {
      char const* trackedness(bool tracked) { return tracked ? "tracked " : "untracked "; }
    }  // namespace

    void throwMissing(std::string const& name, bool tracked, std::type_info const& type) {
      throw edm::Exception(errors::Configuration)
          << "MissingParameter: Parameter '" << name << "' not found.\nIt was looked for as " << trackedness(tracked)
          << configurationType(type) << ".\n";
    }

    void throwMismatch(std::string const& name,
                       bool tracked,
                       std::type_info const& type,
                       ParameterSet::Entry const& found) {
      throw edm::Exception(errors::Configuration)
          << "ValueError: Parameter '" << name << "' was asked for as " << trackedness(tracked)
          << configurationType(type) << ",\nbut in the configuration it is " << trackedness(found.tracked)
          << configurationType(found.value.type()) << ".\n";
    }
  }  // namespace pset

}  // namespace edm
