"""The host's cmsRun, on modules made for it: exit codes, scheduling, streams, services, messages."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
START = """import FWCore.ParameterSet.Config as cms
process = cms.Process("TEST")
process.source = cms.Source("EmptySource")
process.maxEvents.input = 3
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cmsrun(host, tmp_path) -> Run:
    """Runs cmsRun on a configuration that goes on after START; its messages are in ``stdout``."""

    def run(text: str = "", *arguments: str, options: tuple[str, ...] = ()):
        (tmp_path / "some_cfg.py").write_text(START + text)
        command = [host / "bin/cmsRun", *options, "some_cfg.py", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )

    return run


@pytest.fixture
def lines(cmsrun) -> Callable[..., list[str]]:
    """What a job, which must end well, says beside its reports of events."""

    def run(text: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        job = cmsrun(text, *arguments, options=options)
        assert job.returncode == 0, job.stdout
        return [line for line in job.stdout.splitlines() if not line.startswith("Begin processing")]

    return run


def test_the_programs_of_the_tests_pass(host):
    subprocess.run(["ctest", "--output-on-failure"], cwd=host, check=True)


# --- the command line


def test_it_says_that_it_is_standalone(host, tmp_path):
    said = subprocess.run([host / "bin/cmsRun", "--version"], check=True, capture_output=True, text=True)
    assert "standalone" in said.stdout
    assert "not CMSSW" in said.stdout
    assert (
        "usage"
        in subprocess.run([host / "bin/cmsRun", "-h"], check=True, capture_output=True, text=True).stdout
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 89),
        (("none_cfg.py",), 66),
        (("--what", "some_cfg.py"), 88),
        (("-n", "x", "some_cfg.py"), 88),
        (("-n",), 88),
    ],
)
def test_a_wrong_command_line_is_refused(host, tmp_path, words, code):
    job = subprocess.run([host / "bin/cmsRun", *words], cwd=tmp_path, capture_output=True, text=True)
    assert job.returncode == code
    assert "Begin Fatal Exception" in job.stderr


def test_arguments_and_threads_reach_the_job(lines):
    text = """
import sys
value = cms.int32(int(sys.argv[-1]))
process.a = cms.EDProducer("SumProducer", value=value, verbose=cms.untracked.bool(True))
process.p = cms.Path(process.a)
process.MessageLogger.cerr.SumProducer = dict(limit=1)
"""
    assert lines(text, "-17", options=("-n", "2")) == ["a -17"]


# --- exit codes, each with one message


WRONG = (
    'process.w = cms.EDProducer("WrongProducer", what=cms.string("{}"))\nprocess.p = cms.Path(process.w)\n'
)
SUM = 'process.{} = cms.EDProducer("SumProducer", {})\n'


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (65, WRONG.format("getByLabel without consumes"), "GetByLabelWithoutRegistration"),
        (65, WRONG.format("uninitialised token"), "BadToken"),
        (65, WRONG.format("event setup"), 'No "hosttest::NoDictionary" record'),
        (66, WRONG.format("std exception"), "produce failed"),
        (66, WRONG.format("std exception in constructor"), "the constructor failed"),
        (70, WRONG.format("missing product"), "Looking for module label: nobody"),
        (71, WRONG.format("no dictionary"), "edm::Wrapper<hosttest::NoDictionary>"),
        (72, WRONG.format("put without produces"), "Illegal attempt to 'put' an unregistered product"),
        (73, WRONG.format("").replace(")\n", ", x=cms.int32(1))\n", 1), "The parameter is named:\n 'x'"),
        (73, WRONG.replace('cms.string("{}")', "cms.int32(1)"), "should be defined as a tracked string"),
        (
            73,
            WRONG.replace('cms.string("{}")', 'cms.untracked.string("")'),
            "should be defined as a tracked string",
        ),
        (73, WRONG.replace(', what=cms.string("{}")', ""), 'It should have label "what"'),
        (73, WRONG.replace("EDProducer", "EDFilter"), "the base type"),
        (65, WRONG.replace("WrongProducer", "NoSuchProducer"), "Unable to find plugin 'NoSuchProducer'"),
        (65, 'process.X = cms.Service("X")\n', "Unable to find plugin 'X'"),
        (65, 'process.source = cms.Source("X")\n', "Unable to find plugin 'X'"),
        (73, "process.source.firstEvents = cms.untracked.uint32(1)\n", "'firstEvents'"),
        (73, "process.options.numberOfThread = cms.untracked.uint32(1)\n", "'numberOfThread'"),
        (75, "process.options.SkipEvent = ['ProductNotFound']\n", "SkipEvent"),
        (
            81,
            SUM.format("a", 'inputs=cms.VInputTag("b")')
            + SUM.format("b", 'inputs=cms.VInputTag("a")')
            + "process.p = cms.Path(process.a, cms.Task(process.b))\n",
            "Unrunnable schedule",
        ),
        (
            81,
            SUM.format("a", 'inputs=cms.VInputTag("b")')
            + SUM.format("b", "")
            + "process.p = cms.Path(process.a + process.b)\n",
            "SumProducer/'a' reads what SumProducer/'b' makes",
        ),
        (90, "process.a = 1\n", "process.a cannot be a int"),
        (90, "del process\n", "no 'process' attribute"),
    ],
)
def test_exit_codes(cmsrun, code, text, message):
    job = cmsrun(text)
    assert job.returncode == code, job.stdout
    assert job.stdout.count("----- Begin Fatal Exception") == 1
    assert message in job.stdout


