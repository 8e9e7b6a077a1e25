"""cmsRun on ntuples: what ONNX Runtime gives on the converter's crops, one clear error for bad input."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from e2e import tasks
from e2e.data import parquet, store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.deploy.agreement import agreement, read_tree
from e2e.deploy.contract import Contract, outputs
from e2e.deploy.predict import predict
from e2e.errors import E2EError
from e2e.files import sha256, write_json
from e2e.geometry import Crop
from e2e.tasks import Task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON

CFG = Path(__file__).parents[2] / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"
IDENTITY = ["file", "run", "lumi", "event", "object"]
ROWS, COLUMNS = ELECTRON_PHOTON.detector
JETS = [tasks.task("quark_gluon"), tasks.task("mass_regression"), tasks.task("tau", 5)]

# Seeds (row, column) of each event of an ntuple: both ends in phi and in eta, and events without objects.
SEEDS = [
    [(80, 0), (80, 359), (16, 14), (153, 345)],
    [],
    [(15, 100), (100, 100), (154, 100), (0, 0), (169, 359)],
    [(60, 7)],
    [(100, 300), (100, 301)],
]
REJECTED = 4

# The same in towers: a jet's crop reaches 62 crystals beyond the middle of its tower.
JET_SEEDS = [[(12, 0), (43, 71), (20, 13)], [], [(11, 5), (44, 5), (30, 60), (30, 60)], [(27, 1)]]


SEED_BRANCHES = {"photon": ("SC_ieta", "SC_iphi"), "jet": ("jetSeed_ieta", "jetSeed_iphi")}


def events(run: int, seeds: Sequence = SEEDS, task: Task = ELECTRON_PHOTON) -> list[Event]:
    """Events with hits in 3 % of the cells; the second has none."""
    random = np.random.default_rng(run)
    written = []
    for i, positions in enumerate(seeds):
        hit = random.random(task.detector) < (0 if i == 1 else 0.03)
        channels = {}
        for channel in task.channels:
            rows, columns = task.frame_shape(channel)
            spread = random.exponential if channel.unit == "GeV" else partial(random.normal, 0)
            values = spread(2, hit.shape) * hit
            channels[channel.name] = values[:rows, :columns].astype(np.float32)
        for row, column in positions:  # a seed is the hottest crystal or tower of its object
            channels["EB_energy" if task.objects == "photon" else "HCAL_energy"][row, column] = 50
        names = SEED_BRANCHES[task.objects]
        objects = {
            name: np.array([p[axis] for p in positions], np.float32) for axis, name in enumerate(names)
        }
        objects |= {quantity.name: np.full(len(positions), 50, np.float32) for quantity in task.kinematics}
        written.append(Event(run, i // 2 + 1, 5_000_000_000 + i, channels, objects))
    return written


@pytest.fixture(scope="session")
def ntuples(tmp_path_factory) -> list[Path]:
    """Two ntuples of different runs, with one that has no events between them."""
    folder = tmp_path_factory.mktemp("ntuples")
    paths = [folder / name for name in ("a.root", "empty.root", "b.root")]
    for path, content in zip(paths, (events(1), [], events(2)), strict=True):
        write_ntuple(path, content, task=ELECTRON_PHOTON)
    return paths


@pytest.fixture(scope="session", params=JETS, ids=lambda task: task.name)
def jets(request, tmp_path_factory) -> tuple[Task, list[Path], Path]:
    """A task, two ntuples of its jets, and a model."""
    folder = tmp_path_factory.mktemp(request.param.name)
    paths = [folder / "a.root", folder / "b.root"]
    for run, path in enumerate(paths):
        write_ntuple(path, events(run + 1, JET_SEEDS, request.param), task=request.param)
    return request.param, paths, save_model(folder / "model.onnx", request.param)


def save_model(path: Path, task: Task = ELECTRON_PHOTON, seed: int = 0) -> Path:
    """A model whose logit or mass weighs every cell differently, with its contract beside it."""
    cells = math.prod(task.shape)
    weights = np.random.default_rng(seed).normal(0, 4 / np.sqrt(cells), (cells, 1)).astype(np.float32)
    names = [output.name for output in outputs(task)]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["frames"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["sum"]),
            *(
                helper.make_node("Sigmoid" if name == "score" else "Identity", ["sum"], [name])
                for name in names
            ),
        ],
        "linear",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *task.shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in names],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([-1]), "shape")],
    )
    return save_graph(path, graph, task)


def save_graph(path: Path, graph: onnx.GraphProto, task: Task) -> Path:
    """A graph as a model of ``task``, with its contract beside it."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    about = {
        "origin": "e2e simulation",
        "tracks": "direction" if any(channel in tasks.TRACKS for channel in task.channels) else None,
    }
    contract = Contract(task, path.stem, sha256(path), 17, 8, about, "unknown", {})
    write_json(path.with_suffix(".json"), contract.to_json())
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.onnx")


