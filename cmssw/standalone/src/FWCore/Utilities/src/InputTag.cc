#include "FWCore/Utilities/interface/InputTag.h"

#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  InputTag::InputTag(std::string const& encoded) {
    std::string* const fields[] = {&label_, &instance_, &process_};
    std::size_t begin = 0;
    for (std::string* field : fields) {
      std::size_t const end = encoded.find(':', begin);
      *field = encoded.substr(begin, end - begin);
      if (end == std::string::npos)
        return;
      begin = end + 1;
    }
    throw edm::Exception(errors::Configuration)
        << "Input tag " << encoded << " has more than two colons: write label:instance:process";
  }

  std::string InputTag::encode() const {
    if (!process_.empty())
      return label_ + ":" + instance_ + ":" + process_;
    return instance_.empty() ? label_ : label_ + ":" + instance_;
  }

  std::ostream& operator<<(std::ostream& out, InputTag const& tag) {
    return out << "InputTag:  label = " << tag.label() << ", instance = " << tag.instance()
               << (tag.process().empty() ? "" : ", process = ") << tag.process();
  }

}  // namespace edm
