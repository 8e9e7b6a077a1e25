"""A small network with weights of its own, its export, and an ntuple of showers to run it on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from e2e import models
from e2e.data import store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.deploy.export import export
from e2e.models.saved import save
from e2e.tasks.electron_photon import TASK

ROWS, COLUMNS = TASK.detector


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """model.pt of a small residual network whose batch normalisation is not that of a fresh one."""
    torch.manual_seed(3)
    hyperparameters = {"widths": [4, 8], "blocks": [1, 1]}
    network = models.build("resnet", TASK, **hyperparameters)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = tmp_path_factory.mktemp("training") / "tiny" / "model.pt"
    info = {
        "task": TASK.name,
        "channels": len(TASK.channels),
        "architecture": "resnet",
        "hyperparameters": hyperparameters,
        "training_data": {
            "sha256": "0" * 64,
            "objects": 40,
            "origin": "e2e simulation",
            "tracks": None,
            "orientation": "outward",
        },
    }
    save(path, network, info)
    return path


@pytest.fixture(scope="session")
def model(trained) -> Path:
    """model.onnx, with model.json beside it."""
    path = trained.with_name("model.onnx")
    export(trained, path, path.with_suffix(".json"), opset=17, ir_version=8)
    return path


def shower(
    generator: np.random.Generator, energy: np.ndarray, time: np.ndarray, row: int, column: int
) -> None:
    """Add a shower of 50 GeV around a crystal, wider in phi than in eta, with a time in each crystal hit."""
    for _ in range(60):
        i = np.clip(row + round(generator.normal(scale=1.0)), 0, ROWS - 1)
        j = (column + round(generator.normal(scale=2.5))) % COLUMNS
        energy[i, j] += generator.exponential(0.8)
        time[i, j] = generator.normal(scale=0.4)
    energy[row, column] += 20


@pytest.fixture(scope="session")
def ntuple(tmp_path_factory) -> Path:
    """20 events of two showers each; the second shower of event 3 is too near the end of the barrel."""
    generator = np.random.default_rng(5)
    events = []
    for number in range(20):
        energy, time = np.zeros((2, ROWS, COLUMNS), np.float32)
        rows = generator.integers(20, 150, 2)
        columns = np.array([generator.integers(0, 30), generator.integers(150, 359)])
        if number == 3:
            rows[1] = 5
        for row, column in zip(rows, columns, strict=True):
            shower(generator, energy, time, row, column)
        objects = {"SC_ieta": rows, "SC_iphi": columns, "pho_pT": [50, 50], "pho_E": [60, 60]}
        objects |= {"pho_eta": 0.0174 * (rows - 84.5), "pho_phi": np.radians(columns - 9.5)}
        objects |= {"gen_pdgId": [22, 11], "gen_pt": [50, 50]}
        objects |= {"gen_eta": [0.1, 0.2], "gen_phi": [1, 2], "gen_m": [0, 0]}
        objects = {name: np.asarray(values, np.float32) for name, values in objects.items()}
        events.append(Event(7, 1, number + 1, {"EB_energy": energy, "EB_time": time}, objects))
    path = tmp_path_factory.mktemp("ntuples") / "showers.root"
    write_ntuple(path, events, task=TASK)
    return path


@pytest.fixture(scope="session")
def samples(ntuple, tmp_path_factory) -> store.Samples:
    """The 39 objects of the ntuple that fit in the barrel."""
    path = tmp_path_factory.mktemp("store") / "showers.parquet"
    convert(TASK, ntuple, path, progress=False)
    return store.read(path)