def expected(
    ntuples: Sequence[Path], model: Path, tmp_path: Path, task: Task = ELECTRON_PHOTON
) -> pd.DataFrame:
    """What ONNX Runtime gives in Python on the crops of the converter."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    tables = []
    for file, path in enumerate(ntuples):
        convert(task, path, tmp_path / "sample.parquet", progress=False)
        samples = store.read([tmp_path / "sample.parquet"])
        if len(samples) == 0:
            continue
        names = [output.name for output in outputs(task)]
        given = dict(zip(names, session.run(names, {"frames": samples.images()}), strict=True))
        tables.append(samples.identity().assign(file=file)[IDENTITY].assign(**given))
    return pd.concat(tables).sort_values(IDENTITY, ignore_index=True)


def assert_agree(found: pd.DataFrame, wanted: pd.DataFrame, task: Task = ELECTRON_PHOTON) -> None:
    assert list(found) == list(wanted) == [*IDENTITY, *(output.name for output in outputs(task))]
    assert found[IDENTITY].to_numpy().tolist() == wanted[IDENTITY].to_numpy().tolist()
    for output in outputs(task):
        difference = output.difference(found[output.name], wanted[output.name])
        assert difference.max() <= output.tolerance
    assert np.ptp(wanted[outputs(task)[-1].name]) > 1  # a constant would agree with anything


def cfg_with(tmp_path: Path, *lines: str) -> Path:
    """The configuration of the package with ``lines`` after it."""
    path = tmp_path / "changed_cfg.py"
    path.write_text("\n".join([f"exec(open({str(CFG)!r}).read())", *lines, ""]))
    return path


@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_those_of_onnx_runtime_on_converted_crops(ntuples, model, scores, tmp_path, threads):
    found = scores(ntuples, f"model={model}", f"numberOfThreads={threads}")
    assert_agree(found, expected(ntuples, model, tmp_path))
    per_file = sum(len(seeds) for seeds in SEEDS) - REJECTED
    assert len(found) == 2 * per_file
    assert found.event.min() == 5_000_000_000


def test_scores_are_those_of_onnx_runtime_on_real_cms_events(shared, model, scores, tmp_path):
    ntuples = sorted((shared / "data").glob("cms2012-*-rhtree.root"))
    found = scores(ntuples, f"model={model}", "numberOfThreads=2")
    assert_agree(found, expected(ntuples, model, tmp_path))
    assert len(found) == 26 - 6 + 23  # photon candidates of the two files; six lie at the end of the barrel


def test_threads_and_streams_do_not_change_a_bit(ntuples, model, scores):
    one = scores(ntuples, f"model={model}")
    pd.testing.assert_frame_equal(
        one, scores(ntuples, f"model={model}", "numberOfThreads=2"), check_exact=True
    )
    four = scores(ntuples, f"model={model}", "numberOfThreads=2", "numberOfStreams=4")
    pd.testing.assert_frame_equal(one, four, check_exact=True)


def test_rejected_objects_are_counted_in_the_log(ntuples, model, cmsrun):
    job = cmsrun(ntuples, f"model={model}")
    kept = 2 * (sum(len(seeds) for seeds in SEEDS) - REJECTED)
    assert f"{kept} objects framed, {2 * REJECTED} rejected" in job.stdout


def test_max_events_counts_over_files(ntuples, model, scores, tmp_path):
    found = scores(ntuples, f"model={model}", "maxEvents=6")
    wanted = expected(ntuples, model, tmp_path)
    first = wanted[(wanted.run == 1) | (wanted.event == 5_000_000_000)].reset_index(drop=True)
    assert_agree(found, first)


def test_a_job_without_events_writes_an_empty_tree(ntuples, model, scores):
    assert len(scores(ntuples[1:2], f"model={model}")) == 0


def test_the_model_of_the_command_line_is_used(ntuples, scores, tmp_path):
    first, second = (save_model(tmp_path / f"{seed}.onnx", seed=seed) for seed in (1, 2))
    found = scores(ntuples, "model=1.onnx")  # relative to the working directory
    assert_agree(found, expected(ntuples, first, tmp_path))
    assert_agree(scores(ntuples, f"model={second}"), expected(ntuples, second, tmp_path))


def test_a_misspelt_option_is_an_error(ntuples, model, cmsrun):
    job = cmsrun(ntuples, f"modle={model}")
    assert job.returncode != 0
    assert "modle" in job.stdout


@pytest.mark.parametrize("outward", [True, False])
def test_the_contract_sets_channels_and_crop(outward, ntuples, scores, tmp_path):
    crop = Crop(rows=25, columns=41, seed_row=3, seed_column=40, outward=outward)
    task = replace(ELECTRON_PHOTON, channels=ELECTRON_PHOTON.channels[::-1], crop=crop)
    model = save_model(tmp_path / "model.onnx", task)
    assert_agree(scores(ntuples, f"model={model}"), expected(ntuples, model, tmp_path, task))


def test_source_and_frames_have_the_defaults_of_a_photon(ntuples, model, scores, tmp_path):
    cfg = cfg_with(
        tmp_path,
        "from RecoE2E.Taggers.objectFrames_cfi import objectFrames",
        "from RecoE2E.RHTree.detectorFrame_cfi import detectorFrame",
        'process.source = cms.Source("RHTreeSource", fileNames=process.source.fileNames)',
        "process.detectorFrame = detectorFrame",
        "process.objectFrames = objectFrames",
    )
    assert_agree(scores(ntuples, f"model={model}", cfg=cfg), expected(ntuples, model, tmp_path))


# --- jets: towers beside crystals, seeds in towers, other outputs


def test_jets_get_the_outputs_of_onnx_runtime_on_converted_crops(jets, scores, tmp_path):
    task, ntuples, model = jets
    found = scores(ntuples, f"model={model}", "numberOfThreads=2")
    assert_agree(found, expected(ntuples, model, tmp_path, task), task)
    assert len(found) == 2 * 5  # two jets a file are too near the end of the detector, one is there twice


OWN = """
import FWCore.ParameterSet.Config as cms
from RecoE2E.Taggers import fromContract

