"""The host's FWCore.ParameterSet: configurations mean what they mean in CMSSW."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOST = Path(__file__).parents[2] / "cmssw/standalone/src"


@pytest.fixture(scope="module")
def cms(tmp_path_factory):
    """FWCore.ParameterSet.Config, found as in an area: without the package's python directory."""
    area = tmp_path_factory.mktemp("python")
    (area / "FWCore").mkdir()
    for package in ("ParameterSet", "MessageService"):
        (area / "FWCore" / package).symlink_to(HOST / "FWCore" / package / "python")
    (area / "Some/Package").mkdir(parents=True)
    (area / "Some/Package/maker_cfi.py").write_text(
        "import FWCore.ParameterSet.Config as cms\n"
        'maker = cms.EDProducer("Maker", cut=cms.double(1.5), maybe=cms.optional.int32,\n'
        '  must=cms.required.untracked.string, inner=cms.PSet(n=cms.int32(1), v=cms.vstring("a")))\n'
        "_hidden = cms.EDProducer('Hidden')\n"
    )
    (area / "Some/Package/chain_cff.py").write_text(
        "import FWCore.ParameterSet.Config as cms\n"
        "from Some.Package.maker_cfi import maker\n"
        "second = maker.clone(cut=2)\n"
        "chain = cms.Sequence(maker + second)\n"
        "work = cms.Task(second)\n"
    )
    sys.path.insert(0, str(area))
    yield importlib.import_module("FWCore.ParameterSet.Config")
    sys.path.remove(str(area))


@pytest.fixture
def process(cms):
    process = cms.Process("TEST")
    process.source = cms.Source("EmptySource")
    for name in "abcdf":
        kind = {"d": cms.EDAnalyzer, "f": cms.EDFilter}.get(name, cms.EDProducer)
        setattr(process, name, kind(name.upper()))
    return process


def paths(process):
    return {path["name"]: path["modules"] for path in process.encode()["paths"]}


def modules(process):
    return {module["label"]: module for module in process.encode()["modules"]}


def parameters(process, label):
    return modules(process)[label]["parameters"]


# --- parameters


