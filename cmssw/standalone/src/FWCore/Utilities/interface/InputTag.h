#ifndef FWCore_Utilities_InputTag_h
#define FWCore_Utilities_InputTag_h

#include <ostream>
#include <string>

namespace edm {

  /// Names a product: module label, instance and process. An empty process means the most recent one.
  class InputTag {
  public:
    InputTag() = default;
    InputTag(std::string const& label, std::string const& instance, std::string const& process = "")
        : label_(label), instance_(instance), process_(process) {}
    /// Reads "label", "label:instance" or "label:instance:process".
    InputTag(std::string const& encoded);

    std::string encode() const;

    std::string const& label() const { return label_; }
    std::string const& instance() const { return instance_; }
    std::string const& process() const { return process_; }

    bool operator==(InputTag const& other) const {
      return label_ == other.label_ && instance_ == other.instance_ && process_ == other.process_;
    }

  private:
    std::string label_;
    std::string instance_;
    std::string process_;
  };

  std::ostream& operator<<(std::ostream& out, InputTag const& tag);

}  // namespace edm

#endif