def test_an_exception_tells_what_was_going_on(cmsrun):
    job = cmsrun(
        WRONG.format("std exception").replace("process.p = cms.Path(process.w)", "")
        + 'process.a = cms.EDProducer("SumProducer", inputs=cms.VInputTag("w"))\n'
        + "process.p = cms.Path(process.a, cms.Task(process.w))\n"
    )
    assert (
        job.returncode == 70
    )  # WrongProducer makes no int: the product is missing, and nothing runs on demand
    told = [line.strip() for line in job.stdout.splitlines() if line.startswith("   [")]
    assert told == [
        "[0] Processing  Event run: 1 lumi: 1 event: 1 stream: 0",
        "[1] Running path 'p'",
        "[2] Calling method for module SumProducer/'a'",
    ]


# --- scheduling


def test_modules_run_on_demand_across_paths_and_only_then(lines):
    said = lines(
        """
process.maxEvents.input = 1
verbose = cms.EDProducer("SumProducer", verbose=cms.untracked.bool(True))
process.late, process.used, process.unused = verbose.clone(), verbose.clone(), verbose.clone()
process.first = verbose.clone(inputs=cms.VInputTag("used", "late"))
process.p = cms.Path(process.first, cms.Task(process.used, process.unused))
process.q = cms.Path(process.late)
"""
    )
    assert said == ["used 0", "late 0", "first 0"]


def test_filters_stop_their_path_and_can_be_negated_or_ignored(lines):
    said = lines(
        """
process.maxEvents.input = 10
process.options.wantSummary = True
process.f = cms.EDFilter("EveryFilter", every=cms.uint32(3))
process.a = cms.EDProducer("SumProducer", verbose=cms.untracked.bool(True))
process.passed = cms.Path(process.f + process.a)
process.failed = cms.Path(~process.f)
process.all = cms.Path(cms.ignore(process.f))
"""
    )
    assert said.count("a 0") == 7
    summary = [line.split()[1:] for line in said if line.startswith("TrigReport   ")]
    assert summary[1:] == [["7", "3", "passed"], ["3", "7", "failed"], ["10", "0", "all"]]
    assert "TrigReport Events total = 10 passed = 10 failed = 0" in said


def test_the_source_counts_runs_lumis_and_events(lines):
    said = lines(
        """
process.maxEvents.input = 5
process.source = cms.Source("EmptySource",
    firstRun=cms.untracked.uint32(7), firstEvent=cms.untracked.uint32(10),
    numberEventsInLuminosityBlock=cms.untracked.uint32(2), numberEventsInRun=cms.untracked.uint32(4))
process.t = cms.EDAnalyzer("TransitionAnalyzer")
process.p = cms.Path(process.t)
"""
    )
    assert said == [
        "beginStream 0",
        *("beginRun 7", "beginLumi 7 1", "event 7 1 10", "event 7 1 11", "endLumi 7 1"),
        *("beginLumi 7 2", "event 7 2 12", "event 7 2 13", "endLumi 7 2", "endRun 7"),
        *("beginRun 8", "beginLumi 8 1", "event 8 1 1", "endLumi 8 1", "endRun 8"),
        "endStream",
    ]


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (1, 3), (2, 2), (3, 2)])
def test_streams_share_the_events(lines, threads, streams):
    said = lines(
        f"""
process.options.numberOfThreads, process.options.numberOfStreams = {threads}, {streams}
process.maxEvents.input = 200
process.a = cms.EDProducer("CountingProducer")
process.x = cms.EDAnalyzer("ExpectAnalyzer", expected=cms.int32(1), inputs=cms.VInputTag("a"))
process.t = cms.EDAnalyzer("TransitionAnalyzer")
process.p = cms.Path(process.a + process.x + process.t)
"""
    )
    assert {"counted 200", "saw 200 events"} <= set(said)
    assert sorted(int(line.split()[-1]) for line in said if line.startswith("event")) == list(range(1, 201))
    assert [said.count(f"beginStream {i}") for i in range(streams + 1)] == [1] * streams + [0]


