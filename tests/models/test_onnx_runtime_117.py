"""Every architecture under ONNX Runtime 1.17, that of CMSSW_14_1, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from e2e import models
from e2e.deploy.export import example_frames, export
from e2e.deploy.network import deployed
from e2e.deploy.ties import allowed, near_ties
from e2e.models.saved import save
from e2e.tasks import task

REPOSITORY = Path(__file__).parents[2]

STAGES = {"stem": 4, "widths": [4, 8], "blocks": [1, 1], "hidden": 8}
TOKENS = {"stem": 4, "width": 8, "depth": 2, "heads": 2, "hidden": 8}
GRAPHS = {"points": 40, "neighbours": 6, "width": 8, "hidden": 8}
PAIRS = {"points": 40, "width": 8, "depth": 2, "heads": 2, "pairs": 8, "hidden": 8}
NETWORKS = [
    ("electron_photon", 2, "resnet", {"widths": [4, 8], "blocks": [1, 1]}),
    ("electron_photon", 2, "keras_cnn", {"widths": [4, 8], "blocks": [1, 1]}),
    ("electron_photon", 2, "vit", TOKENS),
    ("electron_photon", 2, "hybrid", STAGES | TOKENS),
    ("quark_gluon", 3, "cnn", STAGES),
    ("quark_gluon", 3, "hybrid", STAGES | TOKENS),
    ("quark_gluon", 3, "particlenet", GRAPHS),
    ("quark_gluon", 3, "gatv2", GRAPHS | {"heads": 2}),
    ("quark_gluon", 3, "particle_transformer", PAIRS),
    ("mass_regression", 4, "cnn", STAGES),
    ("mass_regression", 8, "hybrid", STAGES | TOKENS),
    ("mass_regression", 4, "particlenet", GRAPHS),
    ("tau", 4, "cnn", STAGES),
    ("tau", 4, "particlenet", GRAPHS | {"aggregation": "max"}),
    ("tau", 4, "gatv2", GRAPHS | {"heads": 2}),
]

RUN = """
import sys, numpy, onnxruntime
assert onnxruntime.__version__.startswith("1.17."), onnxruntime.__version__
model, frames, outputs = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
numpy.savez(outputs, **dict(zip(names, session.run(names, {"frames": numpy.load(frames)}))))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def python(tmp_path_factory) -> Path:
    """The interpreter of an environment with that release."""
    folder = tmp_path_factory.mktemp("ort117")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-r", REPOSITORY / "requirements" / "ort117.txt"]
    subprocess.run(install, check=True)
    return python


def test_no_architecture_is_missing():
    assert {architecture for _, _, architecture, _ in NETWORKS} == set(models.architectures())


@pytest.mark.parametrize(("name", "channels", "architecture", "hyperparameters"), NETWORKS)
def test_old_runtime_gives_what_the_network_gives(
    python, make_frames, twins, tmp_path, name, channels, architecture, hyperparameters
):
    of = task(name, channels)
    seen = make_frames(of, 40)
    if architecture == "keras_cnn":
        for module in ("tensorflow", "keras", "tf2onnx"):
            pytest.importorskip(module, reason=f"{module} is not installed: requirements/keras.txt")
        network = twins(seen, **hyperparameters)[1]
    else:
        network = fresh(architecture, of, hyperparameters, seen)
    info = {
        "task": name,
        "channels": channels,
        "architecture": architecture,
        "hyperparameters": hyperparameters,
        "training_data": {"sha256": "0" * 64, "objects": 40, "origin": "e2e simulation", "tracks": None},
        "temperature": 1.25,
    }
    save(tmp_path / "model.pt", network, info)
    contract = export(
        tmp_path / "model.pt", tmp_path / "model.onnx", tmp_path / "model.json", opset=17, ir_version=8
    )

    frames = np.concatenate([seen.numpy(), example_frames(of, 24)])
    np.save(tmp_path / "frames.npy", frames)
    files = [tmp_path / file for file in ("model.onnx", "frames.npy", "outputs.npz")]
    subprocess.run([python, "-c", RUN, *files], check=True)
    found = np.load(files[-1])
    network, _ = deployed(tmp_path / "model.pt")
    with torch.no_grad():
        expected = network(torch.from_numpy(frames))
    differences = {
        output.name: output.difference(found[output.name], value.numpy())
        for output, value in zip(contract.outputs, expected, strict=True)
    }
    wrong = np.any([differences[output.name] > output.tolerance for output in contract.outputs], axis=0)
    if contract.near_ties and 0 < wrong.sum() <= allowed(len(frames)):
        wrong[wrong] = ~near_ties(network, frames[wrong], {name: d[wrong] for name, d in differences.items()})
    assert not wrong.any(), {name: difference.max() for name, difference in differences.items()}
    assert np.ptp(expected[-1].numpy()) > 0.01


def fresh(architecture, of, hyperparameters, frames):
    """A network that has seen the frames, and whose residual branches are not zero."""
    torch.manual_seed(0)
    network = models.build(architecture, of, **hyperparameters)
    with torch.no_grad():
        for weights in network.parameters():
            if not weights.any():
                weights.normal_(0, 0.1)
        for _ in range(5):
            network(frames)
    return network.eval()
