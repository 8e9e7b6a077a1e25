"""gpu.sh and what it calls: a pack of a small model, measured on the CPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from e2e.benchmark import measure_pack
from e2e.benchmark.measure_pack import Packed, measure
from e2e.benchmark.pack import pack
from e2e.data.convert import convert
from e2e.data.split import write_split
from e2e.data.stream import Stream
from e2e.deploy import cmssw
from e2e.deploy.providers import CPU
from e2e.errors import E2EError
from e2e.files import MARK, sha256
from e2e.tasks.electron_photon import TASK

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src/e2e"


@pytest.fixture(scope="module")
def run(trained, model, ntuple, reference, tmp_path_factory) -> Path:
    """A folder results/tiny with one task and one model."""
    folder = tmp_path_factory.mktemp("results") / "tiny"
    task = folder / TASK.name
    for name in ("ntuples", "store", "small"):
        (task / name).mkdir(parents=True)
    (task / "ntuples" / ntuple.name).symlink_to(ntuple)
    stored = task / "store" / ntuple.with_suffix(".parquet").name
    convert(TASK, ntuple, stored, progress=False)
    write_split([stored], task / "split.parquet", task / "split.json")
    for path in (trained, model, model.with_suffix(".json"), reference):
        (task / "small" / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def packed_run(run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "pack"
    pack(run, folder)
    return folder


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(measure_pack, "SECONDS", 0.02)


def read(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def test_pack_holds_test_objects_and_what_is_expected_of_them(run, packed_run):
    task = run / TASK.name
    [model] = measure_pack.models(packed_run)
    stream = Stream(sorted((task / "store").glob("*.parquet")), task / "split.parquet", "test")
    frames = model.frames()
    np.testing.assert_array_equal(frames, stream.images(np.arange(len(stream))))
    assert len(np.unique(frames.reshape(len(frames), -1), axis=0)) == len(stream) > 1
    scores = pd.read_parquet(task / "small/scores.parquet").set_index(["event", "object"])["score"]
    np.testing.assert_array_equal(
        model.expected(),
        scores.loc[list(zip(stream.objects["event"], stream.objects["object"], strict=True))],
    )
    assert sum(path.stat().st_size for path in packed_run.rglob("*") if path.is_file()) < 60_000_000
    named = json.loads((packed_run / "pack.json").read_text())["sha256"]  # so that records know the pack
    files = [
        path for path in packed_run.rglob("*") if path.is_file() and path.name not in ("pack.json", MARK)
    ]
    assert named == {str(path.relative_to(packed_run)): sha256(path) for path in files}


def test_pack_that_is_too_large_is_not_made(run, tmp_path):
    with pytest.raises(E2EError, match=r"would hold . MB, above 0 MB; the largest file is \S+"):
        pack(run, tmp_path / "pack", largest=1000)
    assert not list(tmp_path.iterdir())


def test_run_without_models_is_an_error(tmp_path):
    with pytest.raises(E2EError, match="there is no such run"):
        pack(tmp_path / "nowhere", tmp_path / "pack")
    with pytest.raises(E2EError, match="no exported model with scores"):
        pack(tmp_path, tmp_path / "pack")
    with pytest.raises(E2EError, match="no pack of models"):
        measure("sessions", tmp_path, tmp_path, CPU)


def test_sessions_are_timed_and_right(packed_run, tmp_path, quick):
    measure("sessions", packed_run, tmp_path, CPU)
    records = read(tmp_path)
    assert set(records) == {f"CPU_session_electron_photon_small_{size}" for size in (1, 8, 64, 512)}
    for record in records.values():
        assert record["status"] == "ok"
        assert record["call_ms"]["n"] >= measure_pack.LEAST_CALLS
        assert 0 <= record["max_diff"] <= 1e-5
        assert record["objects_per_s"]["median"] > 0
        assert record["measured_with"]["command"].startswith("python -m e2e.benchmark.measure_pack sessions")
        assert record["measured_with"]["machine"]["packages"]["onnxruntime"]
        assert record["measured_with"]["git_revision"]
        assert str(tmp_path) not in json.dumps(record)
        assert str(packed_run) not in json.dumps(record)


def test_wrong_scores_and_other_failures_are_recorded_with_their_reason(
    packed_run, tmp_path, quick, monkeypatch
):
    right = Packed.expected
    monkeypatch.setattr(Packed, "expected", lambda model: right(model)[::-1])
    measure("sessions", packed_run, tmp_path, CPU)
    assert {record["status"] for record in read(tmp_path).values()} == {"failed"}
    assert all("differs from the reference" in record["reason"] for record in read(tmp_path).values())

    monkeypatch.setattr(measure_pack, "session", lambda *_: 1 / 0)
    measure("sessions", packed_run, tmp_path, CPU)
    assert {record["reason"] for record in read(tmp_path).values()} == {"ZeroDivisionError: division by zero"}
    monkeypatch.undo()
    monkeypatch.setattr(measure_pack, "SECONDS", 0.02)
    measure("sessions", packed_run, tmp_path, CPU)
    assert {record["status"] for record in read(tmp_path).values()} == {"ok"}


def test_what_is_measured_is_kept(packed_run, tmp_path, quick, monkeypatch):
    class Killed(BaseException):
        pass

    original, calls = measure_pack._session, []

    def killed_at_third(model, provider, size):
        calls.append(size)
        if len(calls) == 3:
            raise Killed
        return original(model, provider, size)

    monkeypatch.setattr(measure_pack, "_session", killed_at_third)
    with pytest.raises(Killed):
        measure("sessions", packed_run, tmp_path, CPU)
    first = read(tmp_path)
    assert len(first) == 2
    measure("sessions", packed_run, tmp_path, CPU)
    assert calls == [1, 8, 64, 64, 512]
    assert {name: read(tmp_path)[name] for name in first} == first

    monkeypatch.setattr(measure_pack, "git_revision", lambda: "another")
    measure("sessions", packed_run, tmp_path, CPU)
    assert calls[5:] == [1, 8, 64, 512]


def test_training_is_timed(packed_run, tmp_path, quick):
    measure("training", packed_run, tmp_path, CPU)
    [record] = read(tmp_path).values()
    assert record["status"] == "ok"
    assert record["precision"] == "float32"
    assert record["objects_per_s"]["n"] == measure_pack.REPEATS


def others_imported_by_the_library() -> set[str]:
    """Packages of others that some module imports, but for the three that are allowed."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        found |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    return found - sys.stdlib_module_names - {"e2e", "numpy", "torch", "onnxruntime"}


