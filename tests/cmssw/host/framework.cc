// The host's parts that are not CMSSW's own: exceptions, tags, parameters and their descriptions, and the schedule.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "doctest/doctest.h"

#include "FWCore/ParameterSet/interface/ConfigurationDescriptions.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"
#include "FWCore/Utilities/interface/ConvertException.h"
#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/FileInPath.h"
#include "FWCore/Utilities/interface/InputTag.h"
#include "FWCore/Utilities/interface/TypeID.h"

namespace {
  /// The exception that `call` throws, as text; empty when it throws none.
  std::string thrownBy(std::function<void()> const& call) {
    try {
      call();
    } catch (cms::Exception const& exception) {
      return std::to_string(exception.returnCode()) + " " + exception.explainSelf();
    }
    return "";
  }

  bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("an exception tells its category, its contexts from the outermost on, and its message") {
  edm::Exception exception(edm::errors::FileOpenError);
  exception << "no file " << 3;
  exception.addContext("inner");
  exception.addContext("outer");
  CHECK(exception.returnCode() % 256 == 84);
  CHECK(exception.explainSelf() ==
        "An exception of category 'FileOpenError' occurred while\n   [0] outer\n   [1] inner\n"
        "Exception Message:\nno file 3\n");
}

TEST_CASE("an exception keeps its type through streaming and cloning") {
  CHECK_THROWS_AS(throw edm::Exception(edm::errors::LogicError) << "text", edm::Exception);
  std::unique_ptr<cms::Exception> const copy(edm::Exception(edm::errors::LogicError, "text").clone());
  CHECK(copy->returnCode() == edm::errors::LogicError);
  CHECK_THROWS_AS(copy->raise(), edm::Exception);
  CHECK(cms::Exception("Own", "text").returnCode() == 8001);
}

TEST_CASE("whatever is thrown becomes a cms::Exception") {
  CHECK(contains(thrownBy([] { edm::convertException::wrap([] { throw std::runtime_error("why"); }); }), "8002 "));
  CHECK(contains(thrownBy([] { edm::convertException::wrap([] { throw 3; }); }), "8003 "));
  CHECK(contains(thrownBy([] { edm::convertException::wrap([] { throw std::bad_alloc(); }); }), "8004 "));
  CHECK(edm::convertException::wrap([] { return 3; }) == 3);
}

TEST_CASE("an input tag is read from and written as label:instance:process") {
  edm::InputTag const tag("label:instance:process");
  CHECK(tag == edm::InputTag("label", "instance", "process"));
  CHECK(tag.encode() == "label:instance:process");
  CHECK(edm::InputTag("label").encode() == "label");
  CHECK(edm::InputTag("label::process").instance().empty());
  CHECK(contains(thrownBy([] { edm::InputTag("a:b:c:d"); }), "Configuration"));
}

TEST_CASE("a type's name is readable") {
  CHECK(edm::TypeID(typeid(std::vector<std::string>)).className() == "std::vector<std::string>");
  CHECK(edm::TypeID(typeid(int)).className() == "int");
}

TEST_CASE("a parameter is read by name, type and trackedness") {
  edm::ParameterSet pset;
  pset.addParameter("number", 3);
  pset.addUntrackedParameter("text", std::string("x"));
  CHECK(pset.getParameter<int>("number") == 3);
  CHECK(pset.getUntrackedParameter<std::string>("text") == "x");
  CHECK(pset.getUntrackedParameter<int>("absent", 5) == 5);
  CHECK(pset.existsAs<int>("number"));
  CHECK_FALSE(pset.existsAs<int>("number", false));
  CHECK(contains(thrownBy([&] { pset.getParameter<int>("absent"); }), "8009 "));
  CHECK(contains(thrownBy([&] { pset.getParameter<double>("number"); }), "'number'"));
  CHECK(contains(thrownBy([&] { pset.getUntrackedParameter<int>("number", 1); }), "tracked int32"));
}

namespace {
  edm::ParameterSetDescription example() {
    edm::ParameterSetDescription inner;
    inner.add<double>("cut", 0.5);
    edm::ParameterSetDescription description;
    description.add<int>("number", 3)->setComment("a number");
    description.add<std::vector<edm::InputTag>>("tags", {edm::InputTag("a"), edm::InputTag("b", "c")});
    description.addUntracked<std::string>("text", "it's");
    description.addOptional<unsigned int>("maybe");
    description.add<std::string>("needed");
    description.add<edm::ParameterSetDescription>("inner", inner);
    description.addVPSet("list", inner);
    return description;
  }

