#include "rootSetup.h"

#include <algorithm>
#include <set>
#include <string>

#include "TClass.h"
#include "TDictAttributeMap.h"
#include "TError.h"
#include "THashTable.h"
#include "TROOT.h"

#include "FWCore/MessageLogger/interface/MessageLogger.h"
#include "FWCore/Utilities/interface/EDMException.h"

namespace edm {

  namespace {
    void handleRootError(int level, bool /*abort*/, char const* location, char const* message) {
      std::string const where = location == nullptr ? "?" : location;
      std::string const what = message == nullptr ? "?" : message;
      // What CMSSW, too, takes for harmless.
      char const* const harmless[] = {"no dictionary for class", "already in TClassTable", "already been loaded"};
      bool const isHarmless = std::any_of(std::begin(harmless), std::end(harmless), [&](char const* text) {
        return what.find(text) != std::string::npos;
      });
      if (where.find("TUnixSystem::DispatchSignals") != std::string::npos)
        return;  // a signal, which goes its own way
      if (level < kWarning || isHarmless) {
        LogInfo("Root_Information") << "@SUB=" << where << what;
        return;
      }
      edm::Exception exception(errors::FatalRootError);
      exception.addAdditionalInfo("Fatal Root Error: @SUB=" + where + "\n" + what + "\n");
      throw exception;
    }
  }  // namespace

  void setUpRoot() {
    gROOT->SetBatch();
    ROOT::EnableThreadSafety();
    SetErrorHandler(&handleRootError);
  }

  void checkDictionaries(std::vector<TypeID> const& types) {
    std::set<std::string> missing;
    for (TypeID const& type : types) {
      TClass* const rootClass = TClass::GetClass(type.typeInfo(), true, true);
      if (rootClass == nullptr || !rootClass->HasDictionary()) {
        missing.insert(type.className());
        continue;
      }
      // Of a class that is never written, ROOT need not know the members.
      auto const* properties = rootClass->GetAttributeMap();
      if (properties != nullptr && properties->HasKey("persistent") &&
          std::string("false") == properties->GetPropertyAsString("persistent"))
        continue;
      THashTable lacking;
      rootClass->GetMissingDictionaries(lacking, true);
      for (TObject const* object : lacking)
        missing.insert(object->GetName());
    }
    if (missing.empty())
      return;

    edm::Exception exception(errors::DictionaryNotFound);
    exception << "No data dictionary found for the following classes:\n\n";
    for (std::string const& name : missing)
      exception << "  " << name << "\n";
    exception << "\nMost likely each dictionary was never generated, but it may be that it was generated in the wrong\n"
                 "package. Please add (or move) the specification '<class name=\"whatever\"/>' to the classes_def.xml\n"
                 "file along with any other information needed there, and the header to its classes.h. The library\n"
                 "that holds the dictionary must be used by the plugin's BuildFile.\n";
    throw exception;
  }

}  // namespace edm
