import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from e2e import models
from e2e.deploy import export as exporting
from e2e.deploy import keras_export, predict
from e2e.deploy.contract import load_contract
from e2e.deploy.export import BATCHES, export, verify
from e2e.deploy.network import Deployed, deployed
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.learning import keras_fit
from e2e.learning.loop import Settings, average_decay
from e2e.models.saved import save
from e2e.tasks import Classification
from e2e.tasks.electron_photon import TASK

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: requirements/keras.txt")
pytest.importorskip("keras", reason="Keras is not installed: requirements/keras.txt")
pytest.importorskip("tf2onnx", reason="tf2onnx is not installed: requirements/keras.txt")

NUMBERS = {"widths": [4, 8], "blocks": [1, 1]}


@pytest.fixture(scope="module")
def in_keras(tmp_path_factory, twins, samples) -> Path:
    """model.pt of a small network of Keras that tells the samples from each other."""
    _, network = twins(torch.from_numpy(samples.images()), **NUMBERS)
    path = tmp_path_factory.mktemp("training") / "tiny" / "model.pt"
    info = {
        "task": TASK.name,
        "channels": len(TASK.channels),
        "architecture": "keras_cnn",
        "hyperparameters": NUMBERS,
        "training_data": {"sha256": "0" * 64, "objects": 40, "origin": "e2e simulation", "tracks": None},
        "temperature": 1.25,
    }
    save(path, network, info)
    return path


@pytest.fixture(scope="module")
def exported(in_keras) -> Path:
    path = in_keras.with_name("model.onnx")
    export(in_keras, path, path.with_suffix(".json"), opset=17, ir_version=8)
    return path


@pytest.mark.parametrize("batch", BATCHES)
def test_graph_gives_the_calibrated_scores_of_keras_at_any_batch(in_keras, exported, samples, batch):
    frames = np.resize(samples.images(), (batch, *TASK.shape))
    network, _ = deployed(in_keras)
    with torch.inference_mode():
        expected = [output.numpy() for output in network(torch.from_numpy(frames))]
    found = run(session(exported), frames)
    assert list(found) == ["score", "logit"]
    for one, other in zip(expected, found.values(), strict=True):
        assert one.shape == other.shape == (batch,)
        np.testing.assert_allclose(other, one, atol=1e-5)
    assert batch < 7 or np.ptp(found["score"]) > 1e-3


def test_contract_is_that_of_any_model(exported, samples, tmp_path):
    contract = load_contract(exported)
    assert contract.temperature == 1.25
    assert set(contract.versions) == {"keras", "tensorflow-cpu", "tf2onnx", "onnx"}
    graph = onnx.load(exported)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17)]
    assert graph.ir_version == 8
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert {entry.key for entry in graph.metadata_props} == json.loads(
        exported.with_suffix(".json").read_text()
    ).keys() - {"sha256"}
    table = predict.scores(exported, [samples], tmp_path / "scores.parquet")
    assert len(table) == len(samples)
    assert table.attrs["trained_with"] == contract.trained_with == "Keras"


@pytest.mark.parametrize(("opset", "ir_version"), [(15, 8), (20, 9)])
def test_other_opsets(in_keras, tmp_path, opset, ir_version):
    export(in_keras, tmp_path / "model.onnx", tmp_path / "model.json", opset, ir_version)
    graph = onnx.load(tmp_path / "model.onnx")
    assert (graph.opset_import[0].version, graph.ir_version) == (opset, ir_version)


def test_same_network_gives_the_same_bytes(in_keras, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "git_revision", lambda: load_contract(exported).git_revision)
    again = tmp_path / "tiny" / "model.onnx"
    export(in_keras, again, again.with_suffix(".json"), opset=17, ir_version=8)
    assert again.read_bytes() == exported.read_bytes()


def test_graph_of_another_network_is_caught(in_keras, exported):
    network, _ = deployed(in_keras)
    torch.manual_seed(5)
    network.network = models.build("keras_cnn", TASK, **NUMBERS)
    with pytest.raises(E2EError, match=r"differ by .* in score, .* in logit at batch 1"):
        verify(network, exported)


def test_three_classes_have_a_score_each():
    """By the graph as by Keras, whose gradients PyTorch sees, too; training makes the loss smaller."""
    three = replace(TASK, goal=Classification(("photon", "electron", "pion")))
    torch.manual_seed(0)
    network = Deployed(models.build("keras_cnn", three, widths=[4], blocks=[1], hidden=4), three, 2.0).eval()
    frames = torch.rand(6, *three.shape)
    score, logit = network(frames.requires_grad_())
    assert score.shape == logit.shape == (6, 3)
    torch.testing.assert_close(score.sum(dim=1), torch.ones(6))
    score[:, 1].sum().backward()
    assert frames.grad.any()
    graph = exporting._convert(keras_export.trace(network, 17), 17, 8)
    opened = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (0, 1, 6):
        found = run(opened, frames[:batch].detach().numpy())
        assert found["score"].shape == (batch, 3)
        np.testing.assert_allclose(found["score"], score[:batch].detach(), atol=1e-6)
    model = network.network.model
    optimizer = keras_fit.adamw(model, Settings(1, 6, 0.01, 0.01, 1, 1))
    step = keras_fit.stepper(model, deepcopy(network.network).model, optimizer, 3)
    batch = frames.detach().numpy(), np.float32([0, 1, 2, 0, 1, 2]), np.ones(6, np.float32)
    losses = [float(step(*batch, average_decay(done))) for done in range(5)]
    assert losses[-1] < losses[0]