  edm::ParameterSet valid() {
    edm::ParameterSet pset;
    pset.addParameter("needed", std::string("here"));
    pset.addParameter("list", edm::VParameterSet(2));
    return pset;
  }
}  // namespace

TEST_CASE("validation adds the defaults, also inside parameter sets") {
  edm::ParameterSet pset = valid();
  example().validate(pset);
  CHECK(pset.getParameter<int>("number") == 3);
  CHECK(pset.getParameter<edm::ParameterSet>("inner").getParameter<double>("cut") == 0.5);
  CHECK(pset.getParameterSetVector("list").at(1).getParameter<double>("cut") == 0.5);
  CHECK_FALSE(pset.exists("maybe"));
}

TEST_CASE("validation names the parameter that is wrong") {
  auto const complaint = [](auto&& change) {
    edm::ParameterSet pset = valid();
    change(pset);
    return thrownBy([&] { example().validate(pset); });
  };
  CHECK(complaint([](auto&) {}).empty());
  CHECK(contains(complaint([](auto& pset) { pset.addParameter("nmuber", 1); }), "'nmuber'"));
  CHECK(contains(complaint([](auto& pset) { pset.addParameter("number", 1.); }),
                 "\"number\" should be defined as a tracked int32"));
  CHECK(contains(complaint([](auto& pset) { pset.addUntrackedParameter("number", 1); }), "an untracked int32"));
  CHECK(contains(complaint([](auto& pset) { pset.erase("needed"); }), "It should have label \"needed\""));
  CHECK(contains(complaint([](auto& pset) {
                   edm::ParameterSet inner;
                   inner.addParameter("cup", 1.);
                   pset.addParameter("inner", inner);
                 }),
                 "'cup'"));
}

TEST_CASE("what a plugin describes becomes a cfi file") {
  edm::ConfigurationDescriptions descriptions("EDProducer", "ABCMaker");
  descriptions.addWithDefaultLabel(example());
  auto const directory = std::filesystem::temp_directory_path() / ("host-cfi-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  descriptions.writeCfis(directory.string());
  std::ifstream file(directory / "abcMaker_cfi.py");
  std::stringstream text;
  text << file.rdbuf();
  std::filesystem::remove_all(directory);
  for (char const* line : {"abcMaker = cms.EDProducer('ABCMaker',",
                           "number = cms.int32(3),",
                           "tags = cms.VInputTag(cms.InputTag('a'), cms.InputTag('b', 'c')),",
                           "text = cms.untracked.string('it\\'s'),",
                           "maybe = cms.optional.uint32,",
                           "needed = cms.required.string,",
                           "cut = cms.double(0.5)",
                           "list = cms.required.VPSet"})
    CHECK_MESSAGE(contains(text.str(), line), text.str());
}

TEST_CASE("a source's description has the label source, a service's its own name") {
  edm::ConfigurationDescriptions source("Source", "MySource");
  CHECK(contains(thrownBy([&] { source.add("mySource", {}); }), "the label must be \"source\""));
  edm::ConfigurationDescriptions service("Service", "MyService");
  CHECK(contains(thrownBy([&] { service.add("other", {}); }), "must be the same"));
}

TEST_CASE("a file is found in the search path") {
  auto const directory = std::filesystem::temp_directory_path() / ("host-path-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory / "A/data");
  std::ofstream(directory / "A/data/x.txt") << "x";
  setenv("CMSSW_SEARCH_PATH", ("/nowhere:" + directory.string()).c_str(), 1);
  CHECK(edm::FileInPath("A/data/x.txt").fullPath() == (directory / "A/data/x.txt").string());
  CHECK(contains(thrownBy([] { edm::FileInPath("A/data/y.txt"); }), "A/data/y.txt"));
  CHECK(contains(thrownBy([] { edm::FileInPath("A/data"); }), "directory"));
  std::filesystem::remove_all(directory);
}
