// The ntuple reader and the layouts of ntuples, on files that ROOT writes here.
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "TFile.h"
#include "TH1F.h"
#include "TNamed.h"
#include "TTree.h"
#include "doctest/doctest.h"

#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/FileInPath.h"
#include "RecoE2E/RHTree/interface/RHTreeLayouts.h"
#include "RecoE2E/RHTree/interface/RHTreeNtuple.h"
#include "RecoE2E/RHTree/interface/RHTreeReader.h"
#include "testing.h"

using e2e::RHTreeLayouts;
using e2e::RHTreeNtuple;
using e2e::RHTreeReader;
using testing::contains;
using testing::message;

namespace {
  RHTreeNtuple::Request const kPhotons{"photon", {{"EB_energy"}, {"EB_time"}}, 170, 360, 1, false};

  RHTreeLayouts const& layouts() {
    static RHTreeLayouts const table(edm::FileInPath("RecoE2E/RHTree/data/layouts.json").fullPath());
    return table;
  }

  /// Entry i has run 1, lumi 2, event 5e9 + i, i seeds, and in their crystal an energy of i + 1.
  template <typename Run = UInt_t, typename Event = ULong64_t, typename Value = float>
  void writeNtuple(std::string const& path,
                   int entries,
                   char const* energyName = "EB_energy",
                   long long firstEvent = 5000000000LL,
                   std::function<void(TTree&)> const& adjust = {}) {
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
    if (adjust)
      adjust(*tree);
    for (int i = 0; i < entries; ++i) {
      event = static_cast<Event>(firstEvent + i);
      energy.assign(61200, 0);
      time.assign(61200, 0.f);
      energy[80 * 360 + 7] = static_cast<Value>(i + 1);
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
      RHTreeNtuple ntuple(path, 0, layouts(), kPhotons);
      for (int i = 0; i < ntuple.entries(); ++i) {
        ntuple.identity(i);
        ntuple.read(i);
      }
    } catch (cms::Exception const& error) {
      return error.category() + ": " + error.explainSelf();
    }
    return "no exception";
  }

  void checkEntries(std::string const& path, int entries) {
    RHTreeNtuple ntuple(path, 3, layouts(), kPhotons);
    REQUIRE(ntuple.entries() == entries);
    for (int i : {0, 1, entries - 1, 0}) {
      auto const identity = ntuple.identity(i);
      CHECK(identity.run == 1);
      CHECK(identity.lumi == 2);
      CHECK(identity.event == 5000000000ULL + i);
      auto const event = ntuple.read(i);
      REQUIRE(event.images.images().size() == 2);
      CHECK(event.images.images()[0].size() == 61200);
      CHECK(event.images.images()[0][80 * 360 + 7] == i + 1.f);
      CHECK(event.images.images()[1][200] == 1.f / (200 * (i + 1)));
      auto const& origin = *event.images.origin();
      CHECK(origin.file == path);
      CHECK(origin.index == 3);
      CHECK(origin.channels == kPhotons.channels);
      CHECK((origin.rows == 170 && origin.columns == 360));
      CHECK(origin.written[1].branch == "EB_time");
      CHECK(origin.tracks.empty());
      REQUIRE(event.seeds.size() == static_cast<std::size_t>(i));
      for (auto const& seed : event.seeds)
        CHECK((seed.row == 80 && seed.column == 7));
    }
  }
}  // namespace

TEST_CASE("an ntuple gives identity, images and seeds of every entry") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 3);
  checkEntries(folder / "a.root", 3);
}

TEST_CASE("baskets of one entry, of many, and in the tree itself are read alike") {
  testing::Folder const folder;
  writeNtuple(folder / "one.root", 12, "EB_energy", 5000000000LL, [](TTree& tree) { tree.SetAutoFlush(1); });
  checkEntries(folder / "one.root", 12);
  writeNtuple(
      folder / "many.root", 12, "EB_energy", 5000000000LL, [](TTree& tree) { tree.SetBasketSize("*", 1 << 22); });
  checkEntries(folder / "many.root", 12);
  writeNtuple(folder / "tree.root", 3, "EB_energy", 5000000000LL, [](TTree& tree) {
    tree.SetAutoFlush(0);
    tree.SetBit(TTree::kOnlyFlushAtCluster);
    tree.SetBasketSize("*", 1 << 22);
  });
  checkEntries(folder / "tree.root", 3);
}

