"""A small ntuple of each particle."""

from pathlib import Path

import pytest

from e2e.simulation.electron_photon import simulate

EVENTS = 60
SEEDS = {"photon": 11, "electron": 12}


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("simulated")
    for particle, seed in SEEDS.items():
        simulate(folder / f"{particle}.root", particle, EVENTS, seed, progress=False)
    return {particle: folder / f"{particle}.root" for particle in SEEDS}
