"""A small store of toy showers: electrons have a second cluster beside the seed in phi, and come late."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from e2e.data import store
from e2e.data.split import write_split
from e2e.data.store import Metadata, Samples
from e2e.tasks import Task
from e2e.tasks.electron_photon import TASK


def frames(particle: str, objects: int, seed: int) -> np.ndarray:
    """Toy frames float32 [N, 2, 32, 32] (GeV, ns)."""
    generator = np.random.default_rng(seed)
    eta, phi = np.mgrid[-15:17, -15:17]
    share = np.exp(-2.5 * np.hypot(eta, phi))[None] * generator.uniform(0.8, 1.2, (objects, 32, 32))
    if particle == "electron":
        side = generator.choice([-1, 1], objects)[:, None, None]
        brem = generator.exponential(0.15, (objects, 1, 1))
        share = share + brem * np.exp(-2.5 * np.hypot(eta[None], phi[None] - 5 * side))
    energy = 50 * share / share.sum(axis=(1, 2), keepdims=True)
    energy += generator.exponential(0.03, energy.shape)
    energy[energy < 0.1] = 0
    time = generator.normal(0.05 if particle == "electron" else 0.0, 0.1 + 0.2 / np.maximum(energy, 0.1))
    return np.stack([energy, np.where(energy > 0, time, 0)], axis=1).astype(np.float32)


def samples(particle: str, objects: int, seed: int) -> Samples:
    """Toy objects, two an event, with ``seed`` as run."""
    generator = np.random.default_rng(seed)
    image = frames(particle, objects, seed).reshape(objects, -1)
    owner, index = np.nonzero(image)
    pt, eta = generator.normal(50, 1, objects), generator.uniform(-1.4, 1.4, objects)
    kinematics = {
        "pho_pT": pt,
        "pho_E": pt * np.cosh(eta),
        "pho_eta": eta,
        "pho_phi": generator.uniform(-np.pi, np.pi, objects),
    }
    return Samples(
        sample=np.full(objects, particle),
        run=np.full(objects, seed, np.uint32),
        lumi=np.ones(objects, np.uint32),
        event=np.arange(objects, dtype=np.uint64) // 2 + 1,
        object=np.arange(objects, dtype=np.uint32) % 2,
        target=np.full(objects, float(particle == "electron"), np.float32),
        kinematics={name: column.astype(np.float32) for name, column in kinematics.items()},
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=objects))]),
        index=index.astype(np.uint32),
        value=image[owner, index],
        channels=TASK.channels,
        classes=TASK.classes,
        shape=TASK.shape,
        seed_row=generator.integers(16, 154, objects).astype(np.float32),
        seed_column=generator.integers(360, size=objects).astype(np.float32),
    )


@dataclass
class Toy:
    """Store files, one a particle, and their split."""

    stores: list[Path]
    split: Path


def jets(task: Task, objects: int) -> Samples:
    """Objects of a task of jets: hits about the seed, the farther apart the larger the target."""
    generator = np.random.default_rng(1)
    number = np.arange(objects)
    target = number % 2 if task.classes else generator.uniform(4, 14, objects)
    spread = 2 + 6 * target / target.max()
    owner = np.repeat(number, 40)
    row, column = (62 + generator.normal(0, spread[owner]).astype(int).clip(-60, 60) for _ in range(2))
    channel = generator.integers(len(task.channels), size=len(owner))
    cells = np.unique(np.stack([owner, np.ravel_multi_index((channel, row, column), task.shape)]), axis=1)
    return Samples(
        sample=np.full(objects, "jets"),
        run=np.ones(objects, np.uint32),
        lumi=np.ones(objects, np.uint32),
        event=number.astype(np.uint64) + 1,
        object=np.zeros(objects, np.uint32),
        target=target.astype(np.float32),
        kinematics={
            quantity.name: generator.uniform(1, 2, objects).astype(np.float32) for quantity in task.kinematics
        },
        offsets=np.concatenate([[0], np.cumsum(np.bincount(cells[0], minlength=objects))]),
        index=cells[1].astype(np.uint32),
        value=generator.exponential(1, cells.shape[1]).astype(np.float32),
        channels=task.channels,
        classes=task.classes,
        shape=task.shape,
        seed_row=(5 * generator.integers(13, 43, objects) + 2).astype(np.float32),
        seed_column=(5 * generator.integers(72, size=objects) + 2).astype(np.float32),
    )


def write_stores(folder: Path, task: Task, made: dict[str, Samples]) -> Toy:
    """A store of each of the samples ``made``, and their split."""
    toy = Toy([folder / f"{sample}.parquet" for sample in made], folder / "split.parquet")
    for run, (path, (name, content)) in enumerate(zip(toy.stores, made.items(), strict=True), start=1):
        metadata = Metadata(
            task=task.name,
            sample=name,
            channels=task.channels,
            rows=task.crop.rows,
            columns=task.crop.columns,
            kinematics=task.kinematics,
            classes=task.classes,
            source=f"{name}.root",
            source_sha256=f"{run:064x}",
            origin="e2e simulation",
            rejected={},
        )
        store.write(path, [content], metadata)
    write_split(toy.stores, toy.split, folder / "split.json")
    return toy


def write_toy(folder: Path, objects: int, particles: tuple[str, ...] = ("electron", "photon")) -> Toy:
    """Stores of ``objects`` toy objects a particle."""
    made = {particle: samples(particle, objects, run) for run, particle in enumerate(particles, start=1)}
    return write_stores(folder, TASK, made)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """500 objects a particle."""
    return write_toy(tmp_path_factory.mktemp("toy"), 500)


@pytest.fixture(scope="session")
def toy_frames():
    """Function (particle, objects, seed) -> frames [N, 2, 32, 32]."""
    return frames


@pytest.fixture
def make_jets(tmp_path: Path):
    """Function task -> Toy of 200 jets in this test's own folder."""
    return lambda task: write_stores(tmp_path, task, {"jets": jets(task, 200)})


