"""Soft particles of other interactions."""

import numpy as np
import pytest

from e2e.simulation import pileup
from e2e.simulation.shower import CELL_ETA, COLUMNS, ROWS
from e2e.simulation.tracker import ARRIVALS


def test_momentum_spectrum() -> None:
    """Mean of arXiv 1005.3299: 0.545 +- 0.016 GeV; the fitted Tsallis function is a little softer."""
    rng = np.random.default_rng(1)
    momenta = np.array([pileup.sample_momentum(rng) for _ in range(50_000)])
    assert momenta.mean() == pytest.approx(0.545, rel=0.08)


def test_energy_density() -> None:
    """Transverse energy per interaction and unit of eta and phi: of the pions that reach the crystals."""
    rng = np.random.default_rng(1)
    arrivals = np.empty((ARRIVALS, 8))
    energy, time = np.zeros(ROWS * COLUMNS), np.zeros(ROWS * COLUMNS)
    interactions = sum(pileup.add_pileup(rng, energy, time, arrivals) for _ in range(40))
    assert interactions == pytest.approx(40 * 21, abs=4 * (40 * 21) ** 0.5)
    across = 1.0 / np.cosh((np.arange(ROWS) + 0.5 - ROWS / 2) * CELL_ETA)
    density = (energy.reshape(ROWS, COLUMNS).sum(1) @ across) / interactions / (ROWS * CELL_ETA * 2 * np.pi)
    photons = pileup.NEUTRAL_PER_ETA * 0.545 / (2 * np.pi)
    # All of the neutral pions, and some of the charged ones: most curl up or leave little.
    assert 0.8 * photons < density < 1.6 * photons
