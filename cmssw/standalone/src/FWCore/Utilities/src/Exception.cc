#include "FWCore/Utilities/interface/Exception.h"

namespace cms {

  Exception::Exception(std::string const& category, std::string const& message, Exception const& another)
      : category_(category), context_(another.context_), additionalInfo_(another.additionalInfo_) {
    message_ << message;
    if (!message.empty() && message.back() != '\n')
      message_ << '\n';
    append(another);
  }

  Exception::Exception(Exception const& other)
      : std::exception(other),
        category_(other.category_),
        context_(other.context_),
        additionalInfo_(other.additionalInfo_) {
    message_ << other.message();
  }

  Exception& Exception::operator=(Exception const& other) {
    std::string const message = other.message();
    message_.str("");
    message_ << message;
    category_ = other.category_;
    context_ = other.context_;
    additionalInfo_ = other.additionalInfo_;
    return *this;
  }

  Exception::~Exception() noexcept = default;

  char const* Exception::what() const noexcept {
    what_ = explainSelf();
    return what_.c_str();
  }

  std::string Exception::explainSelf() const {
    std::ostringstream out;
    out << "An exception of category '" << category_ << "' occurred";
    if (context_.empty()) {
      out << ".\n";
    } else {
      out << " while\n";
      int n = 0;
      for (auto context = context_.rbegin(); context != context_.rend(); ++context)
        out << "   [" << n++ << "] " << *context << '\n';
    }

    std::string const text = message();
    if (!text.empty())
      out << "Exception Message:\n" << text << (text.back() == '\n' ? "" : "\n");

    if (!additionalInfo_.empty()) {
      out << "   Additional Info:\n";
      char letter = 'a';
      for (auto info = additionalInfo_.rbegin(); info != additionalInfo_.rend(); ++info)
        out << "      [" << letter++ << "] " << *info << '\n';
    }
    return out.str();
  }

}  // namespace cms
