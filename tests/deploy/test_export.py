import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from e2e.deploy import contract as contracts
from e2e.deploy import export as exporting
from e2e.deploy.contract import INPUT, OUTPUTS, load_contract
from e2e.deploy.export import ScoredNetwork, check_versions, example_frames, export, verify
from e2e.deploy.runtime import CUDA, run, session
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.learning.model import load
from e2e.tasks import ELECTRON_PHOTON as TASK

REPOSITORY = Path(__file__).parents[2]


def export_to(trained: Path, folder: Path, opset: int = 17, ir_version: int = 8) -> Path:
    path = folder / "model.onnx"
    export(trained, path, folder / "model.json", opset, ir_version)
    return path


@pytest.mark.parametrize(("opset", "ir_version"), [(17, 8), (15, 8), (18, 9), (20, 9)])
def test_file_has_the_opset_and_ir_version_asked_for(trained, tmp_path, opset, ir_version):
    file = onnx.load(export_to(trained, tmp_path, opset, ir_version))
    assert [(entry.domain, entry.version) for entry in file.opset_import] == [("", opset)]
    assert file.ir_version == ir_version


def test_file_of_another_opset_is_refused(model):
    with pytest.raises(E2EError, match=r"opset ai\.onnx 17 and IR 8, asked for were 18 and 8"):
        check_versions(model, 18, 8)


@pytest.mark.parametrize(
    ("opset", "ir_version", "key"), [(17, 7, "export.ir_version"), (9, 8, "export.opset")]
)
def test_impossible_versions_leave_no_file(trained, tmp_path, opset, ir_version, key):
    with pytest.raises(E2EError, match=key):
        export_to(trained, tmp_path, opset, ir_version)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("batch", [0, 1, 2, 7, 64])
def test_graph_gives_the_scores_of_the_network_at_any_batch(trained, model, samples, batch):
    frames = np.resize(samples.images(), (batch, *TASK.shape))
    score, logit = run(session(model), frames)
    with torch.no_grad():
        expected = load(trained)[0](torch.from_numpy(frames))
    assert score.shape == logit.shape == (batch,)
    np.testing.assert_allclose(logit, expected, atol=1e-5)
    np.testing.assert_allclose(score, torch.sigmoid(expected), atol=1e-6)
    assert batch < 7 or np.ptp(score) > 1e-3


def test_export_of_another_network_is_caught(model):
    other = ScoredNetwork(nn.Sequential(nn.Flatten(), nn.Linear(2048, 1), nn.Flatten(0))).eval()
    with pytest.raises(E2EError, match="differ by"):
        verify(other, model, TASK)


class FrozenBatch(nn.Module):
    """Looks at its batch size, which would freeze that of the exporter into the graph."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        total = frames.sum(dim=(1, 2, 3))
        return total if len(frames) == 2 else total / 2


class DependsOnData(nn.Module):
    """Takes a way through the network that depends on the frames: no graph does that."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        total = frames.sum(dim=(1, 2, 3))
        return total if total.max() > 10 else total / 2


@pytest.mark.parametrize(
    ("network", "message"),
    [(FrozenBatch(), "takes batches of 2 only"), (DependsOnData(), "cannot be exported to ONNX")],
)
def test_network_that_does_not_fit_in_a_graph_is_refused(trained, tmp_path, monkeypatch, network, message):
    monkeypatch.setattr(exporting, "load", lambda path: (network, load(trained)[1]))
    with pytest.raises(E2EError, match=message):
        export_to(trained, tmp_path)
    assert not list(tmp_path.iterdir())


def test_same_network_gives_the_same_bytes(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "git_revision", lambda: "0" * 40)  # commits may come in between
    first, second = (export_to(trained, tmp_path / folder / "tiny") for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".json").read_bytes() == second.with_suffix(".json").read_bytes()


def test_file_says_what_it_takes_and_where_it_comes_from(model):
    properties = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    assert properties["task"] == "electron_photon"
    assert properties["model"] == "tiny"
    assert json.loads(properties["input"])["channels"] == [
        {"name": "EB_energy", "unit": "GeV"},
        {"name": "EB_time", "unit": "ns"},
    ]
    assert json.loads(properties["classes"]) == ["photon", "electron"]
    assert json.loads(properties["training_data"])["sha256"] == "0" * 64
    assert properties["git_revision"] == load_contract(model).git_revision
    assert re.fullmatch("unknown|[0-9a-f]{40}(-dirty)?", properties["git_revision"])

    opened = session(model)
    assert [(entry.name, entry.shape) for entry in opened.get_inputs()] == [(INPUT, ["N", 2, 32, 32])]
    assert [entry.name for entry in opened.get_outputs()] == list(OUTPUTS)


