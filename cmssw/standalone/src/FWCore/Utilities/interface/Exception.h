#ifndef FWCore_Utilities_Exception_h
#define FWCore_Utilities_Exception_h

#include <exception>
#include <list>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>

namespace cms {

  /// The exception of CMSSW: a category, a message streamed in, and the contexts it passed on its way out.
  class Exception : public std::exception {
  public:
    explicit Exception(std::string const& category) : category_(category) {}
    Exception(std::string const& category, std::string const& message) : category_(category) { message_ << message; }
    Exception(std::string const& category, std::string const& message, Exception const& another);
    Exception(Exception const& other);
    Exception& operator=(Exception const& other);
    ~Exception() noexcept override;

    char const* what() const noexcept override;
    virtual std::string explainSelf() const;

    std::string const& category() const { return category_; }
    std::string message() const { return message_.str(); }
    std::list<std::string> const& context() const { return context_; }
    std::list<std::string> const& additionalInfo() const { return additionalInfo_; }
    int returnCode() const { return returnCode_(); }

    void append(Exception const& another) { message_ << another.message(); }
    void append(std::string const& more) { message_ << more; }
    void addContext(std::string const& context) { context_.push_back(context); }
    void addAdditionalInfo(std::string const& info) { additionalInfo_.push_back(info); }
    void clearMessage() { message_.str(""); }
    void clearContext() { context_.clear(); }

    virtual Exception* clone() const { return new Exception(*this); }
    void raise() { rethrow(); }

    std::ostream& stream() { return message_; }

  private:
    virtual void rethrow() { throw *this; }
    virtual int returnCode_() const { return 8001; }

    std::ostringstream message_;
    std::string category_;
    mutable std::string what_;
    std::list<std::string> context_;
    std::list<std::string> additionalInfo_;
  };

  // Streaming returns the exception's own type, so that `throw edm::Exception(code) << "text"` throws an edm::Exception.
  template <typename E, typename T>
  std::enable_if_t<std::is_base_of_v<Exception, std::remove_reference_t<E>>, std::remove_reference_t<E>&> operator<<(
      E&& exception, T const& text) {
    exception.stream() << text;
    return exception;
  }

  template <typename E>
  std::enable_if_t<std::is_base_of_v<Exception, std::remove_reference_t<E>>, std::remove_reference_t<E>&> operator<<(
      E&& exception, std::ostream& (*manipulator)(std::ostream&)) {
    manipulator(exception.stream());
    return exception;
  }

  inline std::ostream& operator<<(std::ostream& out, Exception const& exception) {
    return out << exception.explainSelf();
  }

}  // namespace cms

#endif
