"""Simulated ntuples: reproducible, complete, and blind to the truth."""

import math
from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e.data.ntuple import check
from e2e.errors import E2EError
from e2e.simulation.electron_photon import MATCHING_RADIUS, match, simulate
from e2e.simulation.reconstruction import CANDIDATES, find_candidates
from e2e.tasks.electron_photon import TASK

from .conftest import EVENTS, SEEDS

ROWS, COLUMNS = TASK.detector


@pytest.fixture(scope="module", params=list(SEEDS))
def particle(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def arrays(simulated: dict[str, Path], particle: str) -> dict[str, np.ndarray]:
    with uproot.open(simulated[particle]) as file:
        return file["fevt/RHTree"].arrays(library="np")


def test_same_bytes_in_two_directories(tmp_path: Path, simulated: dict[str, Path]) -> None:
    path = simulated["electron"]
    simulate(tmp_path / path.name, TASK, "electron", 2 * EVENTS, SEEDS["electron"], progress=False)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    simulate(tmp_path / path.name, TASK, "electron", 2 * EVENTS, SEEDS["electron"] + 1, progress=False)
    assert (tmp_path / path.name).read_bytes() != path.read_bytes()


def test_a_valid_ntuple(simulated: dict[str, Path], particle: str) -> None:
    ntuple = check(simulated[particle], TASK)
    assert ntuple.entries == EVENTS
    assert ntuple.origin == "e2e simulation"


def test_identity_and_generation(arrays: dict[str, np.ndarray], particle: str) -> None:
    assert set(arrays["runId"]) == {SEEDS[particle]}
    assert set(arrays["lumiId"]) == {1}
    assert arrays["eventId"].tolist() == list(range(1, EVENTS + 1))
    codes = np.concatenate(arrays["gen_pdgId"])
    real = codes != 0
    assert set(codes[real]) == ({22.0} if particle == "photon" else {-11.0, 11.0})
    assert real.sum() > 1.9 * EVENTS
    assert (np.concatenate(arrays["gen_pt"])[real] == 50.0).all()
    assert (abs(np.concatenate(arrays["gen_eta"])) <= 1.4).all()
    ratio = np.concatenate(arrays["pho_pT"])[real] / 50.0
    # Vertex spread moves eta, and with it the transverse momentum seen from the nominal vertex.
    assert np.median(ratio) == pytest.approx(0.97, abs=0.02)


def test_seeds_are_hottest_and_follow_from_the_energies_alone(arrays: dict[str, np.ndarray]) -> None:
    found = np.empty((CANDIDATES, 5))
    for frame, rows, columns in zip(arrays["EB_energy"], arrays["SC_ieta"], arrays["SC_iphi"], strict=True):
        frame = frame.reshape(ROWS, COLUMNS).astype(float)
        count = find_candidates(frame, found)
        assert found[:count, :2].tolist() == np.stack([rows, columns], 1).tolist()
        for row, column in zip(rows.astype(int), columns.astype(int), strict=True):
            near = frame[max(row - 2, 0) : row + 3][:, np.arange(column - 2, column + 3) % COLUMNS]
            assert frame[row, column] == near.max()


def test_time_only_where_there_is_energy(arrays: dict[str, np.ndarray]) -> None:
    energy, time = np.stack(arrays["EB_energy"]), np.stack(arrays["EB_time"])
    assert energy.shape == (EVENTS, ROWS * COLUMNS)
    assert (energy >= 0).all()
    assert not time[energy == 0].any()
    assert abs(time[energy > 5]).max() < 2.0
    assert 60 < (energy > 0).sum(1).mean() < 600  # reduced rec hits: not the whole detector's noise


def test_truth_of_the_tracker(arrays: dict[str, np.ndarray], particle: str) -> None:
    brem, conversion = np.concatenate(arrays["gen_fbrem"]), np.concatenate(arrays["gen_rconv"])
    if particle == "photon":
        assert not brem.any()
        assert 0.2 < (conversion > 0).mean() < 0.7
        assert conversion.max() < 129.0
    else:
        assert not conversion.any()
        assert ((brem >= 0) & (brem <= 1)).all()
        assert 0.3 < brem.mean() < 0.75


def test_match() -> None:
    candidates = np.array([[0.0, 3.1], [0.5, 1.0], [0.52, 1.0], [1.0, -1.0]])
    particles = np.array([[0.0, -math.pi + 0.01], [0.53, 1.0]])
    # Across pi; the nearer of two candidates; none within reach.
    assert match(candidates, particles).tolist() == [0, -1, 1, -1]
    assert match(particles + np.array([0.0, 1.01 * MATCHING_RADIUS]), particles).tolist() == [-1, -1]
    assert match(np.empty((0, 2)), particles).tolist() == []


@pytest.mark.parametrize(
    ("particle", "objects", "seed", "message"),
    [
        ("muon", 1, 1, "unknown particle 'muon'; choose one of: photon, electron"),
        ("photon", -1, 1, "give objects >= 0"),
        ("photon", 1, 2**32, "give .* seed < 2"),
    ],
)
def test_bad_arguments(tmp_path: Path, particle: str, objects: int, seed: int, message: str) -> None:
    with pytest.raises(E2EError, match=f"a.root: .*{message}"):
        simulate(tmp_path / "a.root", TASK, particle, objects, seed, progress=False)
    assert list(tmp_path.iterdir()) == []
