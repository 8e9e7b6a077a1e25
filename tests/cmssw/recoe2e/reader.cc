// The ntuple reader, on files that ROOT writes here.
#include <memory>
#include <vector>

#include "TFile.h"
#include "TTree.h"
#include "doctest/doctest.h"

#include "FWCore/Utilities/interface/EDMException.h"
#include "RecoE2E/FrameProducers/interface/RHTreeReader.h"
#include "testing.h"

using e2e::RHTreeReader;
using testing::contains;

namespace {
  RHTreeReader::Branches const kBranches{"fevt/RHTree", {"EB_energy", "EB_time"}, "SC_ieta", "SC_iphi"};

  /// Entry i has run 1, lumi 2, event 5e9 + i, an energy of i + 1 in cell i, and i seeds.
  template <typename Run = UInt_t, typename Event = ULong64_t, typename Value = float>
  void writeNtuple(std::string const& path,
                   int entries,
                   char const* energyName = "EB_energy",
                   long long firstEvent = 5000000000LL) {
    TFile file(path.c_str(), "RECREATE");
    auto* tree = new TTree("RHTree", "");  // owned by the file
    file.mkdir("fevt")->cd();
    tree->SetDirectory(gDirectory);
    Run run = 1, lumi = 2;
    Event event = 0;
    std::vector<Value> energy;
    std::vector<float> time, rows, columns;
    tree->Branch("runId", &run);
    tree->Branch("lumiId", &lumi);
    tree->Branch("eventId", &event);
    tree->Branch(energyName, &energy);
    tree->Branch("EB_time", &time);
    tree->Branch("SC_ieta", &rows);
    tree->Branch("SC_iphi", &columns);
    for (int i = 0; i < entries; ++i) {
      event = static_cast<Event>(firstEvent + i);
      energy.assign(61200, 0);
      time.assign(61200, 0.f);
      energy[i] = static_cast<Value>(i + 1);
      for (int cell = 100; cell < 20000; ++cell)
        time[cell] = 1.f / (cell * (i + 1));  // does not compress away
      rows.assign(i, 80.f);
      columns.assign(i, 7.f);
      tree->Fill();
    }
    file.Write();
  }

  /// Category and message of what opening and reading all of the file throws.
  std::string failure(std::string const& path) {
    try {
      RHTreeReader reader(path, kBranches);
      for (int i = 0; i < reader.entries(); ++i) {
        reader.identity(i);
        reader.load(i);
      }
    } catch (cms::Exception const& error) {
      return error.category() + ": " + error.explainSelf();
    }
    return "no exception";
  }
}  // namespace

TEST_CASE("the reader gives identity, images and seeds of every entry") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 3);
  RHTreeReader reader(folder / "a.root", kBranches);
  REQUIRE(reader.entries() == 3);
  for (int i : {0, 1, 2, 0}) {
    auto const identity = reader.identity(i);
    CHECK(identity.run == 1);
    CHECK(identity.lumi == 2);
    CHECK(identity.event == 5000000000ULL + i);
    reader.load(i);
    REQUIRE(reader.images().size() == 2);
    CHECK(reader.images()[0]->size() == 61200);
    CHECK((*reader.images()[0])[i] == i + 1.f);
    CHECK((*reader.images()[1])[200] == 1.f / (200 * (i + 1)));
    CHECK(reader.seedRows() == std::vector<float>(i, 80.f));
    CHECK(reader.seedColumns() == std::vector<float>(i, 7.f));
  }
}

TEST_CASE("identities are integers of any kind from 0, events from 1") {
  testing::Folder const folder;
  writeNtuple<Int_t, Long64_t>(folder / "signed.root", 1);
  CHECK(RHTreeReader(folder / "signed.root", kBranches).identity(0).event == 5000000000ULL);
  writeNtuple<UInt_t, Int_t>(folder / "negative.root", 1, "EB_energy", -1);
  CHECK(contains(failure(folder / "negative.root"), "eventId of entry 0 is out of range"));
  writeNtuple(folder / "zero.root", 1, "EB_energy", 0);
  CHECK(contains(failure(folder / "zero.root"), "eventId of entry 0 is 0; CMSSW numbers events from 1"));
  writeNtuple<ULong64_t>(folder / "wide.root", 1);
  CHECK(RHTreeReader(folder / "wide.root", kBranches).identity(0).run == 1);
  writeNtuple<float>(folder / "float.root", 1);
  CHECK(contains(failure(folder / "float.root"), "branch runId is not an integer"));
}

TEST_CASE("a tree without entries is no error") {
  testing::Folder const folder;
  writeNtuple(folder / "empty.root", 0);
  CHECK(RHTreeReader(folder / "empty.root", kBranches).entries() == 0);
}

TEST_CASE("a missing file cannot be opened, and is named") {
  auto const text = failure("/nowhere/a.root");
  CHECK(contains(text, "FileOpenError"));
  CHECK(contains(text, "/nowhere/a.root"));
}

TEST_CASE("what is no ROOT file cannot be read") {
  testing::Folder const folder;
  testing::write(folder / "page.root", "<!DOCTYPE html><html><body>404</body></html>");
  testing::write(folder / "nothing.root", "");
  for (auto const* name : {"page.root", "nothing.root", "."}) {
    CAPTURE(name);
    auto const text = failure(folder / name);
    CHECK(contains(text, "FileReadError"));
    CHECK(contains(text, folder / name));
  }
}

TEST_CASE("a file that is cut off anywhere cannot be read") {
  testing::Folder const folder;
  writeNtuple(folder / "whole.root", 20);
  auto const whole = testing::read(folder / "whole.root");
  for (auto const size :
       {std::size_t(50), std::size_t(500), whole.size() / 3, whole.size() * 9 / 10, whole.size() - 1}) {
    CAPTURE(size);
    testing::write(folder / "cut.root", whole.substr(0, size));
    auto const text = failure(folder / "cut.root");
    CHECK(contains(text, "FileReadError"));
    CHECK(contains(text, folder / "cut.root"));
  }
}

TEST_CASE("a file with damaged baskets cannot be read") {
  testing::Folder const folder;
  writeNtuple(folder / "whole.root", 20);
  auto bytes = testing::read(folder / "whole.root");
  bytes.replace(bytes.size() / 4, bytes.size() / 4, bytes.size() / 4, '\x55');
  testing::write(folder / "damaged.root", bytes);
  CHECK(contains(failure(folder / "damaged.root"), "FileReadError"));
}

TEST_CASE("a missing tree or branch, or one of another type, is named with its file") {
  testing::Folder const folder;
  { TFile((folder / "none.root").c_str(), "RECREATE"); }
  CHECK(contains(failure(folder / "none.root"), folder / "none.root" + ": has no tree fevt/RHTree"));
  writeNtuple(folder / "misspelt.root", 1, "EB_Energy");
  CHECK(contains(failure(folder / "misspelt.root"), folder / "misspelt.root" + ": branch EB_energy is missing"));
  writeNtuple<UInt_t, ULong64_t, double>(folder / "double.root", 1);
  CHECK(contains(failure(folder / "double.root"), "branch EB_energy is not a std::vector<float>"));
}

TEST_CASE("opening a file leaves ROOT's current directory alone") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 1);
  TDirectory* const before = gDirectory;
  RHTreeReader const reader(folder / "a.root", kBranches);
  CHECK(gDirectory == before);
}