process = cms.Process("OWN")
process.load("RecoE2E.RHTree.detectorFrame_cfi")
process.load("RecoE2E.Taggers.{sequence}_cff")
process.load("RecoE2E.Taggers.e2eScoreWriter_cfi")
process.source = cms.Source("RHTreeSource", fileNames=cms.untracked.vstring({files}),
    **fromContract.source(fromContract.read("{model}")))
process.{tagger}.model = "{model}"
process.e2eScoreWriter.scores = "{tagger}"
process.TFileService = cms.Service("TFileService", fileName=cms.string("scores.root"))
process.path = cms.Path(process.detectorFrame + process.{sequence} + process.e2eScoreWriter)
"""
SEQUENCES = {
    "electron_photon": ("electronPhoton", "e2eTagger"),
    "quark_gluon": ("quarkGluon", "quarkGluonTagger"),
    "mass_regression": ("massRegression", "massRegressionTagger"),
    "tau": ("tau", "tauTagger"),
}


def own_cfg(path: Path, task: Task, ntuples: Sequence[Path], model: Path) -> Path:
    """A configuration that loads the sequence of a task."""
    sequence, tagger = SEQUENCES[task.name]
    files = [f"file:{ntuple}" for ntuple in ntuples]
    path.write_text(OWN.format(sequence=sequence, tagger=tagger, files=files, model=model))
    return path


def test_the_sequence_of_a_jet_task_fits_a_configuration_of_ones_own(jets, scores, tmp_path):
    task, ntuples, model = jets
    found = scores([], cfg=own_cfg(tmp_path / "own_cfg.py", task, ntuples, model))
    assert_agree(found, expected(ntuples, model, tmp_path, task), task)


def test_the_sequence_of_photons_fits_a_configuration_of_ones_own(ntuples, model, scores, tmp_path):
    found = scores([], cfg=own_cfg(tmp_path / "own_cfg.py", ELECTRON_PHOTON, ntuples, model))
    assert_agree(found, expected(ntuples, model, tmp_path))


@pytest.fixture
def frames_in_cmsrun(host, tmp_path) -> Callable[[Sequence[Path], Path], np.ndarray]:
    """The values that the tagger is given: a function of ntuples and a model."""

    def run(ntuples: Sequence[Path], model: Path) -> np.ndarray:
        cfg = cfg_with(
            tmp_path,
            'process.dumper = cms.EDAnalyzer("ObjectFrameDumper", file=cms.string("frames"))',
            "process.path += process.dumper",
        )
        inputs = [f"inputFiles=file:{path}" for path in ntuples]
        subprocess.run([host / "bin/cmsRun", cfg, *inputs, f"model={model}"], cwd=tmp_path, check=True)
        return np.fromfile(tmp_path / "frames", np.float32)

    return run


def assert_equal_frames(found: np.ndarray, ntuples: Sequence[Path], task: Task, tmp_path: Path) -> None:
    images = []
    for path in ntuples:
        convert(task, path, tmp_path / "sample.parquet", progress=False)
        images.append(store.read(tmp_path / "sample.parquet").images())
    wanted = np.concatenate(images)
    assert wanted.any(axis=(0, 2, 3)).all()  # hits in every channel
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


def test_frames_of_jets_are_those_of_the_converter_bit_by_bit(jets, frames_in_cmsrun, tmp_path):
    task, ntuples, model = jets
    if task.name == "mass_regression":
        assert len(task.channels) == 8
    assert_equal_frames(frames_in_cmsrun(ntuples, model), ntuples, task, tmp_path)


@pytest.mark.parametrize(
    "task", [tasks.task("quark_gluon"), tasks.task("tau", 5)], ids=lambda task: task.name
)
def test_frames_of_real_jets_are_those_of_the_converter_bit_by_bit(shared, frames_in_cmsrun, tmp_path, task):
    ntuples = sorted((shared / "data").glob("cms2012-*-rhtree.root"))
    model = save_model(tmp_path / "model.onnx", task)
    frames = frames_in_cmsrun(ntuples, model)
    assert len(frames) == (108 + 107) * math.prod(task.shape)
    assert_equal_frames(frames, ntuples, task, tmp_path)


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ("", True),
        ("process.source.hcalColumns = 'own'", False),
    ],
)
def test_agreement_notices_towers_in_other_columns(jets, scores, tmp_path, change, agrees):
    """Of so few jets that their seeds alone do not tell."""
    task, _, model = jets
    few = tmp_path / "few.root"
    write_ntuple(few, events(1, JET_SEEDS, task)[:1], task=task)
    scores([few], f"model={model}", cfg=cfg_with(tmp_path, change))
    parquet.write_table(tmp_path / "table.parquet", predict(model, few, tmp_path / "table.parquet"))
    outputs_of = ("table.parquet", "table.parquet", "scores.root")
    files = [tmp_path / name for name in outputs_of]
    if agrees:
        assert agreement(*files, samples=["few"]).record["n_objects"] == len(JET_SEEDS[0])
    else:
        with pytest.raises(E2EError, match=f"PyTorch and cmsRun differ in {outputs(task)[0].name}"):
            agreement(*files, samples=["few"])


# Runs a command, and prints the most memory [bytes] it took.
PEAK_OF = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_memory_of_an_event_of_a_thousand_full_jets(area, tmp_path):
    """A file of some kB may hold them; a network of 32 filters would make 2 GB of all of them at once."""
    task = tasks.task("mass_regression")
    full = {channel.name: np.full(task.frame_shape(channel), 0.5, np.float32) for channel in task.channels}
    seeds = np.array([[20 + i % 17, i % 72] for i in range(1000)], np.float32)
    objects = {name: seeds[:, axis] for axis, name in enumerate(SEED_BRANCHES["jet"])}
    objects |= {quantity.name: np.full(1000, 50, np.float32) for quantity in task.kinematics}
    write_ntuple(tmp_path / "full.root", [Event(1, 1, 1, full, objects)], task=task)
    names = {"frames": ["N", *task.shape], "mass": ["N"], "mass_width": ["N"]}
    frames, *answers = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in names.items()
    )
    nodes = [
        helper.make_node("Conv", ["frames", "filters"], ["features"]),
        helper.make_node("ReduceMean", ["features"], ["mass"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Identity", ["mass"], ["mass_width"]),
    ]
    filters = numpy_helper.from_array(np.full((32, 8, 3, 3), 0.01, np.float32), "filters")
    graph = helper.make_graph(nodes, "filters", [frames], answers, [filters])
    save_graph(tmp_path / "model.onnx", graph, task)
    arguments = ["inputFiles=file:full.root", "model=model.onnx", "outputFile=scores.root"]
    command = [sys.executable, "-c", PEAK_OF, str(area / "bin/cmsRun"), str(CFG), *arguments]
    peak = int(subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE).stdout.split()[-1])
    assert peak < 1400 * 2**20
    found = read_tree(tmp_path / "scores.root")["mass"]
    assert len(found) == 1000
    np.testing.assert_allclose(found, (7 + 1 / 25) * 9 * 0.01 * 0.5, rtol=1e-3)  # a tower is 25 cells


def test_samples_with_equal_events_agree(model, scores, tmp_path):
    """Simulated samples may all be of run 1: cmsRun's rows tell the file, and so the sample."""
    paths = [tmp_path / "a.root", tmp_path / "b.root"]
    for seed, path in enumerate(paths):
        write_ntuple(path, [replace(event, run=1) for event in events(seed)], task=ELECTRON_PHOTON)
    found = scores(paths, f"model={model}")
    one, other = (found[found.file == file].reset_index(drop=True) for file in (0, 1))
    assert one[IDENTITY[1:]].equals(other[IDENTITY[1:]])
    assert (one.logit - other.logit).abs().min() > 1e-3  # taken for one another, they would not agree
    table = pd.concat(predict(model, path, tmp_path / "table.parquet") for path in paths)
    parquet.write_table(tmp_path / "table.parquet", table)
    outputs_of = ("table.parquet", "table.parquet", "scores.root")
    files = [tmp_path / name for name in outputs_of]
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ in score"):
        agreement(*files, samples=["b", "a"])
    assert agreement(*files, samples=["a", "b"]).record["n_objects"] == len(found)


