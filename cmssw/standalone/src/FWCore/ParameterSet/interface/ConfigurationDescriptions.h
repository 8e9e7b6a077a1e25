#ifndef FWCore_ParameterSet_ConfigurationDescriptions_h
#define FWCore_ParameterSet_ConfigurationDescriptions_h

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

namespace edm {

  /// What a plugin tells of its configuration: one description for each label it may have, and one for all others.
  class ConfigurationDescriptions {
  public:
    /// `baseType` is the Python class of the plugin (EDProducer, EDAnalyzer, EDFilter, Source, Service).
    ConfigurationDescriptions(std::string const& baseType, std::string const& pluginName)
        : baseType_(baseType), pluginName_(pluginName) {}

    void setComment(std::string const& comment) { comment_ = comment; }
    std::string const& comment() const { return comment_; }

    /// The label of a source must be "source", that of a service its own name: edm::Exception(LogicError) otherwise.
    void add(std::string const& label, ParameterSetDescription const& description);
    /// The label is the plugin's name with its leading capitals made small: E2ETagger becomes e2eTagger.
    void addWithDefaultLabel(ParameterSetDescription const& description);
    void addDefault(ParameterSetDescription const& description);

    /// Completes and checks the parameters of the module with this label; see ParameterSetDescription::validate.
    void validate(ParameterSet& pset, std::string const& moduleLabel) const;

    /// Writes `<label>_cfi.py` into `directory` for each labelled description; for a source, `<plugin>_cfi.py`.
    void writeCfis(std::string const& directory) const;

  private:
    std::string baseType_;
    std::string pluginName_;
    std::vector<std::pair<std::string, ParameterSetDescription>> descriptions_;
    std::optional<ParameterSetDescription> default_;
    std::string comment_;
  };

}  // namespace edm

#endif
