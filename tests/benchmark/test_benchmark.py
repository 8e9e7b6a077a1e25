import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from e2e import tasks
from e2e.benchmark import methods, worker
from e2e.benchmark import run as running
from e2e.benchmark.inputs import Batch, prepare
from e2e.benchmark.machine import lasting, machine
from e2e.benchmark.methods import in_cmsrun, in_python
from e2e.benchmark.records import Records
from e2e.benchmark.run import Outputs, Point, Subject, _points, benchmark
from e2e.benchmark.statistics import band, line, percentiles
from e2e.data import store
from e2e.data.convert import convert
from e2e.data.ntuple import IDENTITY, open_tree
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.deploy.cmssw import Cost
from e2e.deploy.contract import Contract, load_contract
from e2e.deploy.providers import CPU, PROVIDERS
from e2e.errors import E2EError
from e2e.files import read_json, sha256
from e2e.report import side_by_side, style
from e2e.report.benchmark import draw
from e2e.tasks.electron_photon import TASK

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # pytest does not, in its import mode
import rhtree

SETTINGS = {"batch_sizes": [4, 1], "threads": [1, 2], "repeats": 3, "events": 25}


def outputs(folder):
    names = ("benchmark.json", "samples.parquet", "points")
    return Outputs(*(folder / name for name in names))


@pytest.fixture(scope="module")
def measure(trained, model, ntuple, reference):
    """A function that runs the whole benchmark with a cmsRun, into a folder."""

    def run(cmsrun, folder, code="", **settings):
        return benchmark(
            Subject(trained, model, {ntuple: ntuple.stem}, reference),
            cmsrun,
            {**SETTINGS, **settings},
            outputs(folder),
            code,
        )

    return run


@pytest.fixture(scope="module")
def made(measure, python_cmsrun, tmp_path_factory):
    """A whole benchmark: its folder, its record, and the cmsRun that it called.

    Most of its time goes into the processes of Python's methods, new ones in each repeat.
    """
    folder, cmsrun = tmp_path_factory.mktemp("benchmark"), python_cmsrun()
    return folder, measure(cmsrun, folder, repeats=2), cmsrun


def point(record, method, batch, threads=1, provider="CPU"):
    (found,) = [
        p
        for p in record["points"]
        if (p["method"], p["batch"], p["threads"], p["provider"]) == (method, batch, threads, provider)
    ]
    return found


def test_record_has_every_point_once(made):
    folder, record, _ = made
    assert json.loads((folder / "benchmark.json").read_text()) == record
    settings = [(p["method"], p["provider"], p["threads"], p["batch"]) for p in record["points"]]
    names = ["cmsRun", "ONNX Runtime", "session per event", "PyTorch"]
    expected = [
        (method, provider, 1, batch) for method in names for provider in ("CPU", "CUDA") for batch in (1, 4)
    ]
    expected += [("cmsRun", provider, 2, 4) for provider in ("CPU", "CUDA")]
    assert sorted(settings) == sorted(expected)
    assert {p["status"] for p in record["points"] if p["provider"] == "CPU"} == {"ok"}


def test_a_network_of_keras_is_called_so_and_has_no_gpu(trained, model, python_cmsrun, tmp_path):
    contract = replace(load_contract(model), versions={"keras": "3"})
    batch = Batch(1, 25, 250, tmp_path, tmp_path, "score", np.zeros((250, 1)))
    subject = Subject(trained, model, {}, tmp_path)
    points = list(_points(subject, contract, python_cmsrun(), [1], [batch], tmp_path))
    assert {point.method for point in points} == {"cmsRun", "ONNX Runtime", "session per event", "Keras"}
    unavailable = {point.provider: point.unavailable for point in points if point.method == "Keras"}
    assert unavailable["CPU"] is None
    assert "CPU alone" in unavailable["CUDA"]