TEST_CASE("identities are integers of 32 or 64 bits from 1") {
  testing::Folder const folder;
  writeNtuple<Int_t, Long64_t>(folder / "signed.root", 1);
  CHECK(RHTreeNtuple(folder / "signed.root", 0, layouts(), kPhotons).identity(0).event == 5000000000ULL);
  writeNtuple<UInt_t, Int_t>(folder / "negative.root", 1, "EB_energy", -1);
  CHECK(contains(failure(folder / "negative.root"),
                 "eventId of entry 0 is -1; CMSSW numbers from 1 to 18446744073709551615"));
  writeNtuple(folder / "zero.root", 1, "EB_energy", 0);
  CHECK(contains(failure(folder / "zero.root"), "eventId of entry 0 is 0; CMSSW numbers from 1"));
  writeNtuple<ULong64_t>(folder / "wide.root", 1);
  CHECK(RHTreeNtuple(folder / "wide.root", 0, layouts(), kPhotons).identity(0).run == 1);
  writeNtuple<float>(folder / "float.root", 1);
  CHECK(contains(failure(folder / "float.root"),
                 "branch runId is float; expected one whole number of 32 or 64 bits an event"));
  writeNtuple<UShort_t>(folder / "short.root", 1);
  CHECK(contains(failure(folder / "short.root"), "branch runId is uint16_t; expected"));
}

TEST_CASE("a tree without entries is no error") {
  testing::Folder const folder;
  writeNtuple(folder / "empty.root", 0);
  CHECK(RHTreeNtuple(folder / "empty.root", 0, layouts(), kPhotons).entries() == 0);
}

TEST_CASE("a missing file cannot be opened, and is named") {
  auto const text = failure("file:/nowhere/a.root");
  CHECK(contains(text, "FileOpenError"));
  CHECK(contains(text, "/nowhere/a.root: cannot be opened (No such file or directory)"));
  CHECK_FALSE(contains(text, "file:"));
  testing::Folder const folder;
  CHECK(contains(failure(folder / "."), "cannot be opened (Is a directory)"));
}

TEST_CASE("what is no ROOT file cannot be read") {
  testing::Folder const folder;
  testing::write(folder / "page.root", " <!DOCTYPE html><html><body>404</body></html>");
  testing::write(folder / "nothing.root", "");
  testing::write(folder / "short.root", "P'\n");
  testing::write(folder / "cut.root", std::string("root\0\0", 6));
  for (auto const& [name, why] : std::vector<std::pair<char const*, char const*>>{
           {"page.root", "an HTML page, not a ROOT file; fetch the file behind the link"},
           {"nothing.root", "empty file; fetch or write it again"},
           {"cut.root", "damaged ROOT file (its header is cut off); fetch or write it again"},
           {"short.root", "not a ROOT file (it starts with b\"P'\\n\")"}}) {
    auto const text = failure(folder / name);
    CHECK(contains(text, "FileReadError"));
    CHECK(contains(text, folder / name + ": " + why));
  }
}

TEST_CASE("a file that is cut off anywhere cannot be read, one with bytes after its end can") {
  testing::Folder const folder;
  writeNtuple(folder / "whole.root", 20);
  auto const whole = testing::read(folder / "whole.root");
  for (auto const size :
       {std::size_t(50), std::size_t(500), whole.size() / 3, whole.size() * 9 / 10, whole.size() - 1}) {
    CAPTURE(size);
    testing::write(folder / "cut.root", whole.substr(0, size));
    auto const text = failure(folder / "cut.root");
    CHECK(contains(text, "FileReadError"));
    CHECK(contains(text,
                   folder / "cut.root" + ": truncated ROOT file, " + std::to_string(size) + " of " +
                       std::to_string(whole.size()) + " bytes"));
  }
  testing::write(folder / "long.root", whole + std::string(1000, '\0'));
  CHECK(failure(folder / "long.root") == "no exception");
}

TEST_CASE("a file that was not closed cannot be read, its tree saved or not") {
  testing::Folder const folder;
  for (bool const saved : {false, true}) {
    TFile file((folder / "open.root").c_str(), "RECREATE");
    file.mkdir("fevt")->cd();
    auto* tree = new TTree("RHTree", "");
    UInt_t run = 1;
    tree->Branch("runId", &run);
    tree->Fill();
    if (saved)
      tree->AutoSave("SaveSelf");
    file.Flush();
    testing::write(folder / "copy.root", testing::read(folder / "open.root"));
    CHECK(contains(failure(folder / "copy.root"), "copy.root: a ROOT file that was not closed"));
  }
}

