"""Candidates and rec hits of frames made by hand."""

import math

import numpy as np
import pytest

from e2e.simulation import reconstruction
from e2e.simulation.reconstruction import CANDIDATES, REDUCED_ENERGY, REDUCED_RADIUS
from e2e.simulation.shower import CELL_ETA, CELL_PHI, COLUMNS, FIRST_PHI, ROWS


def cluster(frame: np.ndarray, row: int, column: int, energy: float) -> None:
    """Half in the seed, the rest in the eight around it."""
    for i in (-1, 0, 1):
        for k in (-1, 0, 1):
            frame[row + i, (column + k) % COLUMNS] += energy * (0.5 if i == k == 0 else 0.0625)


def find(frame: np.ndarray) -> np.ndarray:
    candidates = np.empty((CANDIDATES, 5))
    return candidates[: reconstruction.find_candidates(frame, candidates)]


@pytest.fixture
def frame() -> np.ndarray:
    return np.zeros((ROWS, COLUMNS))


def test_candidates_by_falling_seed(frame: np.ndarray) -> None:
    cluster(frame, 40, 100, 50.0)
    cluster(frame, 120, 280, 60.0)
    found = find(frame)
    assert found[:, :2].tolist() == [[120, 280], [40, 100]]
    assert found[:, 2] == pytest.approx([60.0, 50.0])
    assert found[:, 3] == pytest.approx([(120.5 - 85) * CELL_ETA, (40.5 - 85) * CELL_ETA])
    phi = FIRST_PHI + np.array([280.5, 100.5]) * CELL_PHI
    assert found[:, 4] == pytest.approx((phi + math.pi) % (2 * math.pi) - math.pi)


@pytest.mark.parametrize("column", [0, 1, 358, 359])
def test_supercluster_across_the_seam(frame: np.ndarray, column: int) -> None:
    cluster(frame, 60, column, 40.0)
    cluster(frame, 60, (column + 10) % COLUMNS, 8.0)  # a radiated photon
    found = find(frame)
    assert found[:, :2].tolist() == [[60, column]]
    assert found[0, 2] == pytest.approx(48.0)
    expected = FIRST_PHI + (column + 0.5) * CELL_PHI
    assert math.remainder(found[0, 4] - expected, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_superclusters_share_no_crystal(frame: np.ndarray) -> None:
    cluster(frame, 60, 100, 40.0)
    cluster(frame, 60, 130, 30.0)
    assert find(frame)[:, 2].sum() == pytest.approx(70.0)


def test_soft_deposits_are_no_candidates(frame: np.ndarray) -> None:
    cluster(frame, 84, 50, 9.0)
    cluster(frame, 150, 90, 14.0)  # 14 GeV, but 7.1 GeV across the beam
    assert len(find(frame)) == 0


@pytest.mark.parametrize("row", [0, 1, 168, 169])
def test_seed_at_the_end_of_the_barrel(frame: np.ndarray, row: int) -> None:
    frame[row, 10] = 60.0
    frame[ROWS - 1 - row, 200] = 59.0  # opposite rows must not be taken for neighbours
    found = find(frame)
    assert found[:, :2].tolist() == [[row, 10], [ROWS - 1 - row, 200]]
    assert found[:, 2] == pytest.approx([60.0, 59.0])


def test_rec_hits_near_a_candidate(frame: np.ndarray) -> None:
    cluster(frame, 60, 2, 50.0)
    frame[58, 0] = 0.01  # in 5 x 5: kept however small
    frame[62, 4] = -0.02  # negative: never
    frame[60, 350] = 0.9 * REDUCED_ENERGY
    frame[60, 351] = 1.1 * REDUCED_ENERGY
    far = int(REDUCED_RADIUS / CELL_ETA) + 3
    frame[60 + far, 2] = 3.0
    delay = np.full_like(frame, 0.5)
    index, value, time = (np.empty(ROWS * COLUMNS, kind) for kind in (np.uint32, np.float32, np.float32))
    count = reconstruction.reduce_hits(
        np.random.default_rng(1), frame, delay, find(frame), index, value, time
    )
    kept = np.zeros_like(frame)
    kept.flat[index[:count]] = value[:count]
    expected = np.where(frame > 0, frame, 0.0)
    expected[60, 350] = expected[60 + far, 2] = 0.0
    np.testing.assert_allclose(kept, expected, rtol=1e-6)
    assert (np.diff(index[:count].astype(int)) > 0).all()
    assert time[:count][index[:count] == 60 * COLUMNS + 2] == pytest.approx(0.5, abs=1.0)


def test_no_candidate_no_hits(frame: np.ndarray) -> None:
    frame[:] = 0.2
    index, value, time = (np.empty(ROWS * COLUMNS, kind) for kind in (np.uint32, np.float32, np.float32))
    none = np.empty((0, 5))
    assert reconstruction.reduce_hits(np.random.default_rng(1), frame, frame, none, index, value, time) == 0