def test_times_are_written_where_asked(ntuples, model, scores, tmp_path):
    scores(ntuples, f"model={model}", "timing=timing.json")
    modules = {
        module["label"]: module for module in json.loads((tmp_path / "timing.json").read_text())["modules"]
    }
    assert modules["e2eTagger"]["type"] == "E2ETagger"
    assert modules["e2eTagger"]["events"] == 2 * len(SEEDS)


def test_old_ntuples_are_read_when_told_so(scores, tmp_path):
    task = tasks.task("quark_gluon")
    model = save_model(tmp_path / "model.onnx", task)
    paths = [tmp_path / "genuine.root", tmp_path / "old.root"]
    content = events(1, JET_SEEDS, task)
    write_ntuple(paths[0], content, task=task, tracks="point")
    for event in content:
        event.channels["HCAL_energy"][:] = np.roll(event.channels["HCAL_energy"], -2, axis=1)
    write_ntuple(paths[1], content, task=task, tracks="point")
    genuine = scores(paths[:1], f"model={model}")
    old = scores(paths[1:], f"model={model}", "hcalColumns=own")
    pd.testing.assert_frame_equal(genuine, old, check_exact=True)


@pytest.mark.parametrize("tracks", ["direction", "point"])
def test_tracks_that_lie_elsewhere_than_the_model_knows_them_are_said_once_a_file(cmsrun, tmp_path, tracks):
    task = tasks.task("quark_gluon")
    model = save_model(tmp_path / "model.onnx", task)
    paths = [tmp_path / "a.root", tmp_path / "b.root"]
    for run, path in enumerate(paths, 1):
        write_ntuple(path, events(run, JET_SEEDS, task), task=task, tracks=tracks)
    job = cmsrun(paths, f"model={model}", "numberOfThreads=2")
    assert job.returncode == 0, job.stdout
    for path in paths:
        warning = f"{path}: tracks lie at point, but the model was trained on tracks at direction"
        assert job.stdout.count(warning) == (tracks == "point"), job.stdout