TEST_CASE("a header with numbers that cannot be is refused before ROOT believes them") {
  testing::Folder const folder;
  writeNtuple(folder / "whole.root", 2);
  auto const whole = testing::read(folder / "whole.root");
  // begin, bytes of the name, of the free records, of the streamers; the file's key: its length, its class
  for (std::size_t const at : {8, 28, 20, 41, 114, 126}) {
    CAPTURE(at);
    auto bytes = whole;
    bytes.replace(at, 4, "\x7f\xff\xff\xf0");
    testing::write(folder / "damaged.root", bytes);
    CHECK(contains(failure(folder / "damaged.root"), "damaged ROOT file (its header names records that cannot be)"));
  }
}

TEST_CASE("a file with damaged baskets cannot be read") {
  testing::Folder const folder;
  writeNtuple(folder / "whole.root", 20);
  auto bytes = testing::read(folder / "whole.root");
  bytes.replace(bytes.size() / 4, bytes.size() / 4, bytes.size() / 4, '\x55');
  testing::write(folder / "damaged.root", bytes);
  CHECK(contains(failure(folder / "damaged.root"), "FileReadError"));
  CHECK(contains(failure(folder / "damaged.root"), folder / "damaged.root" + ": damaged ROOT file ("));
}

TEST_CASE("a vector that says it has more values than its basket holds takes no memory") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 2, "EB_energy", 5000000000LL, [](TTree& tree) {
    tree.GetCurrentFile()->SetCompressionLevel(0);
    for (auto* branch : *tree.GetListOfBranches())
      static_cast<TBranch*>(branch)->SetCompressionLevel(0);
  });
  auto bytes = testing::read(folder / "a.root");
  std::string const size{'\x00', '\x00', '\xef', '\x10'}, more{'\x3b', '\x9a', '\xca', '\x00'};  // 61200, 10^9
  auto const at = bytes.find(size);
  REQUIRE(at != std::string::npos);
  testing::write(folder / "a.root", bytes.replace(at, size.size(), more));
  CHECK(contains(failure(folder / "a.root"), "damaged ROOT file (basket 0 of EB_energy does not hold 1 vectors"));
}

TEST_CASE("a missing tree or branch, or one of another type, is named with its file") {
  testing::Folder const folder;
  { TFile((folder / "none.root").c_str(), "RECREATE"); }
  CHECK(
      contains(failure(folder / "none.root"), folder / "none.root" + ": no tree fevt/RHTree; trees in the file: none"));
  {
    TFile file((folder / "histogram.root").c_str(), "RECREATE");
    file.mkdir("fevt")->cd();
    TH1F("RHTree", "", 1, 0, 1).Write();
  }
  CHECK(contains(failure(folder / "histogram.root"), ": fevt/RHTree is a TH1F; MLAnalyzer writes a TTree"));
  writeNtuple(folder / "misspelt.root", 1, "EB_Energy");
  CHECK(
      contains(failure(folder / "misspelt.root"), folder / "misspelt.root" + ": fevt/RHTree has no branch EB_energy"));
  writeNtuple<UInt_t, ULong64_t, double>(folder / "double.root", 1);
  CHECK(contains(failure(folder / "double.root"),
                 "branch EB_energy is std::vector<double>; expected one std::vector<float> an event"));
}

TEST_CASE("opening a file leaves ROOT's current directory alone") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 1);
  TDirectory* const before = gDirectory;
  RHTreeReader const reader(folder / "a.root", "fevt/RHTree");
  CHECK(gDirectory == before);
}

TEST_CASE("the title of a marker is read where there is one") {
  testing::Folder const folder;
  writeNtuple(folder / "a.root", 1);
  CHECK_FALSE(RHTreeReader(folder / "a.root", "fevt/RHTree").title("fevt/e2e"));
  {
    TFile file((folder / "a.root").c_str(), "UPDATE");
    file.cd("fevt");
    TNamed("e2e", "{}").Write();
  }
  CHECK(RHTreeReader(folder / "a.root", "fevt/RHTree").title("fevt/e2e") == "{}");
}