def test_a_provider_is_an_entry_of_the_table(measure, python_cmsrun, tmp_path, monkeypatch):
    """It is measured by all methods that have a device of it, recorded and drawn."""

    def in_this_process(command, **_):  # whose table has it
        answer = json.dumps(worker.measure(json.loads(command[-1])))
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(methods, "subprocess", SimpleNamespace(run=in_this_process))
    toy = replace(CPU, name="Toy", torch=None, linestyle=":", hatch="..")
    monkeypatch.setitem(PROVIDERS, "Toy", toy)
    monkeypatch.delitem(PROVIDERS, "CUDA")
    cmsrun = python_cmsrun()
    record = measure(cmsrun, tmp_path, batch_sizes=[2], threads=[1])
    found = {p["method"]: p for p in record["points"] if p["provider"] == "Toy"}
    assert {method: p["status"] for method, p in found.items()} == {
        "cmsRun": "ok",
        "ONNX Runtime": "ok",
        "session per event": "ok",
        "PyTorch": "no device",
    }
    assert found["PyTorch"]["reason"] == "PyTorch has no device of Toy"
    assert {call["provider"] for call in cmsrun.calls} == {"cpu", "toy"}
    (axes,) = side_by_side.costs({"toy": [found["cmsRun"]]}, "this", "e2e simulation").axes[:1]
    assert [line.get_linestyle() for line in axes.lines] == [":"]


def test_throughput_of_cmsrun_is_free_of_its_start(made, python_cmsrun):
    _, record, _ = made
    for batch, threads in ((1, 1), (4, 1), (4, 2)):
        found = point(record, "cmsRun", batch, threads)
        seconds = python_cmsrun.per_object_s * batch / threads
        assert found["events_per_s"]["value"] == pytest.approx(1 / seconds, rel=1e-6)
        assert found["objects_per_s"]["median"] == pytest.approx(batch / seconds, rel=1e-6)
        assert found["start_s"] == pytest.approx(python_cmsrun.start_s)
        assert found["call_ms"]["median"] == pytest.approx(0.7 * 2 * batch)
        assert found["modules_ms"]["source"] == pytest.approx(0.2 * 2 * batch)


def test_cmsrun_reads_ntuples_of_each_batch_with_more_and_fewer_events(made, model):
    _, _, cmsrun = made
    assert {(c["maxEvents"], c["numberOfThreads"], c["provider"]) for c in cmsrun.calls} == {
        ("50", "1", "cpu"),
        ("250", "1", "cpu"),
        ("50", "2", "cpu"),
        ("250", "2", "cpu"),
    }
    assert len(cmsrun.calls) == 2 * 3 * 2
    assert {c["model"] for c in cmsrun.calls} == {str(model)}


def test_python_ways_keep_percentiles_and_raw_samples(made):
    folder, record, _ = made
    samples = pd.read_parquet(folder / "samples.parquet")
    for method, calls in (("ONNX Runtime", 25), ("PyTorch", 25), ("session per event", 8)):
        found = point(record, method, 4)
        raw = samples.query("method == @method and batch == 4 and quantity == 'call_ms'")
        assert len(raw) == found["call_ms"]["n"] == 2 * calls
        assert sorted(raw["repeat"].unique()) == [0, 1]
        assert found["call_ms"]["median"] == pytest.approx(raw["value"].median())
        p50, p90, p99 = (found["call_percentiles_ms"][f"p{level}"]["value"] for level in (50, 90, 99))
        assert 0 < p50 <= p90 <= p99
        assert found["load_ms"]["median"] > 0
        assert found["objects_per_s"]["median"] > 0
        assert found["max_diff"] <= 1e-5
    walls = samples.query("method == 'cmsRun' and quantity == 'wall_s of 250 events'")
    assert len(walls) == 3 * 2


def test_session_per_event_costs_more_than_a_kept_session(made):
    _, record, _ = made
    per_event, kept = (
        point(record, method, 1)["call_ms"]["median"] for method in ("session per event", "ONNX Runtime")
    )
    assert per_event > 2 * kept


def test_memory_is_that_of_each_way_alone(made):
    _, record, _ = made
    runtime, eager = (point(record, method, 1)["peak_rss_bytes"] for method in ("ONNX Runtime", "PyTorch"))
    assert 3e7 < runtime < eager  # torch is the larger library, and is loaded in this process
    assert point(record, "cmsRun", 1)["peak_rss_bytes"] == 300_000_000


# What is recorded without a GPU cannot be seen on a machine that has one.
@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="this machine has a GPU")
def test_provider_without_a_device_is_recorded_as_such(made):
    _, record, _ = made
    cuda = [p for p in record["points"] if p["provider"] == "CUDA"]
    assert {p["status"] for p in cuda} == {"no device"}
    assert all("CUDAExecutionProvider" in p["reason"] for p in cuda)
    assert not any("objects_per_s" in p for p in cuda)