def test_the_first_exception_ends_the_job_in_all_streams(cmsrun):
    job = cmsrun(WRONG.format("std exception") + "process.maxEvents.input = -1\n", options=("-n", "2"))
    assert job.returncode == 66
    assert job.stdout.count("produce failed") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_after_the_events_in_flight(host, tmp_path, number):
    (tmp_path / "some_cfg.py").write_text(
        START
        + "process.maxEvents.input = -1\nprocess.source.eventCreationDelay = cms.untracked.uint32(10000)\n"
    )
    command = [host / "bin/cmsRun", "some_cfg.py"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr.readline().startswith("Begin processing")
        job.send_signal(number)
        _, said = job.communicate(timeout=60)
    assert job.returncode == 40, said
    assert f"signal {number.value}" in said


# --- messages and services


def test_events_are_reported_as_often_as_asked(cmsrun):
    job = cmsrun("process.maxEvents.input = 25\nprocess.MessageLogger.cerr.FwkReport.reportEvery = 10\n")
    reports = re.findall(
        r"^Begin processing the (\w+) record\. Run 1, Event (\d+), LumiSection 1 on stream 0 at .*$",
        job.stdout,
        re.M,
    )
    assert reports == [("1st", "1"), ("11th", "11"), ("21st", "21")]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", 3),
        ("process.MessageLogger.cerr.threshold = 'ERROR'", 0),
        ("process.MessageLogger.cerr.enable = False", 0),
        ("process.MessageLogger.cerr.SumProducer = dict(limit=2)", 2),
        ("process.MessageLogger.cout.enable = True; process.MessageLogger.cerr.enable = False", 3),
    ],
)
def test_messages_obey_thresholds_and_limits(cmsrun, setting, expected):
    job = cmsrun(
        SUM.format("a", "verbose=cms.untracked.bool(True)") + "process.p = cms.Path(process.a)\n" + setting
    )
    assert job.returncode == 0, job.stdout
    assert job.stdout.count("a 0\n") == expected


def test_times_have_the_layout_of_cmssws_fast_timer_service(cmsrun, tmp_path):
    job = cmsrun(
        """
process.FastTimerService = cms.Service("FastTimerService", writeJSONSummary=cms.untracked.bool(True),
    jsonFileName=cms.untracked.string("times.json"), enableDQM=cms.untracked.bool(False))
process.f = cms.EDFilter("EveryFilter", every=cms.uint32(3))
process.a = cms.EDProducer("SumProducer")
process.p = cms.Path(process.f + process.a)
""",
        options=("-n", "2"),
    )
    assert job.returncode == 0, job.stdout
    times = json.loads((tmp_path / "times.json").read_text())
    assert [list(item) for item in times["resources"]] == [
        ["time_real"],
        ["time_thread"],
        ["mem_alloc"],
        ["mem_free"],
    ]
    rows = {row["label"]: row for row in times["modules"]}
    assert {label: (row["type"], row["events"]) for label, row in rows.items()} == {
        "source": ("EmptySource", 3),
        "f": ("EveryFilter", 3),
        "a": ("SumProducer", 2),
        "other": ("other", 3),
        "eventsetup": ("eventsetup", 3),
    }
    total = times["total"]
    assert (total["type"], total["label"], total["events"]) == ("Job", "TEST", 3)
    assert total["time_real"] == pytest.approx(sum(row["time_real"] for row in rows.values()))
    assert all(
        set(row) == {"type", "label", "events", "time_real", "time_thread", "mem_alloc", "mem_free"}
        for row in [*rows.values(), total]
    )


# --- the area


def test_an_area_can_be_moved(host, tmp_path):
    moved = tmp_path / "moved"
    subprocess.run(
        ["cmake", "--install", host, "--prefix", tmp_path / "area"], check=True, capture_output=True
    )
    shutil.move(tmp_path / "area", moved)
    (tmp_path / "some_cfg.py").write_text(START + "process.load('RecoE2E.Taggers.e2eTagger_cfi')\n")
    subprocess.run([moved / "bin/cmsRun", "some_cfg.py"], cwd=tmp_path, check=True, capture_output=True)
    assert not list((moved / "lib").glob("*HostTest*"))
    assert "HostTest" not in (moved / "lib/.edmplugincache").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_everything_passes_under_sanitizers(configure, sanitizers):
    """The programs, the injected race and overflows, and all jobs of these tests and of the packages'."""
    tree = REPOSITORY / "build/cmssw" / sanitizers.replace(",", "-")
    configure(tree, f"-DSANITIZE={sanitizers}", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    suppressions = f"print_suppressions=0:suppressions={REPOSITORY}/cmssw/standalone/sanitizers"
    environment = {
        **os.environ,
        "E2E_AREA": str(tree),
        # Else LeakSanitizer takes what lies before a thread's block of variables for its address and length
        # where the block happens to lie 16 bytes behind a page, and crashes (glibc 2.19 wrote them there).
        "ASAN_OPTIONS": "intercept_tls_get_addr=0",
        "LSAN_OPTIONS": f"{suppressions}/leak.supp",
        "TSAN_OPTIONS": f"{suppressions}/thread.supp",
    }
    tests = [Path(__file__), Path(__file__).with_name("test_cmsrun.py")]
    # Sanitizers take a multiple of the memory, which is measured without them.
    selected = ["-m", "not slow", "-k", "not test_memory"]
    subprocess.run(["pytest", "-q", *selected, *tests], env=environment, check=True)