# --- what must fail: for ntuples see test_same_files.py


def test_a_damaged_file_ends_a_job_with_threads_with_one_message(ntuples, model, cmsrun, tmp_path):
    content = bytearray(ntuples[2].read_bytes())
    half = len(content) // 2
    content[half : half + 5000] = b"\x55" * 5000
    (tmp_path / "bad.root").write_bytes(content)
    job = cmsrun([ntuples[0], tmp_path / "bad.root"], f"model={model}", "numberOfThreads=2")
    assert job.returncode == 85, job.stdout
    assert len(re.findall(r"bad\.root: damaged ROOT file", job.stdout)) == 1, job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


def json_of_another(tmp_path: Path) -> Path:
    model, other = (save_model(tmp_path / f"{seed}.onnx", seed=seed) for seed in (1, 2))
    model.with_suffix(".json").write_bytes(other.with_suffix(".json").read_bytes())
    return model


def no_json(tmp_path: Path) -> Path:
    model = save_model(tmp_path / "model.onnx")
    model.rename(tmp_path / "alone.onnx")
    return tmp_path / "alone.onnx"


def old_json(tmp_path: Path) -> Path:
    model = save_model(tmp_path / "model.onnx")
    content = json.loads(model.with_suffix(".json").read_text())
    write_json(model.with_suffix(".json"), {key: value for key, value in content.items() if key != "seeds"})
    return model


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda tmp_path: tmp_path / "none.onnx", 90, r"none\.json: cannot be read .* copy both"),
        (no_json, 90, r"alone\.json: cannot be read .* copy both"),
        (old_json, 90, r"model\.json: is no contract of a model \(KeyError\('seeds'\)\); export"),
        (json_of_another, 65, r"1\.json: it belongs to another model"),
    ],
)
def test_a_model_without_its_contract_ends_the_job(ntuples, cmsrun, tmp_path, make, code, message):
    job = cmsrun(ntuples, f"model={make(tmp_path)}")
    assert job.returncode == code, job.stdout
    assert re.search(message, job.stdout), job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "process.source.channels = process.source.channels[:1]",
            "hold the channels EB_energy, but the model takes EB",
        ),
        (
            "process.source.channels = process.source.channels[::-1]",
            "channels EB_time, EB_energy, but the model takes",
        ),
        (
            "process.objectFrames.seedRow = 16",
            "the frames are 32 x 32 cells with the seed at row 16, column 15, turned to look outward, but",
        ),
    ],
)
def test_frames_that_do_not_fit_the_model_end_the_job(ntuples, model, cmsrun, tmp_path, change, message):
    job = cmsrun(ntuples, f"model={model}", cfg=cfg_with(tmp_path, change))
    assert job.returncode == 65, job.stdout
    assert message in job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


