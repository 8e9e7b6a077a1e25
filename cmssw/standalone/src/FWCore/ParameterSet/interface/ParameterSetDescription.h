#ifndef FWCore_ParameterSet_ParameterSetDescription_h
#define FWCore_ParameterSet_ParameterSetDescription_h

#include <any>
#include <memory>
#include <ostream>
#include <string>
#include <typeindex>
#include <vector>

#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm {

  /// One parameter that a ParameterSetDescription allows.
  class ParameterDescriptionNode {
  public:
    ParameterDescriptionNode* setComment(std::string const& comment) {
      comment_ = comment;
      return this;
    }
    std::string const& comment() const { return comment_; }

  private:
    friend class ParameterSetDescription;

    std::string label_;
    std::type_index type_ = typeid(void);
    std::string typeName_;  // as in a Python configuration
    bool tracked_ = true;
    bool optional_ = false;
    std::any default_;                                       // empty: there is none
    std::shared_ptr<ParameterSetDescription const> nested_;  // describes a PSet, or the elements of a VPSet
    std::string comment_;
  };
  using ParameterDescriptionBase = ParameterDescriptionNode;

  /// What a ParameterSet may hold: the names, types, trackedness and defaults of its parameters.
  class ParameterSetDescription {
  public:
    ParameterSetDescription() = default;
    ParameterSetDescription(ParameterSetDescription const& other);
    ParameterSetDescription& operator=(ParameterSetDescription const& other);

    // The eight ways to describe one parameter of type T. For a PSet, T is ParameterSetDescription.
    template <typename T>
    ParameterDescriptionNode* add(std::string const& label, T const& value) {
      return insert(label, value, true, false);
    }
    template <typename T>
    ParameterDescriptionNode* addUntracked(std::string const& label, T const& value) {
      return insert(label, value, false, false);
    }
    template <typename T>
    ParameterDescriptionNode* addOptional(std::string const& label, T const& value) {
      return insert(label, value, true, true);
    }
    template <typename T>
    ParameterDescriptionNode* addOptionalUntracked(std::string const& label, T const& value) {
      return insert(label, value, false, true);
    }
    template <typename T>
    ParameterDescriptionNode* add(std::string const& label) {
      return insert(label, typeid(T), true, false);
    }
    template <typename T>
    ParameterDescriptionNode* addUntracked(std::string const& label) {
      return insert(label, typeid(T), false, false);
    }
    template <typename T>
    ParameterDescriptionNode* addOptional(std::string const& label) {
      return insert(label, typeid(T), true, true);
    }
    template <typename T>
    ParameterDescriptionNode* addOptionalUntracked(std::string const& label) {
      return insert(label, typeid(T), false, true);
    }

    ParameterDescriptionNode* addVPSet(std::string const& label,
                                       ParameterSetDescription const& element,
                                       VParameterSet const& defaults);
    ParameterDescriptionNode* addVPSet(std::string const& label, ParameterSetDescription const& element);

    void setAllowAnything() { anythingAllowed_ = true; }
    bool anythingAllowed() const { return anythingAllowed_; }
    /// For plugins that describe nothing: their parameters are not validated.
    void setUnknown() { unknown_ = true; }
    bool isUnknown() const { return unknown_; }

    void setComment(std::string const& comment) { comment_ = comment; }
    std::string const& comment() const { return comment_; }

    /// Adds the missing defaults to `pset`; throws edm::Exception(Configuration) for a parameter that is missing,
    /// of another type or trackedness, or not described.
    void validate(ParameterSet& pset) const;

    /// Writes the parameters as the arguments of a Python constructor.
    void writeCfi(std::ostream& out, bool startWithComma, int indentation) const;

  private:
    template <typename T>
    ParameterDescriptionNode* insert(std::string const& label, T const& value, bool tracked, bool optional) {
      ParameterDescriptionNode* node = insert(label, typeid(T), tracked, optional);
      node->default_ = value;
      return node;
    }
    ParameterDescriptionNode* insert(std::string const& label, ParameterSetDescription const&, bool, bool);
    ParameterDescriptionNode* insert(std::string const& label, std::type_info const& type, bool tracked, bool optional);

    void validate(ParameterDescriptionNode const& node, ParameterSet& pset) const;
    bool describes(std::string const& label) const;

    std::vector<std::unique_ptr<ParameterDescriptionNode>> nodes_;
    bool anythingAllowed_ = false;
    bool unknown_ = false;
    std::string comment_;
  };

}  // namespace edm

#endif