namespace {
  std::vector<std::string> const kTracks{"track_pT", "ECAL_energy", "HCAL_energy"};
  std::set<std::string> const kJets{
      "jetSeed_ieta", "jetSeed_iphi", "ECAL_tracksPt_atECALfixIP", "ECAL_energy", "HBHE_energy"};

  std::set<std::string> with(std::set<std::string> names, std::vector<std::string> const& more) {
    names.insert(more.begin(), more.end());
    return names;
  }
}  // namespace

TEST_CASE("the layout tells branches, order and the place of tracks") {
  auto layout = layouts().find({kJets, std::nullopt}, "jet", kTracks, false);
  CHECK(layout.images == std::vector<std::string>{"ECAL_tracksPt_atECALfixIP", "ECAL_energy", "HBHE_energy"});
  CHECK(layout.seedRows == "jetSeed_ieta");
  CHECK(layout.hottest.empty());
  CHECK(layout.tracks == "direction");
  CHECK_FALSE(layout.order);
  CHECK(layouts().find({kJets, R"({"tracks": "point"})"}, "jet", kTracks, false).tracks == "point");
  CHECK(layouts().find({kJets, "{}"}, "jet", kTracks, false).tracks == "direction");
  CHECK(layouts().find({kJets, "no JSON"}, "jet", kTracks, false).tracks == "direction");
  CHECK(layouts().find({kJets, std::nullopt}, "jet", kTracks, true).tracks == "point");
  CHECK(layouts().find({kJets, std::nullopt}, "jet", {"ECAL_energy"}, true).tracks.empty());

  auto const old = with({"jetSeed_ieta", "jetSeed_iphi", "ECAL_energy", "HBHE_energy"},
                        {"ECAL_tracksPt", "ECAL_tracksd0_PV", "ECAL_tracksz0_PV"});
  CHECK(layouts().find({old, std::nullopt}, "jet", kTracks, false).tracks == "vertex");
  CHECK(contains(message([&] { layouts().find({old, std::nullopt}, "jet", {"track_d0"}, false); }),
                 "ECAL_tracksd0_PV cannot serve as track_d0: it is of 2019"));

  layout = layouts().find({with(kJets, {"jet_IsTau", "gen_Prongs"}), std::nullopt}, "jet", kTracks, false);
  REQUIRE(layout.order);
  CHECK(layout.order->falling == "jet_Pt");
  CHECK(layout.order->direction == std::vector<std::string>{"jet_Eta", "jet_Px", "jet_Py"});
  layout = layouts().find({with(kJets, {"jetIsSignal"}), std::nullopt}, "jet", kTracks, false);
  REQUIRE(layout.order);
  CHECK(layout.order->falling == "jetpT");
  CHECK(layout.order->direction.empty());
}

TEST_CASE("analyzers and modes that cannot be used are refused with the reason") {
  auto const failure = [](std::set<std::string> const& names, char const* object, std::vector<std::string> const& of) {
    return message([&] { layouts().find({names, std::nullopt}, object, of, false); });
  };
  CHECK(contains(failure({"EB_energy"}, "photon", {"EB_energy"}),
                 "fevt/RHTree has no branches SC_ieta and SC_iphi, so no photon can be cropped"));
  CHECK(contains(failure(with(kJets, {"jet_IsEle", "jet_GendR"}), "jet", kTracks),
                 "written by RecHitAnalyzer, mode gammaJet, which cannot be used: its jet_* are always empty"));
  CHECK(failure(with(kJets, {"jet_IsEle", "jet_GendR", "jet_EledR"}), "jet", kTracks) == "no exception");
  CHECK(contains(failure(kJets, "jet", {"EB_time"}), "fevt/RHTree has no branch EB_time"));
}

TEST_CASE("a table of another format, or none, is refused with its name") {
  testing::Folder const folder;
  auto const failure = [&](std::string const& content) {
    testing::write(folder / "t.json", content);
    return message([&] { RHTreeLayouts(folder / "t.json"); });
  };
  CHECK(contains(failure("{}"), "t.json: is no table of layouts"));
  CHECK(contains(failure(R"({"format": 9})"), "format is 9; this release reads format 1"));
  CHECK(contains(message([&] { RHTreeLayouts(folder / "none.json"); }), "none.json: cannot be read"));
}