@pytest.mark.parametrize(
    ("trained_on", "change", "message"),
    [
        (
            lambda contract: contract["detector"].update(rows=280),
            "process.source.rows = 170",
            "cut from a detector of 170 x 360 cells, but the model takes those of 280 x 360 cells",
        ),
        (
            lambda contract: contract["input"]["channels"][1].update(cell=5),
            "process.source.channels[1].cell = 1",
            "channels EB_energy, EB_time, but the model takes EB_energy, EB_time of 5 x 5 cells",
        ),
    ],
)
def test_frames_of_another_layout_end_the_job(ntuples, cmsrun, tmp_path, trained_on, change, message):
    model = save_model(tmp_path / "model.onnx")
    contract = json.loads(model.with_suffix(".json").read_text())
    trained_on(contract)
    write_json(model.with_suffix(".json"), contract)
    job = cmsrun(ntuples, f"model={model}", cfg=cfg_with(tmp_path, change))
    assert job.returncode == 65, job.stdout
    assert message in job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


def test_providers_lie_where_onnx_runtime_looks_for_them(area):
    """Beside the library, in the folder where cmsRun finds it."""
    if not (area / "lib/libonnxruntime.so.1").exists():
        # E2E_AREA may name an area of a release, whose ONNX Runtime is the release's.
        pytest.skip(f"{area} has not the host's ONNX Runtime")
    providers = list(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime_providers_*.so"))
    assert providers
    assert all((area / "lib" / path.name).resolve() == path.resolve() for path in providers)


# With a GPU there is no error to see.
@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_error(ntuples, model, cmsrun):
    job = cmsrun(ntuples, f"model={model}", "provider=cuda")
    assert job.returncode == 65, job.stdout
    assert "cannot be loaded by provider cuda" in job.stdout


@pytest.mark.parametrize("module", ["source", "detectorFrame", "objectFrames", "e2eTagger", "e2eScoreWriter"])
def test_an_unknown_parameter_is_an_error(ntuples, model, cmsrun, tmp_path, module):
    cfg = cfg_with(tmp_path, f"process.{module}.unknown = cms.bool(True)")
    job = cmsrun(ntuples, f"model={model}", cfg=cfg)
    assert job.returncode == 73, job.stdout
    assert "unknown" in job.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("process.source.channels = cms.VPSet()", "at least one channel"),
        ("process.objectFrames.seedRow = 32", "cannot have its seed at row 32"),
        ("process.objectFrames.rows = 171", "larger than the detector frame of 170 x 360"),
        ('process.source.object = "muon"', "know no objects called muon"),
        ("process.source.seedCell = 7", "seeds of 7 x 7 cells do not fit the detector frame"),
        ('process.source.hcalColumns = "hcal"', 'hcalColumns is "hcal"; choose ecal or own'),
        ('process.e2eTagger.provider = "gpu"', "choose cpu or cuda"),
    ],
)
def test_an_impossible_value_is_an_error(ntuples, model, cmsrun, tmp_path, change, message):
    job = cmsrun(ntuples, f"model={model}", cfg=cfg_with(tmp_path, change))
    assert job.returncode == 73, job.stdout
    assert message in job.stdout


