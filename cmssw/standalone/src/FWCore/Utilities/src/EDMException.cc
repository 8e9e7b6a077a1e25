#include "FWCore/Utilities/interface/EDMException.h"

#include <map>

namespace edm {

  std::string const& Exception::codeToString(Code code) {
#define NAME(code) {errors::code, #code}
    static std::map<Code, std::string> const names{NAME(CommandLineProcessing),
                                                   NAME(ConfigFileNotFound),
                                                   NAME(ConfigFileReadError),
                                                   NAME(OtherCMS),
                                                   NAME(StdException),
                                                   NAME(Unknown),
                                                   NAME(BadAlloc),
                                                   NAME(BadExceptionType),
                                                   NAME(ProductNotFound),
                                                   NAME(DictionaryNotFound),
                                                   NAME(InsertFailure),
                                                   NAME(Configuration),
                                                   NAME(LogicError),
                                                   NAME(UnimplementedFeature),
                                                   NAME(InvalidReference),
                                                   NAME(NullPointerError),
                                                   NAME(NoProductSpecified),
                                                   NAME(EventTimeout),
                                                   NAME(EventCorruption),
                                                   NAME(ScheduleExecutionFailure),
                                                   NAME(EventProcessorFailure),
                                                   NAME(FileInPathError),
                                                   NAME(FileOpenError),
                                                   NAME(FileReadError),
                                                   NAME(FatalRootError),
                                                   NAME(MismatchedInputFiles),
                                                   NAME(ProductDoesNotSupportViews),
                                                   NAME(ProductDoesNotSupportPtr),
                                                   NAME(NotFound),
                                                   NAME(FormatIncompatibility),
                                                   NAME(FallbackFileOpenError),
                                                   NAME(NoSecondaryFiles),
                                                   NAME(ExceededResourceVSize),
                                                   NAME(ExceededResourceRSS),
                                                   NAME(ExceededResourceTime),
                                                   NAME(FileWriteError),
                                                   NAME(FileNameInconsistentWithGUID),
                                                   NAME(UnavailableAccelerator),
                                                   NAME(EventGenerationFailure),
                                                   NAME(CaughtSignal)};
#undef NAME
    static std::string const unknown("unknownCode");
    auto const found = names.find(code);
    return found == names.end() ? unknown : found->second;
  }

  Exception::~Exception() noexcept = default;

}  // namespace edm