def test_record_says_what_was_measured_on_what(made, model, reference):
    _, record, _ = made
    assert record["model_sha256"] == sha256(model)
    assert record["reference_sha256"] == sha256(reference)
    assert record["settings"] == {**SETTINGS, "repeats": 2}
    assert record["origin"] == "e2e simulation"
    assert record["machine"]["cpu"]["cores"] == len(os.sched_getaffinity(0))
    assert {"torch", "onnxruntime", "numpy"} <= set(record["machine"]["packages"])


def test_figures_are_drawn(made, tmp_path):
    folder, _, _ = made
    figures = draw(read_json(folder / "benchmark.json"))
    assert set(figures) == {"throughput", "latency", "threads", "memory", "modules"}
    style.save_all(figures, tmp_path / "figures")
    assert min(path.stat().st_size for path in (tmp_path / "figures").glob("*.png")) > 10_000


@pytest.fixture
def summary(model, ntuple, reference, tmp_path):
    """A function that measures one point with a cmsRun, and summarises it."""
    (batch,) = prepare(
        load_contract(model), {ntuple: ntuple.stem}, pd.read_parquet(reference), [4], 25, tmp_path
    )

    def summarise(cmsrun):
        measure = partial(in_cmsrun, cmsrun, model, CPU, 1, batch, tmp_path)
        point = Point("cmsRun", "CPU", 1, batch, load_contract(model), measure, unavailable=None)
        for _ in range(3):
            point.repeat()
        return point.summary()

    return summarise


def test_point_that_works_is_ok(summary, python_cmsrun):
    assert summary(python_cmsrun())["status"] == "ok"


def test_failing_cmsrun_is_recorded_with_its_reason(summary, python_cmsrun):
    class FailsLater(python_cmsrun):
        def __call__(self, arguments, log):
            if len(self.calls) == 3:
                raise E2EError("cmsRun ended with code 66")
            return super().__call__(arguments, log)

    failed = summary(FailsLater())
    assert (failed["status"], failed["reason"]) == ("failed", "cmsRun ended with code 66")
    assert (failed["method"], failed["batch"], failed["threads"]) == ("cmsRun", 4, 1)
    assert "objects_per_s" not in failed


def test_fast_but_wrong_scores_are_a_failed_point(summary, python_cmsrun):
    class Wrong(python_cmsrun):
        def written(self, table):
            return {**table, "score": table["score"][::-1]}

    failed = summary(Wrong())
    assert failed["status"] == "failed"
    assert "score differs from the reference by" in failed["reason"]


def test_times_within_the_noise_are_a_failed_point(summary, python_cmsrun):
    class Noisy(python_cmsrun):
        def __call__(self, arguments, log):
            cost = super().__call__(arguments, log)
            return Cost(1.0 + 0.3 * (len(self.calls) % 3), cost.peak_rss_bytes)

    failed = summary(Noisy())
    assert failed["status"] == "failed"
    assert "raise benchmark.events" in failed["reason"]


def test_missing_objects_of_cmsrun_are_a_failed_point(summary, python_cmsrun):
    class Forgetful(python_cmsrun):
        def written(self, table):
            return {name: values[1:] for name, values in table.items()}

    assert summary(Forgetful())["reason"] == "cmsRun scored 999 of 1000 objects"


def test_bug_in_a_method_leaves_no_output(measure, python_cmsrun, tmp_path):
    class Broken(python_cmsrun):
        def __call__(self, arguments, log):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure(Broken(), tmp_path)
    assert not list(tmp_path.iterdir())


class Killed(BaseException):
    """Ends a benchmark at once."""


@pytest.fixture
def python_calls(monkeypatch):
    """The methods and batch sizes that Python is timed on from now on, which takes no time."""
    calls = []

    def timed(method, model, provider, batch, folder):
        calls.append((method, batch.size))
        times = dict.fromkeys(("objects_per_s", "load_ms", "first_ms"), 1.0 + len(calls))
        return {**times, "calls_ms": [1.0], "peak_rss_bytes": 1, "values": batch.values[: batch.calls]}

    monkeypatch.setattr(running, "in_python", timed)
    return calls