def test_a_source_without_files_is_an_error(model, cmsrun):
    job = cmsrun([], f"model={model}")
    assert job.returncode == 73, job.stdout
    assert "fileNames names no file" in job.stdout


# --- what is written, and where


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "__pycache__"}


def assert_one_error(job: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    assert job.returncode == code, job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1, job.stdout
    assert message in job.stdout


@pytest.mark.parametrize("option", ["outputFile", "timing"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("in.root", "would be written over the input"),
        ("here/in.root", "would be written over the input"),
        ("hard.root", "would be written over the input"),
        ("model.onnx", "would be written over the input"),
        ("model.json", "would be written over the input"),
        ("folder", "is a folder"),
        ("mine#2.root", "ROOT takes #, ? and $ apart"),
        ("mine?2.root", "ROOT takes #, ? and $ apart"),
        ("mine$2.root", "ROOT takes #, ? and $ apart"),
    ],
)
def test_nothing_of_the_users_is_written_over(cmsrun, ntuples, tmp_path, option, name, message):
    save_model(tmp_path / "model.onnx")
    (tmp_path / "in.root").write_bytes(ntuples[0].read_bytes())
    (tmp_path / "hard.root").hardlink_to(tmp_path / "in.root")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "mine").write_text("ROOT writes mine#2.root to this file")
    (tmp_path / "folder").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    other = [] if option == "outputFile" else ["outputFile=scores.root"]
    job = cmsrun([tmp_path / "in.root"], "model=model.onnx", f"{option}={name}", *other)
    assert_one_error(job, 90, message)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_two_outputs_are_two_files(cmsrun, ntuples, model):
    job = cmsrun([ntuples[0]], f"model={model}", "outputFile=a.root", "timing=./a.root")
    assert_one_error(job, 90, "would be written twice")


