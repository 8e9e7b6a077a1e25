"""Soft particles of other interactions."""

import math

import numpy as np
import pytest
from scipy import integrate

from e2e.simulation import pileup
from e2e.simulation.detector import NOMINAL
from e2e.simulation.shower import CELL_ETA, COLUMNS, ROWS
from e2e.simulation.tracker import ARRIVALS


def test_momentum_spectrum() -> None:
    """Mean of arXiv 1005.3299: 0.545 +- 0.016 GeV; the fitted Tsallis function is a little softer."""
    rng = np.random.default_rng(1)
    momenta = np.array([pileup.sample_momentum(rng) for _ in range(50_000)])
    assert momenta.mean() == pytest.approx(0.545, rel=0.08)


def test_tail_of_the_momentum_spectrum() -> None:
    """The share of pions above a tabulated momentum, from the integral of the fitted function."""

    def density(pt: float) -> float:
        return pt * (1.0 + (math.hypot(pt, 0.13957) - 0.13957) / (6.6 * 0.145)) ** -6.6

    total = integrate.quad(density, 0.0, 50.0, limit=200)[0]
    for units in (1, 5, 9, 13):
        pt = pileup._MOMENTA[units * pileup._STEPS_PER_UNIT]
        above = integrate.quad(density, pt, np.inf, limit=200)[0]
        assert above / total == pytest.approx(math.exp(-units), rel=0.01)


def test_energy_density() -> None:
    """Transverse energy per interaction and unit of eta and phi: of the pions that reach the crystals."""
    rng = np.random.default_rng(1)
    rows = np.empty((2, ARRIVALS, 8))
    energy, time = np.zeros(ROWS * COLUMNS), np.zeros(ROWS * COLUMNS)
    interactions = sum(pileup.add_pileup(rng, energy, time, NOMINAL, *rows) for _ in range(40))
    assert interactions == pytest.approx(40 * 21, abs=4 * (40 * 21) ** 0.5)
    across = 1.0 / np.cosh((np.arange(ROWS) + 0.5 - ROWS / 2) * CELL_ETA)
    density = (energy.reshape(ROWS, COLUMNS).sum(1) @ across) / interactions / (ROWS * CELL_ETA * 2 * np.pi)
    photons = pileup.NEUTRAL_PER_ETA * 0.545 / (2 * np.pi)
    # All of the neutral pions, and some of the charged ones: most curl up or leave little.
    assert 0.8 * photons < density < 1.6 * photons