def test_killed_benchmark_goes_on_where_it_stopped(measure, python_cmsrun, python_calls, tmp_path):
    class KilledLater(python_cmsrun):
        def __call__(self, arguments, log):
            if len(self.calls) == 7:  # in the second repeat, at the second of two batch sizes
                raise Killed
            return super().__call__(arguments, log)

    once = dict(batch_sizes=[1, 2], threads=[1])
    with pytest.raises(Killed):
        measure(KilledLater(), tmp_path, **once)
    assert [path.name for path in tmp_path.iterdir()] == ["points"]
    per_repeat = [
        (method, size) for size in (1, 2) for method in ("ONNX Runtime", "session per event", "PyTorch")
    ]
    assert python_calls == [*per_repeat, *per_repeat[:3]]
    first = json.loads((tmp_path / "points/ONNX_Runtime_CPU_1_1.json").read_text())
    assert [measurement["load_ms"] for measurement in first["measurements"]] == [2.0, 8.0]

    cmsrun = python_cmsrun()
    python_calls.clear()
    record = measure(cmsrun, tmp_path, **once)
    assert python_calls == [*per_repeat[3:], *per_repeat]  # the rest of the second repeat, and the third
    assert len(cmsrun.calls) == 2 * (1 + 2)
    assert {p["repeats"] for p in record["points"] if p["status"] == "ok"} == {3}
    samples = pd.read_parquet(tmp_path / "samples.parquet").query("method == 'ONNX Runtime' and batch == 1")
    assert samples.query("quantity == 'load_ms'")["value"].tolist() == [2.0, 8.0, 2.0 + 3]
    assert point(record, "cmsRun", 2)["start_s"] == pytest.approx(python_cmsrun.start_s)
    assert not (tmp_path / "points").exists()


def test_points_of_other_code_are_measured_anew(measure, python_cmsrun, python_calls, tmp_path):
    class KilledLater(python_cmsrun):
        def __call__(self, arguments, log):
            if len(self.calls) == 2:
                raise Killed
            return super().__call__(arguments, log)

    for code in ("first", "second"):
        with pytest.raises(Killed):
            measure(KilledLater(), tmp_path, code, batch_sizes=[1], threads=[1])
    assert len(python_calls) == 2 * 3


STATE = {"code": "a", "model_sha256": ["b"], "machine": {"cpu": {"model": "c"}}, "settings": {"repeats": 3}}


@pytest.mark.parametrize(
    "other",
    [
        {"code": "b"},
        {"model_sha256": ["c"]},
        {"machine": {"cpu": {"model": "d"}}},
        {"settings": {"repeats": 4}},
    ],
)
def test_record_is_good_for_one_state(tmp_path, other):
    Records(tmp_path, STATE).write("a point", {"value": 1})
    assert Records(tmp_path, {**STATE}).read("a point")["value"] == 1
    assert Records(tmp_path, {**STATE, **other}).read("a point") is None
    (tmp_path / "a_point.json").write_text("[1")
    assert Records(tmp_path, STATE).read("a point") is None


def test_only_own_records_are_removed(tmp_path):
    records = Records(tmp_path / "points", STATE)
    records.write("mine", {})
    (tmp_path / "points/other.json").write_text("{}")
    records.remove()
    assert [path.name for path in (tmp_path / "points").iterdir()] == ["other.json"]


def test_machine_is_the_same_a_minute_later():
    now = machine()
    later = {**now, "cpu": {**now["cpu"], "mhz": 1.0, "load_average": 99.0}}
    assert lasting(later) == lasting(now)
    assert lasting({**now, "gpus": [{"name": "another"}]}) != lasting(now)


def test_wrong_model_is_one_clear_error(trained, ntuple, reference, python_cmsrun, tmp_path):
    subject = Subject(trained, tmp_path / "no.onnx", {ntuple: ntuple.stem}, reference)
    with pytest.raises(E2EError, match="no such model"):
        benchmark(subject, python_cmsrun(), SETTINGS, outputs(tmp_path))
    assert not list(tmp_path.iterdir())


def test_inputs_are_the_test_objects_repeated(model, ntuple, reference, samples, tmp_path):
    table = pd.read_parquet(reference).query("event % 2 == 0")  # the test part
    (one, five) = prepare(load_contract(model), {ntuple: ntuple.stem}, table, [5, 1], 30, tmp_path)
    assert (one.size, one.calls, one.events) == (1, 30, 300)
    assert (five.size, five.calls, five.events) == (5, 30, 300)
    assert five.values.shape == (300, 5)
    images = samples.images()
    frames = np.load(five.frames)
    assert frames.shape == (30, 5, *TASK.shape)
    for event in (0, 1, 9, 10, 29):  # ten events of the test part, in turn
        number = 2 * (event % 10) + 2
        own = np.flatnonzero(samples.event == number)
        for place in range(5):
            np.testing.assert_array_equal(frames[event, place], images[own[place % len(own)]])
            expected = table.query("event == @number")["score"].to_numpy()[place % len(own)]
            assert five.values[event, place] == expected
    assert np.load(one.frames).any(axis=(2, 3, 4)).all()  # no frame is empty


