import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from e2e import tasks
from e2e.deploy import contract as contracts
from e2e.deploy import export as exporting
from e2e.deploy.contract import INPUT, MASS, WIDTH, load_contract
from e2e.deploy.export import check_versions, example_frames, export, verify
from e2e.deploy.network import Deployed, deployed
from e2e.deploy.providers import CPU, CUDA
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.models.saved import load
from e2e.tasks import Task
from e2e.tasks.electron_photon import TASK

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
    found = run(session(model), frames)
    score, logit = found["score"], found["logit"]
    with torch.no_grad():
        expected = load(trained)[0](torch.from_numpy(frames))
    assert list(found) == ["score", "logit"]
    assert score.shape == logit.shape == (batch,)
    np.testing.assert_allclose(logit, expected, atol=1e-5)
    np.testing.assert_allclose(score, torch.sigmoid(expected), atol=1e-6)
    assert batch < 7 or np.ptp(score) > 1e-3


def test_export_of_another_network_is_caught(model):
    other = Deployed(nn.Sequential(nn.Flatten(), nn.Linear(2048, 1), nn.Flatten(0)), TASK).eval()
    with pytest.raises(E2EError, match=r"differ by .* in score, .* in logit at batch 1"):
        verify(other, model)


@pytest.mark.parametrize("name", ["score", "logit"])
def test_every_output_is_verified(trained, model, monkeypatch, name):
    """A graph wrong in one of its outputs alone is wrong, whichever is looked at last."""

    def wrong(opened, frames):
        found = run(opened, frames)
        found[name] = found[name] + np.float32(0.01)
        return found

    verify(deployed(trained)[0], model)
    monkeypatch.setattr(exporting, "run", wrong)
    with pytest.raises(E2EError, match=rf"differ by .*0\.01 in {name}.* at batch 1"):
        verify(deployed(trained)[0], model)


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
    [
        (FrozenBatch(), "takes batches of 2 only"),
        (DependsOnData(), "cannot be exported to ONNX"),
        (nn.Sequential(nn.Flatten(), nn.Linear(2048, 1)), r"gives score of shape \(0, 1\) for 0 objects"),
    ],
)
def test_network_that_does_not_fit_in_a_graph_is_refused(trained, tmp_path, monkeypatch, network, message):
    monkeypatch.setattr(exporting, "deployed", lambda path: (Deployed(network, TASK), load(trained)[1]))
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
        {"name": "EB_energy", "unit": "GeV", "cell": 1},
        {"name": "EB_time", "unit": "ns", "cell": 1},
    ]
    assert json.loads(properties["classes"]) == ["photon", "electron"]
    assert json.loads(properties["training_data"])["sha256"] == "0" * 64
    assert properties["git_revision"] == load_contract(model).git_revision
    assert re.fullmatch("unknown|[0-9a-f]{40}(-dirty)?", properties["git_revision"])

    opened = session(model)
    assert [(entry.name, entry.shape) for entry in opened.get_inputs()] == [(INPUT, ["N", 2, 32, 32])]
    assert [entry.name for entry in opened.get_outputs()] == ["score", "logit"]


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
    assert written["orientation"] == "outward"
    assert written["seeds"] == {"object": "photon", "cell": 1}
    assert written["outputs"] == [{"name": name, "unit": "1", "shape": ["N"]} for name in ("score", "logit")]
    assert written["calibration"] == {"temperature": 1.0}
    assert written["near_ties"] is False


# --- other tasks


class Linear(nn.Module):
    """Logit, or mass and width, that weighs every cell differently; ``dynamic_graph`` as asked."""

    def __init__(self, task: Task, dynamic_graph: bool = False):
        super().__init__()
        torch.manual_seed(1)
        self.weights = nn.Linear(math.prod(task.shape), task.goal.outputs)
        self.dynamic_graph = dynamic_graph

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        numbers = self.weights(frames.flatten(1))
        return numbers.squeeze(1) if numbers.shape[1] == 1 else numbers


@pytest.fixture
def export_of(trained, tmp_path, monkeypatch):
    """A function that exports a network of a task, and gives the path of the model."""

    def exported(network: Deployed) -> Path:
        info = {
            "training_data": {"sha256": "0" * 64, "objects": 40, "origin": "e2e simulation", "tracks": None}
        }
        monkeypatch.setattr(exporting, "deployed", lambda path: (network.eval(), info))
        return export_to(trained, tmp_path / "linear")

    return exported


def test_regression_gives_a_mass_and_its_width(export_of):
    task = tasks.task("mass_regression", 5)
    network = Deployed(Linear(task), task)
    path = export_of(network)
    contract = load_contract(path)
    assert contract.task == task
    assert contract.outputs == (MASS, WIDTH)
    written = json.loads(path.with_suffix(".json").read_text())
    assert written["outputs"] == [
        {"name": name, "unit": "GeV", "shape": ["N"]} for name in ("mass", "mass_width")
    ]
    assert written["input"]["channels"][4] == {"name": "HCAL_energy", "unit": "GeV", "cell": 5}
    assert written["seeds"] == {"object": "jet", "cell": 5}
    assert written["classes"] == []
    assert "calibration" not in written
    frames = example_frames(task, 5)
    found = run(session(path), frames)
    assert list(found) == ["mass", "mass_width"]
    with torch.no_grad():
        expected = network(torch.from_numpy(frames))
    for output, values in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(output, values, rtol=1e-4)
    assert not np.allclose(found["mass"], found["mass_width"])


