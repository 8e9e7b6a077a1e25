"""cmsRun on ntuples: the scores of ONNX Runtime on the converter's crops, one clear error for bad input."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from e2e.data import store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.deploy.agreement import read_scores
from e2e.tasks import ELECTRON_PHOTON, Channel, Task

CFG = Path(__file__).parents[2] / "cmssw/src/RecoE2E/Taggers/test/electronPhoton_cfg.py"
IDENTITY = ["run", "lumi", "event", "object"]
ROWS, COLUMNS = ELECTRON_PHOTON.detector

# Seeds (row, column) of each event of an ntuple: both ends in phi and in eta, and events without objects.
SEEDS = [
    [(80, 0), (80, 359), (15, 14), (153, 345)],
    [],
    [(14, 100), (100, 100), (154, 100), (0, 0), (169, 359)],
    [(60, 7)],
    [(100, 300), (100, 301)],
]
REJECTED = 4


def events(run: int, seeds: Sequence = SEEDS, task: Task = ELECTRON_PHOTON) -> list[Event]:
    """Events with hits in 3 % of the crystals; the second has none."""
    random = np.random.default_rng(run)
    written = []
    for i, positions in enumerate(seeds):
        hit = random.random((ROWS, COLUMNS)) < (0 if i == 1 else 0.03)
        frames = [random.exponential(2, hit.shape) * hit, random.normal(0, 3, hit.shape) * hit]
        objects = {
            name: np.array([p[axis] for p in positions], np.float32) for axis, name in enumerate(task.seeds)
        }
        objects |= {quantity.name: np.full(len(positions), 50, np.float32) for quantity in task.kinematics}
        channels = {
            channel.name: frame.astype(np.float32)
            for channel, frame in zip(task.channels, frames, strict=True)
        }
        written.append(Event(run, i // 2 + 1, 5_000_000_000 + i, channels, objects))
    return written


@pytest.fixture(scope="session")
def ntuples(tmp_path_factory) -> list[Path]:
    """Two ntuples of different runs, with one that has no events between them."""
    folder = tmp_path_factory.mktemp("ntuples")
    paths = [folder / name for name in ("a.root", "empty.root", "b.root")]
    for path, content in zip(paths, (events(1), [], events(2)), strict=True):
        write_ntuple(path, content)
    return paths


def save_model(path: Path, task: Task = ELECTRON_PHOTON, seed: int = 0) -> Path:
    """A model whose logit weighs every cell differently, with its contract beside it."""
    channels, rows, columns = task.shape
    weights = np.random.default_rng(seed).normal(0, 0.1, (channels * rows * columns, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["frames"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["score"]),
        ],
        "linear",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", *task.shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("score", "logit")],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([-1]), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    path.write_bytes(content)
    contract = {
        "format": 1,
        "sha256": sha256(content).hexdigest(),
        "input": {
            "name": "frames",
            "shape": ["N", *task.shape],
            "channels": [{"name": channel.name, "unit": channel.unit} for channel in task.channels],
        },
        "crop": {
            "rows": rows,
            "columns": columns,
            "seed_row": task.crop.seed_row,
            "seed_column": task.crop.seed_column,
        },
    }
    path.with_suffix(".json").write_text(json.dumps(contract))
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def cmsrun(area, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs cmsRun in an empty directory; its messages are in ``stdout`` of what comes back."""

    def run(ntuples: Sequence[Path], *arguments: str, cfg: Path = CFG) -> subprocess.CompletedProcess[str]:
        inputs = [f"inputFiles=file:{path}" for path in ntuples]
        return subprocess.run(
            [area / "bin/cmsRun", cfg, *inputs, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def scores(cmsrun, tmp_path) -> Callable[..., pd.DataFrame]:
    """Runs cmsRun, which must succeed, and gives its scores in the order of their identities."""

    def run(ntuples: Sequence[Path], *arguments: str, cfg: Path = CFG) -> pd.DataFrame:
        job = cmsrun(ntuples, *arguments, cfg=cfg)
        assert job.returncode == 0, job.stdout
        return read_scores(tmp_path / "scores.root").sort_values(IDENTITY, ignore_index=True)

    return run


def expected(
    ntuples: Sequence[Path], model: Path, tmp_path: Path, task: Task = ELECTRON_PHOTON
) -> pd.DataFrame:
    """Scores of ONNX Runtime in Python on the crops of the converter."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    tables = []
    for path in ntuples:
        convert(task, path, tmp_path / "sample.parquet", progress=False)
        samples = store.read([tmp_path / "sample.parquet"])
        if len(samples) == 0:
            continue
        score, logit = session.run(["score", "logit"], {"frames": samples.images()})
        tables.append(samples.identity()[IDENTITY].assign(score=score, logit=logit))
    return pd.concat(tables).sort_values(IDENTITY, ignore_index=True)


def assert_agree(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    assert found[IDENTITY].to_numpy().tolist() == wanted[IDENTITY].to_numpy().tolist()
    np.testing.assert_allclose(found.score, wanted.score, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.logit, wanted.logit, rtol=0, atol=1e-4)
    assert np.ptp(wanted.logit) > 1  # a constant would agree with anything


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
    assert 0 < len(found) < 26 + 23  # photon candidates of the two files; some lie at the end of the barrel


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


def test_channels_crop_and_seeds_are_configurable(ntuples, scores, tmp_path):
    crop = replace(ELECTRON_PHOTON.crop, rows=25, columns=41, seed_row=3, seed_column=40)
    task = replace(ELECTRON_PHOTON, channels=ELECTRON_PHOTON.channels[::-1], crop=crop)
    model = save_model(tmp_path / "model.onnx", task)
    cfg = cfg_with(
        tmp_path,
        'channels = [cms.PSet(name=cms.string(name)) for name in ("EB_time", "EB_energy")]',
        "process.source.channels = cms.VPSet(*channels)",
        "process.objectFrames.rows = 25",
        "process.objectFrames.columns = 41",
        "process.objectFrames.seedRow = 3",
        "process.objectFrames.seedColumn = 40",
    )
    assert_agree(scores(ntuples, f"model={model}", cfg=cfg), expected(ntuples, model, tmp_path, task))


def test_times_are_written_where_asked(ntuples, model, scores, tmp_path):
    scores(ntuples, f"model={model}", "timing=timing.json")
    modules = {
        module["label"]: module for module in json.loads((tmp_path / "timing.json").read_text())["modules"]
    }
    assert modules["e2eTagger"]["type"] == "E2ETagger"
    assert modules["e2eTagger"]["events"] == 2 * len(SEEDS)


# --- what must fail


def altered(source: Path, path: Path, change: Callable) -> Path:
    """A copy of an ntuple, with ``change(tree)`` called on each entry that was read."""
    import ROOT

    with ROOT.TFile.Open(str(source)) as file, ROOT.TFile.Open(str(path), "RECREATE") as copy:
        tree = file.Get("fevt/RHTree")
        copy.mkdir("fevt").cd()
        clone = tree.CloneTree(0)
        for _ in tree:
            change(tree)
            clone.Fill()
        copy.Write()
    return path


def set_nan(tree):
    tree.EB_time[2 * COLUMNS + 7] = float("nan")


def missing(source: Path, path: Path) -> Path:
    return path


def truncated(source: Path, path: Path) -> Path:
    content = source.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def web_page(source: Path, path: Path) -> Path:
    path.write_text("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n")
    return path


def no_energy(source: Path, path: Path) -> Path:
    task = replace(ELECTRON_PHOTON, channels=(Channel("EB_Energy", "GeV"), ELECTRON_PHOTON.channels[1]))
    write_ntuple(path, events(3, task=task), task=task)
    return path


def nan(source: Path, path: Path) -> Path:
    return altered(source, path, set_nan)


def short_vector(source: Path, path: Path) -> Path:
    return altered(source, path, lambda tree: tree.EB_energy.resize(100))


def seed_from_one(source: Path, path: Path) -> Path:
    def shift(tree):
        for i in range(len(tree.SC_iphi)):
            tree.SC_iphi[i] += 1

    return altered(source, path, shift)


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (missing, 84, r"bad\.root: cannot be opened"),
        (truncated, 85, r"bad\.root: "),
        (web_page, 85, r"bad\.root: cannot be read"),
        (no_energy, 65, r"bad\.root: branch EB_energy is missing from tree RHTree"),
        (nan, 65, r"bad\.root, entry 0: EB_time is -?nan at row 2, column 7"),
        (short_vector, 65, r"bad\.root, entry 0: EB_energy has 100 values; expected 170 x 360"),
        (seed_from_one, 65, r"bad\.root, entry 0: the seed of object 1 is in column 360"),
    ],
)
def test_a_bad_ntuple_ends_the_job_with_one_error(ntuples, model, cmsrun, tmp_path, make, code, message):
    bad = make(ntuples[0], tmp_path / "bad.root")
    job = cmsrun([ntuples[0], bad], f"model={model}", "numberOfThreads=2")
    assert job.returncode == code, job.stdout
    assert len(re.findall(message, job.stdout)) == 1, job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


def json_of_another(tmp_path: Path) -> Path:
    model, other = (save_model(tmp_path / f"{seed}.onnx", seed=seed) for seed in (1, 2))
    model.with_suffix(".json").write_bytes(other.with_suffix(".json").read_bytes())
    return model


def one_channel(tmp_path: Path) -> Path:
    task = replace(ELECTRON_PHOTON, channels=ELECTRON_PHOTON.channels[:1])
    return save_model(tmp_path / "model.onnx", task)


def channels_swapped(tmp_path: Path) -> Path:
    task = replace(ELECTRON_PHOTON, channels=ELECTRON_PHOTON.channels[::-1])
    return save_model(tmp_path / "model.onnx", task)


def crop_shifted(tmp_path: Path) -> Path:
    task = replace(ELECTRON_PHOTON, crop=replace(ELECTRON_PHOTON.crop, seed_row=16))
    return save_model(tmp_path / "model.onnx", task)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda tmp_path: tmp_path / "none.onnx", r"none\.onnx: there is no such model"),
        (json_of_another, r"1\.json: it belongs to another model"),
        (one_channel, "the frames hold the channels EB_energy, EB_time, but the model takes EB_energy"),
        (channels_swapped, "channels EB_energy, EB_time, but the model takes EB_time, EB_energy"),
        (crop_shifted, "the frames are 32 x 32 cells with the seed at row 15, column 15, but the model"),
    ],
)
def test_a_model_that_does_not_fit_ends_the_job(ntuples, cmsrun, tmp_path, make, message):
    job = cmsrun(ntuples, f"model={make(tmp_path)}")
    assert job.returncode == 65, job.stdout
    assert re.search(message, job.stdout), job.stdout
    assert job.stdout.count("Begin Fatal Exception") == 1


@pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_error(ntuples, model, cmsrun):
    job = cmsrun(ntuples, f"model={model}", "backend=cuda")
    assert job.returncode == 65, job.stdout
    assert "cannot be loaded on backend cuda" in job.stdout


@pytest.mark.parametrize("module", ["source", "objectFrames", "e2eTagger", "e2eScoreWriter"])
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
        ('process.e2eTagger.backend = "gpu"', "choose cpu or cuda"),
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
