"""A small ntuple of each particle."""

from pathlib import Path

import pytest

from e2e.simulation import pileup_pool
from e2e.simulation.electron_photon import simulate
from e2e.tasks.electron_photon import TASK

EVENTS = 60
SEEDS = {"photon": 11, "electron": 12}


@pytest.fixture(scope="session")
def collisions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of 200 collisions."""
    path = tmp_path_factory.mktemp("pileup") / "pileup.npz"
    pileup_pool.write(path, 200, 1, progress=False)
    return path


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("simulated")
    for particle, seed in SEEDS.items():
        simulate(folder / f"{particle}.root", TASK, particle, 2 * EVENTS, seed, progress=False)
    return {particle: folder / f"{particle}.root" for particle in SEEDS}