def test_ntuple_of_a_batch_holds_the_frames_of_its_calls(model, ntuple, reference, tmp_path):
    """What cmsRun reads, once converted, is what the Python methods are given."""
    (batch,) = prepare(
        load_contract(model), {ntuple: ntuple.stem}, pd.read_parquet(reference), [3], 20, tmp_path
    )
    convert(TASK, batch.ntuple, tmp_path / "batch.parquet", progress=False)
    converted = store.read(tmp_path / "batch.parquet")
    assert len(converted) == batch.events * 3
    frames = np.load(batch.frames)
    np.testing.assert_array_equal(converted.images(np.arange(20 * 3)).reshape(frames.shape), frames)
    np.testing.assert_array_equal(converted.event, np.repeat(np.arange(batch.events) + 1, 3))


@pytest.fixture
def jets(tmp_path):
    """The contract of a mass regression with towers, an ntuple of jets, and their masses by a reference."""
    task = tasks.task("mass_regression", 5)
    generator = np.random.default_rng(4)
    events = []
    for number in range(1, 5):
        channels = {}
        for channel in task.channels:
            hit = generator.random(task.frame_shape(channel)) < 0.02
            channels[channel.name] = np.float32(generator.normal(5, 1, hit.shape) * hit)
        objects = {
            "jetSeed_ieta": generator.integers(12, 44, 2),
            "jetSeed_iphi": generator.integers(0, 72, 2),
        }
        objects |= {name: np.full(2, 50.0) for name in ("jetPt", "jetEta", "jetPhi", "a_m")}
        channels["HCAL_energy"][objects["jetSeed_ieta"], objects["jetSeed_iphi"]] = 100  # as in real jets
        events.append(Event(1, 1, number, channels, {k: np.float32(v) for k, v in objects.items()}))
    path = tmp_path / "jets.root"
    write_ntuple(path, events, task=task)
    table = pd.DataFrame(
        {"sample": "jets", "run": 1, "lumi": 1, "event": np.repeat(range(1, 5), 2), "object": [0, 1] * 4}
    )
    contract = Contract(task, "cnn", "0" * 64, 17, 8, {}, "unknown", {})
    return contract, path, table.assign(mass=generator.uniform(3, 20, 8))


def test_batches_of_jets_hold_towers_and_masses(jets, tmp_path):
    contract, path, reference = jets
    (batch,) = prepare(contract, {path: path.stem}, reference, [3], 20, tmp_path)
    assert batch.output == "mass"
    np.testing.assert_array_equal(batch.values[0], reference["mass"].to_numpy()[[0, 1, 0]])
    frames = np.load(batch.frames)
    assert frames.shape == (20, 3, 5, 125, 125)
    assert frames.any(axis=(0, 1, 3, 4)).all()
    convert(contract.task, batch.ntuple, tmp_path / "batch.parquet", progress=False)
    converted = store.read(tmp_path / "batch.parquet").images(np.arange(20 * 3))
    np.testing.assert_array_equal(converted.reshape(frames.shape), frames)


def test_ntuples_of_before_give_the_same_batches(jets, tmp_path):
    """Towers in columns of their own go back to where they were."""
    contract, path, reference = jets
    (batch,) = prepare(contract, {path: "jets"}, reference, [2], 20, tmp_path)
    frames = np.load(batch.frames)
    old = tmp_path / "old.root"
    with open_tree(path) as tree:
        branches = {name: list(values) for name, values in tree.arrays(library="np").items()}
    branches |= {name: np.array(branches[name]) for name in IDENTITY}
    branches["HBHE_energy"] = [np.roll(v.reshape(56, 72), -2, 1).ravel() for v in branches["HBHE_energy"]]
    rhtree.write(old, branches)
    with pytest.raises(E2EError, match="HBHE_energy lies 2 towers to the left of the jets"):
        prepare(contract, {old: "jets"}, reference, [2], 20, tmp_path)
    (batch,) = prepare(contract, {old: "jets"}, reference, [2], 20, tmp_path, own_columns=True)
    np.testing.assert_array_equal(np.load(batch.frames), frames)


@pytest.mark.parametrize(("factor", "status"), [(5e-5, "ok"), (2e-4, "failed")])
def test_masses_may_differ_by_their_ratio(jets, tmp_path, factor, status):
    contract, path, reference = jets
    (batch,) = prepare(contract, {path: path.stem}, reference, [1], 20, tmp_path)
    values = batch.values[:20] * (1 + factor)
    assert summary_of(contract, batch, values)["status"] == status


