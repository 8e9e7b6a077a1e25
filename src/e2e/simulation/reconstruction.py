"""Photon candidates and their rec hits, found in the measured energies only.

Sources of the constants in docs/simulation.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.geometry import FIRST_PHI
from e2e.simulation.compile import compiled
from e2e.simulation.ecal import measure_time
from e2e.simulation.shower import CELL_ETA, CELL_PHI, COLUMNS, ROWS

# Supercluster: strips of 5 crystals in eta, up to 17 to either side in phi (CMS's hybrid algorithm,
# CMSSW, RecoEcal/EgammaClusterProducers; arXiv 1502.02701 section 4.1).
SEED_ENERGY = 1.0  # GeV
HALF_ETA, HALF_PHI = 2, 17
STRIP_MINIMUM = 0.35  # GeV
CANDIDATE_ET = 10.0  # GeV, arXiv 1502.02702
POSITION_W0 = 4.2  # weights of the position: max(0, W0 + log(E / E5x5)), arXiv 1502.02701

# Rec hits that are kept, as in CMS's reduced collection: all in 5 x 5 around a seed, else those above a
# threshold near a candidate (CMSSW, RecoEcal/EgammaClusterProducers, RecoEgamma/EgammaIsolationAlgos).
REDUCED_RADIUS = 0.6
REDUCED_ENERGY = 0.095  # GeV

CANDIDATES = 16


@compiled
def wrap(phi: float) -> float:
    """Angle in [-pi, pi)."""
    return (phi + math.pi) % (2.0 * math.pi) - math.pi


@compiled
def find_candidates(energy: NDArray, candidates: NDArray) -> int:
    """Photon candidates of a frame of measured energies [170, 360], hottest seed first.

    A seed is the hottest crystal outside the superclusters found before. Fills ``candidates``
    [CANDIDATES, 5] with (seed row, seed column, supercluster energy in GeV, eta, phi), eta and phi seen
    from the nominal vertex, and returns their number.
    """
    taken = np.zeros((ROWS, COLUMNS), np.bool_)
    seeds = np.flatnonzero(energy > SEED_ENERGY)
    seeds = seeds[np.argsort(-energy.ravel()[seeds], kind="mergesort")]
    count = 0
    for seed in seeds:
        row, column = seed // COLUMNS, seed % COLUMNS
        if taken[row, column] or count == CANDIDATES:
            continue
        total = 0.0
        for k in range(-HALF_PHI, HALF_PHI + 1):
            strip = 0.0
            j = (column + k) % COLUMNS
            for i in range(max(row - HALF_ETA, 0), min(row + HALF_ETA, ROWS - 1) + 1):
                if not taken[i, j]:
                    strip += energy[i, j]
                    taken[i, j] = True
            if strip > STRIP_MINIMUM or abs(k) <= HALF_ETA:
                total += strip
        eta, phi = _position(energy, row, column)
        if total / math.cosh(eta) > CANDIDATE_ET:
            candidates[count] = (float(row), float(column), total, eta, phi)
            count += 1
    return count


@compiled
def _position(energy: NDArray, row: int, column: int) -> tuple[float, float]:
    """(eta, phi) of the shower in 5 x 5 around the seed, with logarithmic weights."""
    low, high = max(row - 2, 0), min(row + 2, ROWS - 1) + 1
    total = 0.0
    for i in range(low, high):
        for k in range(-2, 3):
            total += max(energy[i, (column + k) % COLUMNS], 0.0)
    weights, eta, phi = 0.0, 0.0, 0.0
    for i in range(low, high):
        for k in range(-2, 3):
            value = energy[i, (column + k) % COLUMNS]
            if value > 0.0:
                weight = max(POSITION_W0 + math.log(value / total), 0.0)
                weights += weight
                eta += weight * (i + 0.5)
                phi += weight * k
    return (
        (eta / weights - ROWS / 2) * CELL_ETA,
        wrap(FIRST_PHI + (column + 0.5 + phi / weights) * CELL_PHI),
    )


@compiled
def reduce_hits(
    rng: np.random.Generator,
    energy: NDArray,
    delay: NDArray,
    candidates: NDArray,
    index: NDArray,
    value: NDArray,
    time: NDArray,
) -> int:
    """Rec hits around ``candidates`` [n, 5], from measured energies and mean delays, both [170, 360].

    Fills ``index`` (row * 360 + column, increasing), ``value`` (GeV, > 0) and ``time`` (ns), all
    [170 * 360], and returns the number of hits.
    """
    keep = np.zeros((ROWS, COLUMNS), np.bool_)
    reach = int(REDUCED_RADIUS / CELL_ETA) + 1
    for n in range(len(candidates)):
        row, column = int(candidates[n, 0]), int(candidates[n, 1])
        eta, phi = candidates[n, 3], candidates[n, 4]
        for i in range(max(row - reach, 0), min(row + reach, ROWS - 1) + 1):
            for k in range(-reach, reach + 1):
                j = (column + k) % COLUMNS
                if max(abs(i - row), abs(k)) <= 2:
                    keep[i, j] = True
                elif energy[i, j] > REDUCED_ENERGY:
                    d_eta = (i + 0.5 - ROWS / 2) * CELL_ETA - eta
                    d_phi = wrap(FIRST_PHI + (j + 0.5) * CELL_PHI - phi)
                    keep[i, j] |= d_eta * d_eta + d_phi * d_phi < REDUCED_RADIUS**2
    count = 0
    for i in range(ROWS):
        for j in range(COLUMNS):
            if keep[i, j] and energy[i, j] > 0.0:
                index[count] = i * COLUMNS + j
                value[count] = energy[i, j]
                time[count] = measure_time(rng, energy[i, j], delay[i, j])
                count += 1
    return count