def test_links_are_followed_and_names_may_hold_commas(scores, ntuples, model, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "scores.root").symlink_to("disk/far.root")  # dangling
    for number, name in enumerate(("a,b é.root", "c.root")):
        (tmp_path / name).write_bytes(ntuples[2 * number].read_bytes())
    found = scores([], f"model={model}", f"inputFiles=file:{tmp_path}/a,b é.root,file:c.root")
    assert set(found["run"]) == {1, 2}
    assert (tmp_path / "scores.root").is_symlink()
    assert listed(tmp_path / "disk") == {"far.root"}


@pytest.mark.parametrize("option", ["outputFile", "timing"])
def test_outputs_that_cannot_be_written_are_one_error(cmsrun, ntuples, model, read_only, tmp_path, option):
    other = {"outputFile": "timing=timing.json", "timing": "outputFile=scores.root"}[option]
    for place, reason in (
        (read_only / "a", "Read-only file system"),
        (tmp_path / "absent/a", "No such file or directory"),
        ("/dev/full", "it is no ordinary file"),
    ):
        job = cmsrun([ntuples[0]], f"model={model}", f"{option}={place}", other)
        assert_one_error(job, 86, f"cannot write {place}: {reason}")
        assert listed(tmp_path) == {read_only.name}


def test_a_full_disk_is_one_error_and_leaves_nothing(cmsrun, ntuples, model, full_disk, tmp_path):
    (full_disk / "mine").write_bytes(bytes(1 << 16))
    for option in ("outputFile", "timing"):
        other = {"outputFile": "timing=timing.json", "timing": "outputFile=scores.root"}[option]
        job = cmsrun([ntuples[0]], f"model={model}", f"{option}={full_disk}/a", other)
        assert_one_error(job, 86, f"cannot write {full_disk}/a: ")
        assert listed(full_disk) == {"mine"}
        assert listed(tmp_path) - {"scores.root"} == {full_disk.name}  # which was whole, and there


def test_a_disk_that_fills_while_events_are_read(ntuples, model, area, tmp_path):
    """Beyond the size that a process may write, as on a full disk: a basket of scores is larger."""
    seeds = [[(15 + i // 300, i % 300) for i in range(1000)]] * 36
    write_ntuple(tmp_path / "long.root", events(1, seeds), task=ELECTRON_PHOTON)
    job = subprocess.run(
        ["prlimit", "--fsize=50000", area / "bin/cmsRun", CFG, "inputFiles=file:long.root", f"model={model}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert_one_error(job, 86, "Calling method for module E2EScoreWriter/'e2eScoreWriter'")
    assert "error writing all requested bytes to file" in job.stdout
    assert listed(tmp_path) == {"long.root"}


def test_onnx_runtime_neither_looks_up_its_maker_nor_leaves_a_trace(ntuples, model, area, tmp_path):
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": ""}
    command = [area / "bin/cmsRun", CFG, f"inputFiles=file:{ntuples[0]}", f"model={model}"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert not listed(tmp_path / "home")
