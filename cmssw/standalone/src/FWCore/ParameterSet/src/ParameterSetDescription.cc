#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "DataFormats/Provenance/interface/EventID.h"
#include "DataFormats/Provenance/interface/LuminosityBlockID.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  ParameterSetDescription::ParameterSetDescription(ParameterSetDescription const& other) { *this = other; }

  ParameterSetDescription& ParameterSetDescription::operator=(ParameterSetDescription const& other) {
    std::vector<std::unique_ptr<ParameterDescriptionNode>> nodes;
    for (auto const& node : other.nodes_)
      nodes.push_back(std::make_unique<ParameterDescriptionNode>(*node));
    nodes_ = std::move(nodes);
    anythingAllowed_ = other.anythingAllowed_;
    unknown_ = other.unknown_;
    comment_ = other.comment_;
    return *this;
  }

  ParameterDescriptionNode* ParameterSetDescription::addVPSet(std::string const& label,
                                                              ParameterSetDescription const& element,
                                                              VParameterSet const& defaults) {
    ParameterDescriptionNode* node = addVPSet(label, element);
    node->default_ = defaults;
    return node;
  }

  ParameterDescriptionNode* ParameterSetDescription::addVPSet(std::string const& label,
                                                              ParameterSetDescription const& element) {
    ParameterDescriptionNode* node = insert(label, typeid(VParameterSet), true, false);
    node->nested_ = std::make_shared<ParameterSetDescription const>(element);
    return node;
  }

  ParameterDescriptionNode* ParameterSetDescription::insert(std::string const& label,
                                                            ParameterSetDescription const& nested,
                                                            bool tracked,
                                                            bool optional) {
    ParameterDescriptionNode* node = insert(label, typeid(ParameterSet), tracked, optional);
    node->default_ = ParameterSet();
    node->nested_ = std::make_shared<ParameterSetDescription const>(nested);
    return node;
  }

  ParameterDescriptionNode* ParameterSetDescription::insert(std::string const& label,
                                                            std::type_info const& type,
                                                            bool tracked,
                                                            bool optional) {
    pset::configurationType(type);  // throws when no configuration can hold such a parameter
    if (describes(label))
      throw edm::Exception(errors::LogicError)
          << "Labels used in different nodes of a ParameterSetDescription must be unique: \"" << label << "\"\n";
    auto node = std::make_unique<ParameterDescriptionNode>();
    node->label_ = label;
    node->type_ = type;
    node->typeName_ = pset::configurationType(type);
    node->tracked_ = tracked;
    node->optional_ = optional;
    nodes_.push_back(std::move(node));
    return nodes_.back().get();
  }

  bool ParameterSetDescription::describes(std::string const& label) const {
    return std::any_of(nodes_.begin(), nodes_.end(), [&](auto const& node) { return node->label_ == label; });
  }

  void ParameterSetDescription::validate(ParameterSet& pset) const {
    if (unknown_)
      return;
    for (auto const& node : nodes_)
      validate(*node, pset);
    if (anythingAllowed_)
      return;

    std::ostringstream illegal;
    int count = 0;
    for (std::string const& name : pset.getParameterNames()) {
      if (!describes(name)) {
        illegal << " '" << name << "'\n";
        ++count;
      }
    }
    if (count == 1)
      throw edm::Exception(errors::Configuration)
          << "Illegal parameter found in configuration.  The parameter is named:\n"
          << illegal.str()
          << "You could be trying to use a parameter name that is not\n"
             "allowed for this plugin or it could be misspelled.\n";
    if (count > 1)
      throw edm::Exception(errors::Configuration)
          << "Illegal parameters found in configuration.  The parameters are named:\n"
          << illegal.str()
          << "You could be trying to use parameter names that are not\n"
             "allowed for this plugin or they could be misspelled.\n";
  }

  void ParameterSetDescription::validate(ParameterDescriptionNode const& node, ParameterSet& pset) const {
    ParameterSet::Entry* entry = pset.entry(node.label_);
    if (entry == nullptr) {
      if (node.optional_)
        return;
      if (!node.default_.has_value())
        throw edm::Exception(errors::Configuration)
            << "Missing required parameter.  It should have label \"" << node.label_ << "\" and have type \""
            << (node.tracked_ ? "" : "untracked ") << node.typeName_
            << "\".\nThe description has no default.  The parameter must be defined in the configuration\n";
      pset.insert(node.label_, {node.tracked_, node.default_});
      entry = pset.entry(node.label_);
    }

    if (entry->tracked != node.tracked_ || std::type_index(entry->value.type()) != node.type_)
      throw edm::Exception(errors::Configuration)
          << "Parameter \"" << node.label_ << "\" should be defined as "
          << (node.tracked_ ? "a tracked " : "an untracked ") << node.typeName_
          << ".\nThe type in the configuration is incorrect: " << (entry->tracked ? "a tracked " : "an untracked ")
          << pset::configurationType(entry->value.type()) << ".\n";

    if (node.nested_ == nullptr)
      return;
    if (auto* nested = std::any_cast<ParameterSet>(&entry->value))
      node.nested_->validate(*nested);
    if (auto* elements = std::any_cast<VParameterSet>(&entry->value))
      for (ParameterSet& element : *elements)
        node.nested_->validate(element);
  }

  namespace {
    // Values as Python reads them.
    std::string python(bool value) { return value ? "True" : "False"; }
    template <typename T>
    std::string python(T value) {
      char text[32];
      return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
    }
    std::string python(std::string const& value) {
      std::string text = "'";
      for (char c : value) {
        if (c == '\\' || c == '\'')
          text += '\\';
        text += c;
      }
      return text + "'";
    }
    std::string python(InputTag const& tag) {
      return "'" + tag.label() + "'" +
             (tag.instance().empty() && tag.process().empty() ? "" : ", '" + tag.instance() + "'") +
             (tag.process().empty() ? "" : ", '" + tag.process() + "'");
    }
    std::string python(FileInPath const& file) { return python(file.relativePath()); }
    std::string python(LuminosityBlockID const& id) {
      return std::to_string(id.run()) + ", " + std::to_string(id.luminosityBlock());
    }
    std::string python(EventID const& id) {
      return std::to_string(id.run()) + ", " + std::to_string(id.luminosityBlock()) + ", " + std::to_string(id.event());
    }

    // The elements of a vector of tags and ids are constructor calls of their own.
    template <typename T>
    std::string pythonElement(T const& value) {
      return python(value);
    }
    std::string pythonElement(InputTag const& tag) { return "cms.InputTag(" + python(tag) + ")"; }
    std::string pythonElement(EventID const& id) { return "cms.EventID(" + python(id) + ")"; }
    std::string pythonElement(LuminosityBlockID const& id) { return "cms.LuminosityBlockID(" + python(id) + ")"; }

    template <typename T>
    bool pythonIf(std::any const& value, std::string& text) {
      if (auto const* single = std::any_cast<T>(&value)) {
        text = python(*single);
        return true;
      }
      if (auto const* elements = std::any_cast<std::vector<T>>(&value)) {
        for (auto const& element : *elements)
          text += (text.empty() ? "" : ", ") + pythonElement(static_cast<T const&>(element));
        return true;
      }
      return false;
    }

    template <typename... T>
    std::string pythonAny(std::any const& value) {
      std::string text;
      (pythonIf<T>(value, text) || ...);
      return text;
    }

    std::string indent(int columns) { return "\n" + std::string(columns, ' '); }

    void writePSet(std::ostream& out, ParameterSet const& pset, int indentation);

    void writeValue(std::ostream& out, std::any const& value, int indentation) {
      if (auto const* pset = std::any_cast<ParameterSet>(&value)) {
        writePSet(out, *pset, indentation);
      } else if (auto const* elements = std::any_cast<VParameterSet>(&value)) {
        for (std::size_t i = 0; i < elements->size(); ++i) {
          out << (i == 0 ? "" : ",") << indent(indentation + 2) << "cms.PSet(";
          writePSet(out, (*elements)[i], indentation + 2);
          out << ")";
        }
      } else {
        out << pythonAny<bool,
                         int,
                         unsigned int,
                         long long,
                         unsigned long long,
                         double,
                         std::string,
                         InputTag,
                         FileInPath,
                         EventID,
                         LuminosityBlockID>(value);
      }
    }

    void writePSet(std::ostream& out, ParameterSet const& pset, int indentation) {
      bool first = true;
      for (std::string const& name : pset.getParameterNames()) {
        ParameterSet::Entry const* entry = pset.entry(name);
        out << (first ? "" : ",") << indent(indentation + 2) << name << " = cms."
            << (entry->tracked ? "" : "untracked.") << pset::configurationType(entry->value.type()) << "(";
        writeValue(out, entry->value, indentation + 2);
        out << ")";
        first = false;
      }
    }
  }  // namespace

  void ParameterSetDescription::writeCfi(std::ostream& out, bool startWithComma, int indentation) const {
    for (auto const& node : nodes_) {
      out << (startWithComma ? "," : "") << indent(indentation) << node->label_ << " = cms.";
      startWithComma = true;
      if (!node->default_.has_value()) {
        // Without a value the name is still known to Python, which then checks the type of what is assigned.
        out << (node->optional_ ? "optional." : "required.") << (node->tracked_ ? "" : "untracked.") << node->typeName_;
        continue;
      }
      out << (node->tracked_ ? "" : "untracked.") << node->typeName_ << "(";
      if (node->nested_ != nullptr && node->type_ == std::type_index(typeid(ParameterSet)))
        node->nested_->writeCfi(out, false, indentation + 2);
      else
        writeValue(out, node->default_, indentation);
      out << ")";
    }
  }

}  // namespace edm
