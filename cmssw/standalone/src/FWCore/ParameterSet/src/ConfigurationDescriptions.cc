#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  namespace {
    constexpr char const* kSource = "Source";
    constexpr char const* kService = "Service";

    std::string defaultModuleLabel(std::string label) {
      label.erase(std::remove(label.begin(), label.end(), ':'), label.end());
      auto const isCapital = [](unsigned char c) { return std::isupper(c) != 0; };
      auto capitals = static_cast<std::size_t>(std::find_if_not(label.begin(), label.end(), isCapital) - label.begin());
      if (capitals > 1 && capitals < label.size())
        --capitals;  // the last one begins the next word
      std::transform(
          label.begin(), label.begin() + capitals, label.begin(), [](unsigned char c) { return std::tolower(c); });
      return label;
    }
  }  // namespace

  void ConfigurationDescriptions::add(std::string const& label, ParameterSetDescription const& description) {
    if (baseType_ == kSource && label != "source")
      throw edm::Exception(errors::LogicError)
          << "ConfigurationDescriptions::add, when adding a ParameterSetDescription "
             "for a source the label must be \"source\"\n";
    if (baseType_ == kService && label != pluginName_)
      throw edm::Exception(errors::LogicError)
          << "ConfigurationDescriptions::add, for a service the label and the plugin name must be the same.\n"
          << "plugin name = \"" << pluginName_ << "\"  label name = \"" << label << "\"\n";
    if ((baseType_ == kSource || baseType_ == kService) && (!descriptions_.empty() || default_))
      throw edm::Exception(errors::LogicError)
          << "ConfigurationDescriptions::add, for a source or service only 1 ParameterSetDescription may be added\n";
    for (auto const& known : descriptions_)
      if (known.first == label)
        throw edm::Exception(errors::LogicError) << "ConfigurationDescriptions::add, plugin \"" << pluginName_
                                                 << "\" uses the label \"" << label << "\" twice.\n";
    descriptions_.emplace_back(label, description);
  }

  void ConfigurationDescriptions::addWithDefaultLabel(ParameterSetDescription const& description) {
    if (baseType_ == kService)
      add(pluginName_, description);
    else if (baseType_ == kSource)
      add("source", description);
    else
      add(defaultModuleLabel(pluginName_), description);
  }

  void ConfigurationDescriptions::addDefault(ParameterSetDescription const& description) { default_ = description; }

  void ConfigurationDescriptions::validate(ParameterSet& pset, std::string const& moduleLabel) const {
    auto const labelled = std::find_if(
        descriptions_.begin(), descriptions_.end(), [&](auto const& known) { return known.first == moduleLabel; });
    if (labelled != descriptions_.end())
      labelled->second.validate(pset);
    else if (default_)
      default_->validate(pset);
    else if (!descriptions_.empty())
      descriptions_.front().second.validate(pset);
  }

  void ConfigurationDescriptions::writeCfis(std::string const& directory) const {
    for (auto const& [label, description] : descriptions_) {
      std::filesystem::path const file =
          std::filesystem::path(directory) / ((baseType_ == kSource ? pluginName_ : label) + "_cfi.py");
      std::ofstream out(file);
      out << "# Written by edmWriteConfigs from the fillDescriptions of " << pluginName_ << ".\n"
          << "import FWCore.ParameterSet.Config as cms\n\n"
          << label << " = cms." << baseType_ << "('" << pluginName_ << "'";
      description.writeCfi(out, true, 2);
      out << "\n)\n";
      out.close();
      if (!out)
        throw edm::Exception(errors::FileWriteError) << "Cannot write " << file.string() << "\n";
    }
  }

}  // namespace edm
