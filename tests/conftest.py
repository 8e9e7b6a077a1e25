"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import e2e  # noqa: F401  (before ONNX Runtime, whose telemetry it turns off)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn


# A shell without job control starts what goes on in the background with SIGINT ignored, for all its children:
# tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-xdist has a worker for each core: more threads would only wait, spinning, for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real CMS files, from E2E_SHARED; without the variable the test skips."""
    folder = os.environ.get("E2E_SHARED")
    if not folder:  # a user has no such files; .ci/run sets the variable, so that nothing skips there
        pytest.skip("E2E_SHARED is not set: no real CMS files to test on")
    path = Path(folder)
    if not (path / "data").is_dir():
        pytest.fail(f"E2E_SHARED={folder} holds no data/ folder")
    return path


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A tmpfs at ``folder``; where this machine does not let the tests mount one, they skip."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        # A user is not root, and a container's root may not mount; where .ci/run runs they do not skip.
        pytest.skip("mounting a small disk takes root, with the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def full_disk(tmp_path) -> Iterator[Path]:
    """A folder on a disk with room for 64 kB."""
    with mounted(tmp_path / "small", "-o", "size=64k") as folder:
        yield folder


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A folder that even root cannot write to."""
    with mounted(tmp_path / "fixed", "-o", "ro") as folder:
        yield folder


@pytest.fixture(scope="session")
def twins():
    """Function (frames, **hyperparameters) -> a ``resnet``, and the ``keras_cnn`` with the same weights.

    The batch normalisations of the ``resnet`` have seen the frames.
    """
    import torch
    from torch import nn

    from e2e import models
    from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON

    def make(frames: torch.Tensor, **hyperparameters) -> tuple[nn.Module, nn.Module]:
        torch.manual_seed(1)
        network = models.build("resnet", ELECTRON_PHOTON, **hyperparameters)
        normalisations = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        for module in normalisations:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.momentum = 1.0
        network(frames)
        for module in normalisations:
            module.momentum = 0.1
        twin = models.build("keras_cnn", ELECTRON_PHOTON, **hyperparameters)
        twin.model.set_weights(as_keras_has_them(network))
        return network.eval(), twin.eval()

    return make


@pytest.fixture(scope="session")
def keras_weights():
    """Function (resnet) -> its weights as ``keras_cnn`` has them."""
    return as_keras_has_them


def as_keras_has_them(network: nn.Module) -> list[np.ndarray]:
    """Inputs and outputs of a layer come first in PyTorch, and last in Keras."""
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return [
        weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        for name, weight in state.items()
        if not name.endswith("num_batches_tracked")
    ]


THREE_CLASSES = """
from e2e.tasks.goals import Classification
from e2e.tasks.jets import jet_task

TASK = jet_task("{}", Classification(("b", "c", "light")))
"""


@pytest.fixture
def add_task(tmp_path_factory, monkeypatch):
    """Function (name, called=name) that adds the file of a task of three classes to the package."""
    from e2e import tasks

    folder = tmp_path_factory.mktemp("tasks")
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "__path__", [*tasks.__path__, str(folder)])

        def add(name: str, called: str | None = None) -> None:
            (folder / f"{name}.py").write_text(THREE_CLASSES.format(called or name))
            tasks.every.cache_clear()

        yield add
    for path in folder.glob("*.py"):
        sys.modules.pop(f"e2e.tasks.{path.stem}", None)
    tasks.every.cache_clear()