def test_temperature_divides_the_logit_inside_the_graph(export_of):
    task = tasks.task("quark_gluon")
    bare, calibrated = (Deployed(Linear(task), task, temperature).eval() for temperature in (1.0, 1.6))
    frames = example_frames(task, 9)
    path = export_of(calibrated)
    assert load_contract(path).temperature == 1.6
    found = run(session(path), frames)
    with torch.no_grad():
        logit = bare(torch.from_numpy(frames))[1].numpy() / 1.6
    assert np.ptp(logit) > 0.1
    np.testing.assert_allclose(found["logit"], logit, atol=1e-5)
    np.testing.assert_allclose(found["score"], 1 / (1 + np.exp(-logit)), atol=1e-6)


def test_temperature_and_channels_are_those_of_the_training(trained, tmp_path):
    content = torch.load(trained, weights_only=True)
    torch.save({**content, "temperature": 1.25, "channels": 2}, tmp_path / "model.pt")
    network, _ = deployed(tmp_path / "model.pt")
    assert (network.temperature, network.task, network.near_ties) == (1.25, TASK, False)
    assert deployed(trained)[0].temperature == 1.0


def test_near_ties_are_promised_by_the_network(export_of):
    task = tasks.task("tau", 4)
    path = export_of(Deployed(Linear(task, dynamic_graph=True), task))
    assert load_contract(path).near_ties
    assert json.loads(path.with_suffix(".json").read_text())["near_ties"] is True


@pytest.mark.parametrize(("explained", "change"), [(True, 2.0), (False, 1e-7)])
def test_near_ties_of_the_example_frames_are_told_from_errors(export_of, monkeypatch, explained, change):
    """One object of each batch comes out differently, and its own frame does or does not explain that."""
    task = tasks.task("tau", 4)
    network = Deployed(Linear(task, dynamic_graph=True), task)
    path = export_of(network)

    def wrong(opened, frames):
        found = run(opened, frames)
        found["logit"][-1:] += 1
        return found

    jump = {"score": 1.0, "logit": change}
    monkeypatch.setattr("e2e.deploy.ties.largest_changes", lambda network, frames, beside: jump)
    monkeypatch.setattr(exporting, "run", wrong)
    if explained:
        verify(network, path)
    else:
        with pytest.raises(E2EError, match="1 in logit at batch 1"):
            verify(network, path)


@pytest.mark.parametrize("name", tasks.supervised())
def test_example_frames_are_like_real_ones(name):
    task = tasks.task(name)
    frames = example_frames(task, 40)
    assert frames.shape == (40, *task.shape)
    assert not frames[0].any()
    hit = {channel.name: frames[1:, i] != 0 for i, channel in enumerate(task.channels)}
    for i, channel in enumerate(task.channels):
        values = frames[1:, i][hit[channel.name]]
        assert 0.0005 < hit[channel.name].mean() < 0.1
        assert (values.min() < 0) == (channel.unit in ("cm", "ns"))
    if name in ("mass_regression", "tau"):
        np.testing.assert_array_equal(*(hit[f"track_{part}"] for part in ("pT", "dz")))
        towers = frames[:, 4].reshape(40, 25, 5, 25, 5)
        assert (towers == towers[:, :, :1, :, :1]).all()


@pytest.mark.parametrize(
    ("output", "a", "b", "difference"),
    [
        (MASS, 10.0, 10.01, 0.01 / 10.01),
        (MASS, 0.0, 0.0, 0.0),
        (MASS, -2.0, 2.0, 2.0),
        (contracts.LOGIT, 10.0, 10.01, 0.01),
    ],
)
def test_difference_is_relative_where_the_tolerance_is(output, a, b, difference):
    assert output.difference([a], [b]) == pytest.approx(difference)


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
        ("input", {"name": "frames", "shape": ["N", 3, 32, 32], "channels": [{"name": "EB"}]}, "input is"),
        ("format", 1, "format is 1"),
        ("format", 3, "format is 3"),
        ("task", "top_tagging", "unknown task"),
        ("sha256", None, "no key 'sha256'"),
        ("seeds", None, "no key 'seeds'"),
        ("calibration", None, "no key 'calibration'"),
        ("outputs", [{"name": "mass", "unit": "GeV", "shape": ["N"]}], "outputs is"),
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
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [CUDA.onnxruntime, CPU.onnxruntime])
    if CUDA.onnxruntime in session(model).get_providers():
        pytest.skip("this machine has a GPU")  # then there is no error to see
    with pytest.raises(E2EError, match=f"{CUDA.onnxruntime} found no device"):
        session(model, CUDA)


def test_provider_that_is_not_built_in_is_an_error(model):
    with pytest.raises(E2EError, match="not in this build"):
        session(model, replace(CPU, onnxruntime="NoSuchExecutionProvider"))