def gpu_sh(pack: Path, records: Path, seconds: int, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [SOURCE / "benchmark/gpu.sh", pack, records, "CPU", str(seconds)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )


ABSENT = """
import importlib.util, sys

absent, found = {absent!r}, importlib.util.find_spec
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
# what asks whether a package is there, and does without
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] in absent else found(name, *rest)
"""


@pytest.mark.slow
def test_bare_part_needs_three_packages(packed_run, tmp_path):
    absent = others_imported_by_the_library()
    assert {"pandas", "pyarrow", "numba", "uproot", "matplotlib"} <= absent
    (tmp_path / "sitecustomize.py").write_text(ABSENT.format(absent=absent))
    done = gpu_sh(packed_run, tmp_path / "records", 120, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    records = read(tmp_path / "records")
    assert len(records) == 5
    assert {record["status"] for record in records.values()} == {"ok"}
    for part in ("cmsrun", "loader"):
        assert f"{part}: left out, since it needs the whole environment" in done.stderr


@pytest.mark.slow
def test_rehearsal(packed_run, tmp_path):
    """All parts on the CPU, with cmsRun of an area that is built here or that E2E_AREA names."""
    area = Path(os.environ.get("E2E_AREA") or REPOSITORY / "build/cmssw/standalone")
    if "E2E_AREA" not in os.environ:
        cmssw.build("standalone", area, REPOSITORY / "cmssw", {}, jobs=2, log=area.with_suffix(".log"))
    done = gpu_sh(packed_run, tmp_path, 600, E2E_AREA=str(area))
    assert done.returncode == 0, done.stderr
    records = read(tmp_path)
    assert {name: record.get("reason") for name, record in records.items() if record["status"] != "ok"} == {}
    assert {name.split("_")[1] for name in records} == {"session", "training", "cmsrun", "loader"}
    assert records["CPU_cmsrun_electron_photon_small"]["objects_per_s"]["median"] > 0
    assert records["CPU_loader_electron_photon"]["comparisons"]


@pytest.mark.slow
def test_it_ends_in_time(packed_run, tmp_path):
    done = gpu_sh(packed_run, tmp_path, 6)
    assert done.returncode == 1
    assert "loader: no time is left" in done.stderr
    assert all(record["status"] == "ok" for record in read(tmp_path).values())
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".json"]
