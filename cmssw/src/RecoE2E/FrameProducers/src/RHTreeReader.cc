#include "RecoE2E/FrameProducers/interface/RHTreeReader.h"

#include <array>
#include <exception>
#include <limits>
#include <string_view>
#include <utility>

#include "TBranch.h"
#include "TClass.h"
#include "TDirectory.h"
#include "TLeaf.h"
#include "TSystem.h"
#include "TTree.h"

#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/ExceptionPropagate.h"

namespace e2e {

  namespace {
    constexpr char const* kInvalidNtuple = "InvalidNtuple";
    constexpr char const* kCopyAnew = "; it is damaged, not a ROOT file, or was not closed: copy or write it anew";

    /// What an exception says, on lines of its own; ROOT's errors have only additional information.
    std::string reason(cms::Exception const& error) {
      auto text = error.message().empty() ? "" : '\n' + error.message();
      for (auto const& info : error.additionalInfo())
        text += '\n' + info;
      return text;
    }
  }  // namespace

  /// Calls ROOT, whose errors and warnings cmsRun turns into exceptions: here they say that the file is unreadable.
  template <typename F>
  auto RHTreeReader::fromRoot(std::string const& what, F&& call) const {
    try {
      return call();
    } catch (cms::Exception const& error) {
      throw edm::Exception(edm::errors::FileReadError)
          << fileName_ << ": cannot read " << what << kCopyAnew << reason(error);
    }
  }

  RHTreeReader::RHTreeReader(std::string fileName, Branches const& branches) : fileName_(std::move(fileName)) {
    TDirectory::TContext const restoreDirectory;
    openFile();
    tree_ = fromRoot(branches.tree, [&] { return dynamic_cast<TTree*>(file_->Get(branches.tree.c_str())); });
    if (tree_ == nullptr)
      throw cms::Exception(kInvalidNtuple) << fileName_ << ": has no tree " << branches.tree;
    entries_ = tree_->GetEntries();
    run_ = integer("runId");
    lumi_ = integer("lumiId");
    event_ = integer("eventId");
    for (auto const& name : branches.images)
      images_.push_back(vector(name));
    seedRows_ = vector(branches.seedRows);
    seedColumns_ = vector(branches.seedColumns);
  }

  RHTreeReader::~RHTreeReader() = default;

  void RHTreeReader::openFile() {
    std::string why;
    try {
      file_.reset(TFile::Open(fileName_.c_str()));
      // CMSSW's own TFile cannot throw through ROOT: it leaves its exception here, and itself half open.
      if (auto const error = edm::threadLocalException::getException()) {
        edm::threadLocalException::setException(nullptr);
        file_.reset();
        std::rethrow_exception(error);
      }
    } catch (cms::Exception const& error) {
      why = reason(error);
    }
    if (file_ and not file_->IsZombie()) {
      if (file_->TestBit(TFile::kRecovered))
        throw edm::Exception(edm::errors::FileReadError) << fileName_ << ": was not closed or is cut off" << kCopyAnew;
      return;
    }
    if (gSystem->AccessPathName(fileName_.c_str(), kReadPermission))  // true: it cannot be accessed
      throw edm::Exception(edm::errors::FileOpenError)
          << fileName_ << ": cannot be opened; check the name and the permissions" << why;
    throw edm::Exception(edm::errors::FileReadError) << fileName_ << ": cannot be read" << kCopyAnew << why;
  }

  TBranch* RHTreeReader::branch(std::string const& name) const {
    auto* branch = tree_->GetBranch(name.c_str());
    if (branch == nullptr)
      throw cms::Exception(kInvalidNtuple)
          << fileName_ << ": branch " << name << " is missing from tree " << tree_->GetName();
    return branch;
  }

  TLeaf* RHTreeReader::integer(std::string const& name) const {
    constexpr std::array<std::string_view, 4> types{{"UInt_t", "ULong64_t", "Int_t", "Long64_t"}};
    auto* leaf = static_cast<TLeaf*>(branch(name)->GetListOfLeaves()->First());
    for (auto type : types)
      if (leaf != nullptr and leaf->GetTypeName() == type and leaf->GetLeafCount() == nullptr and leaf->GetLen() == 1)
        return leaf;
    throw cms::Exception(kInvalidNtuple) << fileName_ << ": branch " << name << " is not an integer of 32 or 64 bits";
  }

  std::vector<float> const* RHTreeReader::vector(std::string const& name) {
    columns_.push_back(std::make_unique<Column>());
    auto& column = *columns_.back();
    column.branch = branch(name);
    TClass* type = nullptr;
    EDataType number = kOther_t;
    if (column.branch->GetExpectedType(type, number) != 0 or type != TClass::GetClass<std::vector<float>>())
      throw cms::Exception(kInvalidNtuple) << fileName_ << ": branch " << name << " is not a std::vector<float>";
    column.branch->SetAddress(&column.address);
    return &column.values;
  }

  void RHTreeReader::read(TBranch* branch, std::int64_t entry) const {
    auto const what = std::string("entry ") + std::to_string(entry) + " of branch " + branch->GetName();
    auto const bytes = fromRoot(what, [&] { return branch->GetEntry(entry); });
    if (bytes <= 0)
      throw edm::Exception(edm::errors::FileReadError) << fileName_ << ": cannot read " << what << kCopyAnew;
  }

  std::uint64_t RHTreeReader::value(TLeaf* leaf, std::int64_t entry, std::uint64_t largest) const {
    read(leaf->GetBranch(), entry);
    auto const number = leaf->GetValueLong64();
    auto const magnitude = static_cast<std::uint64_t>(number);
    if ((number < 0 and not leaf->IsUnsigned()) or magnitude > largest)
      throw cms::Exception(kInvalidNtuple)
          << fileName_ << ": " << leaf->GetName() << " of entry " << entry << " is out of range";
    return magnitude;
  }

  RHTreeReader::Identity RHTreeReader::identity(std::int64_t entry) {
    constexpr std::uint64_t largest = std::numeric_limits<std::uint32_t>::max();
    auto const event = value(event_, entry, std::numeric_limits<std::uint64_t>::max());
    if (event == 0)
      throw cms::Exception(kInvalidNtuple)
          << fileName_ << ": eventId of entry " << entry << " is 0; CMSSW numbers events from 1";
    return {static_cast<std::uint32_t>(value(run_, entry, largest)),
            static_cast<std::uint32_t>(value(lumi_, entry, largest)),
            event};
  }

  void RHTreeReader::load(std::int64_t entry) {
    tree_->LoadTree(entry);  // lets ROOT's cache read ahead
    for (auto const& column : columns_)
      read(column->branch, entry);
  }

}  // namespace e2e
