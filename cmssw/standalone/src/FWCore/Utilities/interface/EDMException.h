#ifndef FWCore_Utilities_EDMException_h
#define FWCore_Utilities_EDMException_h

#include "FWCore/Utilities/interface/Exception.h"

namespace edm {

  namespace errors {
    // cmsRun returns the code; a shell sees it modulo 256 (8009 is 73).
    enum ErrorCodes {
      CommandLineProcessing = 7000,
      ConfigFileNotFound = 7001,
      ConfigFileReadError = 7002,

      OtherCMS = 8001,
      StdException = 8002,
      Unknown = 8003,
      BadAlloc = 8004,
      BadExceptionType = 8005,

      ProductNotFound = 8006,
      DictionaryNotFound = 8007,
      InsertFailure = 8008,
      Configuration = 8009,
      LogicError = 8010,
      UnimplementedFeature = 8011,
      InvalidReference = 8012,
      NullPointerError = 8013,
      NoProductSpecified = 8014,
      EventTimeout = 8015,
      EventCorruption = 8016,

      ScheduleExecutionFailure = 8017,
      EventProcessorFailure = 8018,

      FileInPathError = 8019,
      FileOpenError = 8020,
      FileReadError = 8021,
      FatalRootError = 8022,
      MismatchedInputFiles = 8023,

      ProductDoesNotSupportViews = 8024,
      ProductDoesNotSupportPtr = 8025,

      NotFound = 8026,
      FormatIncompatibility = 8027,
      FallbackFileOpenError = 8028,
      NoSecondaryFiles = 8029,

      ExceededResourceVSize = 8030,
      ExceededResourceRSS = 8031,
      ExceededResourceTime = 8032,

      FileWriteError = 8033,
      FileNameInconsistentWithGUID = 8034,
      UnavailableAccelerator = 8035,

      EventGenerationFailure = 8501,

      CaughtSignal = 9000
    };
  }  // namespace errors

  /// The exception thrown by the framework itself: its category is one of errors::ErrorCodes.
  class Exception : public cms::Exception {
  public:
    using Code = errors::ErrorCodes;

    explicit Exception(Code code) : cms::Exception(codeToString(code)), code_(code) {}
    Exception(Code code, std::string const& message) : cms::Exception(codeToString(code), message), code_(code) {}
    Exception(Code code, std::string const& message, cms::Exception const& another)
        : cms::Exception(codeToString(code), message, another), code_(code) {}
    ~Exception() noexcept override;

    Code categoryCode() const { return code_; }
    static std::string const& codeToString(Code code);

    Exception* clone() const override { return new Exception(*this); }

  private:
    void rethrow() override { throw *this; }
    int returnCode_() const override { return code_; }

    Code code_;
  };

}  // namespace edm

#endif