@pytest.mark.parametrize(
    ("near_ties", "objects", "status"), [(True, 1, "ok"), (True, 2, "failed"), (False, 1, "failed")]
)
def test_few_objects_may_be_near_ties_of_a_model_that_knows_them(jets, tmp_path, near_ties, objects, status):
    contract, path, reference = jets
    (batch,) = prepare(contract, {path: path.stem}, reference, [1], 20, tmp_path)
    values = batch.values[:20].copy()
    values[:objects] *= 2
    assert summary_of(replace(contract, near_ties=near_ties), batch, values)["status"] == status


def summary_of(contract, batch, values):
    """Summary of a point of which a measurement gave these values."""
    measured = {
        "calls_ms": [1.0, 1.1],
        "peak_rss_bytes": 1,
        "objects_per_s": 1.0,
        "load_ms": 1.0,
        "first_ms": 1.0,
    }
    point = Point("PyTorch", "CPU", 1, batch, contract, lambda: {**measured, "values": values}, None)
    point.repeat()
    return point.summary()


def test_large_batches_have_fewer_events(model, ntuple, reference, tmp_path):
    batches = prepare(
        load_contract(model), {ntuple: ntuple.stem}, pd.read_parquet(reference), [1, 32, 128], 60, tmp_path
    )
    assert [batch.calls for batch in batches] == [60, 31, 20]
    assert [batch.events for batch in batches] == [600, 125, 31]


def test_reference_of_other_events_is_an_error(model, ntuple, reference, tmp_path):
    table = pd.read_parquet(reference).assign(run=99)
    with pytest.raises(E2EError, match="none of the 39 scored objects is in the ntuples"):
        prepare(load_contract(model), {ntuple: ntuple.stem}, table, [1], 20, tmp_path)


def test_worker_that_fails_says_why(model, ntuple, reference, tmp_path):
    (batch,) = prepare(
        load_contract(model), {ntuple: ntuple.stem}, pd.read_parquet(reference), [1], 20, tmp_path
    )
    with pytest.raises(E2EError, match=r"ONNX Runtime ended with code 1: .*cannot load it"):
        in_python("ONNX Runtime", tmp_path / "absent.onnx", CPU, batch, tmp_path)


def test_peak_memory_is_not_that_of_the_parent():
    """A process with 1 GB starts one that says what it needs."""
    child = "from e2e.benchmark.worker import peak_rss_bytes; print(peak_rss_bytes())"
    parent = (
        "import subprocess, sys; memory = b'x' * 10**9;"
        f"sys.exit(subprocess.call([sys.executable, '-c', {child!r}]))"
    )
    found = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    assert 5e6 < int(found) < 3e8


def test_line_through_points():
    events, seconds = [10, 50, 10, 50], [1.1, 1.5, 1.1, 1.5]
    slope, error, intercept = line(events, seconds)
    assert (slope, error, intercept) == (pytest.approx(0.01), pytest.approx(0, abs=1e-9), pytest.approx(1))


def test_error_of_a_slope_is_the_scatter_of_slopes():
    generator = np.random.default_rng(1)
    x = np.tile([10.0, 50.0], 5)
    fits = np.array([line(x, 0.01 * x + generator.normal(scale=0.1, size=10)) for _ in range(2000)])
    assert fits[:, 0].mean() == pytest.approx(0.01, abs=1e-4)
    assert np.sqrt((fits[:, 1] ** 2).mean()) == pytest.approx(fits[:, 0].std(), rel=0.05)


def test_band_is_the_central_68_percent():
    found = band(np.random.default_rng(1).normal(10, 2, 100_000))
    assert found["median"] == pytest.approx(10, abs=0.05)
    assert (found["p84"] - found["p16"]) / 2 == pytest.approx(2, rel=0.02)
    assert found["n"] == 100_000


def test_uncertainty_of_a_percentile_is_its_scatter():
    generator = np.random.default_rng(1)
    medians = [np.median(generator.exponential(size=200)) for _ in range(1000)]
    found = percentiles(generator.exponential(size=200))["p50"]
    assert (found["p84"] - found["p16"]) / 2 == pytest.approx(np.std(medians), rel=0.3)


def test_machine_is_this_one():
    found = machine()
    assert found["cpu"]["model"]
    assert found["memory_gb"] > 0.5
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