@pytest.fixture
def make_toy(tmp_path: Path):
    """Function (objects, particles) -> Toy in this test's own folder."""
    return lambda objects, particles=("electron", "photon"): write_toy(tmp_path, objects, particles)


@pytest.fixture
def half_labelled(make_toy):
    """A toy of 60 objects a particle, of which every other event has no truth."""
    toy = make_toy(60)
    for path in toy.stores:
        objects, metadata = store.read(path), store.read_metadata(path)
        objects.target[objects.event % 2 == 0] = np.nan
        store.write(path, [objects], metadata)
    write_split(toy.stores, toy.split, toy.split.with_suffix(".json"))
    return toy


TRAINER = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "devices": 1,
    "seed": 1,
}


@pytest.fixture(scope="session")
def call():
    """Function (toy, folder, **changes of the trainer) -> arguments of ``train`` for a tiny network."""

    def arguments(toy: Toy, folder: Path, **changes) -> tuple[list, dict]:
        outputs = [folder / name for name in ("model.pt", "history.csv")]
        return [toy.stores, toy.split, *outputs], {
            "checkpoints": folder / "checkpoints",
            "task": TASK,
            "architecture": "resnet",
            "network": {"widths": [4, 8], "blocks": [1, 1]},
            "trainer": TRAINER | changes,
            "threads": 1,
            "accelerator": "cpu",
        }

    return arguments


@pytest.fixture(scope="session")
def fit(call):
    """Function (toy, folder, **changes of the trainer) -> model.pt of a tiny network in ``folder``."""
    from e2e.learning.train import train

    def run(toy: Toy, folder: Path, **changes) -> Path:
        outputs, arguments = call(toy, folder, **changes)
        train(*outputs, **arguments)
        return folder / "model.pt"

    return run


@pytest.fixture(scope="session")
def trained(toy: Toy, fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.pt of a tiny network trained on ``toy``."""
    return fit(toy, tmp_path_factory.mktemp("trained"))


SCRIPT = """
import json, sys

from e2e.learning.train import train
from e2e.tasks import task

outputs, arguments = json.loads(sys.argv[1])
train(*outputs, **arguments | {"task": task(arguments["task"])})
"""


@pytest.fixture(scope="session")
def start():
    """Function (arguments of ``call``, folder) -> the same call of ``train`` in a process of its own."""

    def run(arguments: tuple[list, dict], folder: Path) -> subprocess.Popen:
        script = folder / "script.py"
        script.write_text(SCRIPT)
        # Lightning leaves such variables in a process that trained with it.
        left = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")
        environment = {name: value for name, value in os.environ.items() if name not in left}
        outputs, named = arguments
        named = named | {"task": named["task"].name}
        call = [sys.executable, script, json.dumps([outputs, named], default=str)]
        return subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env=environment)

    return run