def test_file_holds_no_path_of_this_machine(model):
    content = model.read_bytes()
    assert str(REPOSITORY).encode() not in content
    assert b"site-packages" not in content


def test_contract_reads_back(model):
    contract = load_contract(model)
    assert contract.task == TASK
    assert contract.sha256 == sha256(model)
    written = json.loads(model.with_suffix(".json").read_text())
    assert contract.to_json() == written
    assert written["input"]["shape"] == ["N", 2, 32, 32]
    assert written["crop"] == {"rows": 32, "columns": 32, "seed_row": 15, "seed_column": 15}


def copied(model: Path, folder: Path) -> Path:
    for path in (model, model.with_suffix(".json")):
        shutil.copy(path, folder)
    return folder / model.name


def test_missing_model_is_named(tmp_path):
    with pytest.raises(E2EError, match=r"nowhere\.onnx: no such model"):
        load_contract(tmp_path / "nowhere.onnx")


def test_missing_contract_is_named(model, tmp_path):
    copied(model, tmp_path).with_suffix(".json").unlink()
    with pytest.raises(E2EError, match=r"model\.json: missing"):
        load_contract(tmp_path / "model.onnx")


def test_contract_of_another_model_is_refused(model, tmp_path):
    path = copied(model, tmp_path)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(E2EError, match="belongs to another model"):
        load_contract(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("input", {"name": "frames", "shape": ["N", 3, 32, 32], "channels": []}, "input is"),
        ("format", 2, "format is 2"),
        ("task", "top_tagging", "unknown task"),
        ("sha256", None, "no key 'sha256'"),
    ],
)
def test_contract_of_another_version_is_refused(model, tmp_path, key, value, message):
    path = copied(model, tmp_path)
    content = json.loads(path.with_suffix(".json").read_text())
    content[key] = value
    if value is None:
        del content[key]
    path.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(E2EError, match=message):
        load_contract(path)


def test_file_that_is_no_model_is_named(tmp_path):
    path = tmp_path / "page.onnx"
    path.write_text("<html>not found</html>")
    with pytest.raises(E2EError, match=r"page\.onnx: ONNX Runtime .* cannot load it"):
        session(path)


def test_gpu_that_is_not_there_is_an_error(model, monkeypatch):
    # A GPU build lists CUDA as available on a machine without a GPU, and then runs on the CPU.
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    if CUDA in session(model).get_providers():
        pytest.skip("this machine has a GPU")
    with pytest.raises(E2EError, match=f"{CUDA} found no device"):
        session(model, CUDA)


def test_provider_that_is_not_built_in_is_an_error(model):
    with pytest.raises(E2EError, match="not in this build"):
        session(model, "NoSuchExecutionProvider")


def test_revision_of_a_checkout_says_when_files_changed(tmp_path, monkeypatch):
    package = tmp_path / "src" / "e2e"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(contracts.e2e, "__file__", str(package / "__init__.py"))
    assert contracts.git_revision() == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert contracts.git_revision() == "unknown"  # a checkout around it, of something else
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    clean = contracts.git_revision()
    assert len(clean) == 40
    (package / "__init__.py").write_text("changed = True\n")
    assert contracts.git_revision() == f"{clean}-dirty"


RUN_IN_OLD_RUNTIME = """
import sys, numpy, onnxruntime
assert onnxruntime.__version__.startswith("1.17."), onnxruntime.__version__
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
score, logit = session.run(["score", "logit"], {"frames": numpy.load(sys.argv[2])})
numpy.savez(sys.argv[3], score=score, logit=logit)
"""


@pytest.mark.slow
def test_onnx_runtime_1_17_gives_the_same_scores(model, samples, tmp_path):
    """The release of CMSSW 14_0, in an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-r", REPOSITORY / "requirements" / "ort117.txt"]
    subprocess.run(install, check=True)
    frames = np.concatenate([samples.images(), example_frames(TASK, 25)])
    np.save(tmp_path / "frames.npy", frames)
    command = [python, "-c", RUN_IN_OLD_RUNTIME, model, tmp_path / "frames.npy", tmp_path / "old.npz"]
    subprocess.run(command, check=True)
    old = np.load(tmp_path / "old.npz")
    score, logit = run(session(model), frames)
    np.testing.assert_allclose(old["score"], score, rtol=0, atol=1e-5)
    np.testing.assert_allclose(old["logit"], logit, rtol=0, atol=1e-4)