@pytest.mark.parametrize(
    ("name", "value", "encoded"),
    [
        ("int32", -5, -5),
        ("uint32", 5, 5),
        ("int64", -(2**40), -(2**40)),
        ("uint64", 2**63, 2**63),
        ("double", 1, 1.0),
        ("double", float("inf"), "inf"),
        ("bool", True, True),
        ("string", "x", "x"),
        ("FileInPath", "A/data/x", "A/data/x"),
        ("InputTag", "a:b:c", ["a", "b", "c"]),
        ("InputTag", "a", ["a", "", ""]),
        ("EventID", "1:2:3", [1, 2, 3]),
        ("LuminosityBlockID", "1:2", [1, 2]),
        ("vint32", [1, 2], [1, 2]),
        ("vdouble", (1, 0.5), [1.0, 0.5]),
        ("vstring", ["a"], ["a"]),
        ("VInputTag", ["a", "b:c"], [["a", "", ""], ["b", "c", ""]]),
    ],
)
@pytest.mark.parametrize("tracked", [True, False])
def test_parameters_are_encoded_with_type_and_trackedness(cms, process, name, value, encoded, tracked):
    process.a.x = getattr(cms if tracked else cms.untracked, name)(value)
    process.p = cms.Path(process.a)
    assert json.loads(json.dumps(parameters(process, "a")["x"])) == [name, tracked, encoded]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("int32", 2**31),
        ("int32", 1.5),
        ("int32", "1"),
        ("uint32", -1),
        ("uint64", 2**64),
        ("double", "1"),
        ("bool", 1),
        ("string", 1),
        ("vint32", ["a"]),
        ("vstring", [1]),
        ("VPSet", [1]),
        ("InputTag", "a:b:c:d"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_refused(cms, name, value):
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        getattr(cms, name)(value)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        cms.PSet(x=getattr(cms, name)()).x = value


def test_a_parameter_keeps_its_type_when_it_is_assigned_to(cms, process):
    process.a.cut = cms.untracked.double(1.0)
    process.a.cut = 3
    process.a.tags = cms.VInputTag("x")
    process.a.tags = ["y", cms.InputTag("z", "i")]
    process.a.tags.append("w")
    process.p = cms.Path(process.a)
    assert parameters(process, "a")["cut"] == ["double", False, 3.0]
    assert [tag[0] for tag in parameters(process, "a")["tags"][2]] == ["y", "z", "w"]
    with pytest.raises(ValueError, match="not a valid double"):
        process.a.cut = "x"
    with pytest.raises(TypeError, match="CMS python configuration type"):
        process.a.new = 3


def test_parameter_sets_nest(cms, process):
    process.a.inner = cms.PSet(n=cms.int32(1), deeper=cms.untracked.PSet(s=cms.string("x")))
    process.a.list = cms.VPSet(cms.PSet(n=cms.int32(1)), cms.PSet())
    process.a.inner.deeper.s = "y"
    process.p = cms.Path(process.a)
    assert parameters(process, "a") == {
        "inner": [
            "PSet",
            True,
            {"n": ["int32", True, 1], "deeper": ["PSet", False, {"s": ["string", True, "y"]}]},
        ],
        "list": ["VPSet", True, [{"n": ["int32", True, 1]}, {}]],
    }


def test_a_pset_can_be_an_unnamed_argument_and_a_reference(cms, process):
    process.common = cms.PSet(n=cms.int32(1))
    process.a = cms.EDProducer("A", process.common, m=cms.int32(2))
    process.b.inner = cms.PSet(refToPSet_=cms.string("common"))
    process.p = cms.Path(process.a + process.b)
    assert parameters(process, "a") == {"n": ["int32", True, 1], "m": ["int32", True, 2]}
    assert parameters(process, "b") == {"inner": ["PSet", True, {"n": ["int32", True, 1]}]}


def test_optional_and_required_parameters(cms, process):
    process.load("Some.Package.maker_cfi")
    process.p = cms.Path(process.maker)
    with pytest.raises(RuntimeError, match="Required parameter must was not set"):
        process.encode()
    process.maker.must = "here"
    assert "maybe" not in parameters(process, "maker")
    assert parameters(process, "maker")["must"] == ["string", False, "here"]
    process.maker.maybe = 3
    assert parameters(process, "maker")["maybe"] == ["int32", True, 3]
    with pytest.raises(ValueError, match="not a valid int32"):
        process.maker.maybe = "x"


def test_clone_changes_adds_and_drops_parameters(cms, process):
    from Some.Package.maker_cfi import maker

    process.copy = maker.clone(cut=3, inner=dict(n=5, v={0: "b"}), must="x", maybe=None, new=cms.bool(True))
    process.p = cms.Path(process.copy)
    assert parameters(process, "copy") == {
        "cut": ["double", True, 3.0],
        "must": ["string", False, "x"],
        "inner": ["PSet", True, {"n": ["int32", True, 5], "v": ["vstring", True, ["b"]]}],
        "new": ["bool", True, True],
    }
    assert maker.inner.n == 1
    with pytest.raises(TypeError, match="CMS python configuration type"):
        maker.clone(other=1)


# --- what runs


def test_only_modules_on_paths_and_their_tasks_run(cms, process):
    process.p = cms.Path(process.a, cms.Task(process.b))
    assert set(modules(process)) == {"a", "b"}
    assert modules(process)["a"] == {"label": "a", "type": "A", "base": "EDProducer", "parameters": {}}


def test_end_paths_come_last_and_filters_are_decorated(cms, process):
    process.e = cms.EndPath(process.d)
    process.p = cms.Path(~process.f + cms.ignore(process.f) * process.a)
    assert paths(process) == {"p": ["!f", "-f", "a"], "e": ["d"]}
    assert [path["endPath"] for path in process.encode()["paths"]] == [False, True]


def test_the_schedule_chooses_and_orders_the_paths(cms, process):
    process.p, process.q = cms.Path(process.a), cms.Path(process.b)
    process.e = cms.EndPath(process.d)
    process.schedule = cms.Schedule(process.e, process.q, tasks=cms.Task(process.c))
    assert list(paths(process)) == ["q", "e"]
    assert set(modules(process)) == {"b", "c", "d"}
    with pytest.raises(RuntimeError, match="not attached"):
        process.schedule = cms.Schedule(cms.Path(process.a))


def test_sequences_are_shared_and_can_be_changed(cms, process):
    process.s = cms.Sequence(process.a + process.b)
    process.p = cms.Path(process.f + process.s)
    process.q = cms.Path(process.s)
    process.s += process.c
    assert paths(process) == {"p": ["f", "a", "b", "c"], "q": ["a", "b", "c"]}
    assert process.p.remove(process.b)
    assert not process.p.remove(process.b)
    process.p.insert(0, process.d)
    process.s.replace(process.c, process.b)
    assert paths(process) == {"p": ["d", "f", "a", "b"], "q": ["a", "b"]}
    assert process.q.moduleNames() == {"a", "b"}
    process.only = cms.Path(process.s.copyAndExclude([process.b]))
    assert paths(process)["only"] == ["a"]


def test_a_module_that_takes_another_ones_label_replaces_it_everywhere(cms, process):
    process.s = cms.Sequence(process.a)
    process.t = cms.Task(process.b)
    process.p = cms.Path(process.s + process.c, process.t)
    process.a = cms.EDProducer("NewA")
    process.b = cms.EDProducer("NewB")
    assert {label: module["type"] for label, module in modules(process).items()} == {
        "a": "NewA",
        "b": "NewB",
        "c": "C",
    }
    del process.c
    assert paths(process) == {"p": ["a"]}


def test_load_and_extend_take_modules_sequences_and_tasks(cms, process):
    process.load("Some.Package.chain_cff")
    process.maker.must = process.second.must = "x"
    process.p = cms.Path(process.chain, process.work)
    assert paths(process) == {"p": ["maker", "second"]}
    assert parameters(process, "second")["cut"] == ["double", True, 2.0]
    assert not hasattr(process, "_hidden")
    with pytest.raises(ModuleNotFoundError):
        process.load("Some.Package.nothing_cfi")


def test_services_of_unused_tasks_do_not_run(cms, process):
    process.Timer = cms.Service("Timer")
    process.Other = cms.Service("Other")
    process.t = cms.Task(process.Other)
    process.p = cms.Path(process.a)
    assert [service["type"] for service in process.encode()["services"]] == ["MessageLogger", "Timer"]
    process.p.associate(process.t)
    assert "Other" in [service["type"] for service in process.encode()["services"]]
    process.add_(cms.Service("Third"))
    assert process.Third.type_() == "Third"


def test_options_and_max_events_start_from_defaults(cms, process):
    process.maxEvents = cms.untracked.PSet(input=cms.untracked.int32(7))
    process.options = cms.untracked.PSet(numberOfThreads=cms.untracked.uint32(3))
    process.options.wantSummary = True
    encoded = process.encode()
    assert encoded["maxEvents"] == {"input": ["int32", False, 7]}
    assert encoded["options"]["numberOfThreads"] == ["uint32", False, 3]
    assert encoded["options"]["numberOfStreams"] == ["uint32", False, 0]
    assert encoded["options"]["wantSummary"] == ["bool", False, True]


def test_the_message_logger_has_categories(cms, process):
    process.load("FWCore.MessageService.MessageLogger_cfi")
    process.MessageLogger.cerr.FwkReport.reportEvery = 100
    process.MessageLogger.cerr.MyCategory = dict(limit=3)
    process.MessageLogger.cerr.threshold = "WARNING"
    logger = next(s for s in process.encode()["services"] if s["type"] == "MessageLogger")
    cerr = logger["parameters"]["cerr"][2]
    assert cerr["FwkReport"][2]["reportEvery"] == ["int32", False, 100]
    assert cerr["MyCategory"][2]["limit"] == ["int32", False, 3]
    process.MessageLogger.cerr.FwkReport.reportEvery = 1
    process.MessageLogger.cerr.threshold = "INFO"


def test_dumped_python_gives_the_same_process(cms, process):
    process.load("Some.Package.chain_cff")
    process.maker.must = process.second.must = "it's"
    process.a.tags = cms.untracked.VInputTag("x:y", cms.InputTag("z"))
    process.a.list = cms.VPSet(cms.PSet(n=cms.vdouble(1, 2.5)))
    process.p = cms.Path(~process.f + process.chain + process.a, process.work)
    process.schedule = cms.Schedule(process.p)
    names = {}
    exec(process.dumpPython(), names)
    # labels and parameters, not their order
    assert json.dumps(names["process"].encode()["paths"]) == json.dumps(process.encode()["paths"])
    assert modules(names["process"]) == modules(process)


def test_what_the_host_does_not_have_is_refused_by_name(cms, process):
    with pytest.raises(AttributeError, match="does not have cms"):
        cms.OutputModule("PoolOutputModule")
    with pytest.raises(AttributeError, match="no parameter type VEventRange"):
        cms.untracked.VEventRange()
    with pytest.raises(NotImplementedError, match="modifiers"):
        cms.Process("X", object())
    with pytest.raises(TypeError, match="cannot be in a sequence"):
        cms.Path(process.source)
    with pytest.raises(TypeError, match=r"via '\+' or '\*'"):
        cms.Path(process.a, process.b)
    with pytest.raises(RuntimeError, match="not attached"):
        process.p = cms.Path(cms.EDProducer("X"))
    with pytest.raises(RuntimeError, match="cannot be in a Task"):
        cms.Task(process.d)
    process.p = cms.Path(process.a, cms.Task(cms.EDProducer("X")))
    with pytest.raises(RuntimeError, match="a task holds a module of type X that is not attached"):
        process.encode()
    del process.p
    with pytest.raises(ValueError, match="Only 'source'"):
        process.other = cms.Source("EmptySource")
    with pytest.raises(ValueError, match="Attempting to change the label"):
        process.second = process.a
    process.options.accelerators = ["gpu-nvidia"]
    with pytest.raises(ValueError, match="accelerators"):
        process.encode()


# --- arguments


@pytest.fixture
def parse(cms, monkeypatch):
    """Parses arguments as a configuration does that registers some variables of its own."""
    from FWCore.ParameterSet.VarParsing import VarParsing

    def parse(*arguments, prepare=lambda options: None):
        monkeypatch.setattr(sys, "argv", ["cmsRun", "dir/some_cfg.py", *arguments])
        options = VarParsing("analysis")
        kinds, kind = VarParsing.multiplicity, VarParsing.varType
        options.register("number", 3, kinds.singleton, kind.int, "a number")
        options.register("ratio", 0.5, kinds.singleton, kind.float, "")
        options.register("flag", False, kinds.singleton, kind.bool, "")
        options.register("words", "default", kinds.list, kind.string, "")
        options.register("numbers", 1, kinds.list, kind.int, "")
        prepare(options)
        options.parseArguments()
        return options

    return parse


def test_arguments_have_defaults(parse):
    options = parse()
    assert (options.maxEvents, options.inputFiles, options.outputFile) == (-1, [], "output.root")
    assert (options.number, options.flag, options.words, options.numbers) == (3, False, ["default"], [1])


def test_arguments_are_converted(parse):
    options = parse("number=0x10", "ratio=2", "flag=True", "maxEvents=7")
    assert (options.number, options.ratio, options.flag, options.maxEvents) == (16, 2.0, True, 7)
    assert parse("flag=0").flag is False


def test_a_list_grows_with_each_argument_but_loses_its_default(parse, tmp_path):
    assert parse("inputFiles=a,b", "inputFiles=c").inputFiles == ["a", "b", "c"]
    assert parse("words=x").words == ["x"]
    assert parse("words=x", prepare=lambda o: o.setNoDefaultClear("words")).words == ["default", "x"]
    assert parse("words=x,y", prepare=lambda o: o.setNoCommaSplit("words")).words == ["x,y"]
    assert parse("words_clear").words == []
    (tmp_path / "list.txt").write_text("a # first\n\n# none\nb\n")
    assert parse(f"inputFiles_load={tmp_path}/list.txt").inputFiles == ["a", "b"]
    assert parse("filePrepend=file:", "inputFiles=a,b").inputFiles == ["file:a", "file:b"]
    assert parse("inputFiles=a,b,c", "totalSections=2", "section=2").inputFiles == ["c"]


def test_the_output_file_is_tagged(parse):
    assert parse("outputFile=x.root", "maxEvents=10").outputFile == "x_numEvent10.root"
    assert parse("outputFile=x", "tag=new").outputFile == "x_new.root"
    from FWCore.ParameterSet.VarParsing import VarParsing

    def plain(options):
        options.setDefault("outputFile", "scores.root")
        options.setType("outputFile", VarParsing.varType.string)

    assert parse("maxEvents=10", prepare=plain).outputFile == "scores.root"


@pytest.mark.parametrize(
    "argument",
    [
        "unknown=1",
        "number=x",
        "flag=maybe",
        "words",
        "number_clear",
        "words_sort",
        "words_load=/none",
        "x_y=1",
    ],
)
def test_a_wrong_argument_is_refused(parse, argument):
    with pytest.raises((RuntimeError, ValueError)):
        parse(argument)


def test_a_variable_is_set_once(parse):
    with pytest.raises(RuntimeError, match="multiple times"):
        parse("number=1", "number=2")


def test_help_ends_the_job(parse, capsys):
    with pytest.raises(SystemExit) as end:
        parse("help")
    assert end.value.code == 0
    assert "a number" in capsys.readouterr().out


# --- the program that cmsRun calls


def dump(cms, tmp_path, text, *arguments):
    """What cmsRun reads from Python for a configuration."""
    configuration = tmp_path / "some_cfg.py"
    configuration.write_text(text)
    area = Path(cms.__file__).parents[2]
    command = f'exec {sys.executable} -m FWCore.ParameterSet.dumpProcess "$@" 3>{tmp_path}/out'
    subprocess.run(
        ["bash", "-c", command, "bash", str(configuration), *arguments],
        env={"PYTHONPATH": str(area)},
        check=True,
    )
    return json.loads((tmp_path / "out").read_text())


def test_a_configuration_sees_cmsruns_command_line(cms, tmp_path):
    text = (
        "import sys\nimport FWCore.ParameterSet.Config as cms\n"
        'process = cms.Process(sys.argv[2])\nassert sys.argv[0] == "cmsRun" and __name__ == "__main__"\n'
    )
    assert dump(cms, tmp_path, text, "NAME")["name"] == "NAME"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "no 'process' attribute"),
        ("import nothing\n", "ModuleNotFoundError: No module named 'nothing'"),
        ("x = 1\nraise RuntimeError('mine')\n", r"RuntimeError: mine\n\nAt:\n.*some_cfg.py\(2\)"),
        ("x = (\n", "SyntaxError"),
    ],
)
def test_an_error_of_a_configuration_is_told_in_one_message(cms, tmp_path, text, message):
    assert re.search(message, dump(cms, tmp_path, text)["error"])
