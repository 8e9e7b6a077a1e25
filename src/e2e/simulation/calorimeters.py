"""What particles leave in the crystals and towers of barrel and endcaps, and what the calorimeters read out.

Showers in the crystals are those of ``shower`` and ``hadrons``. Lengths in cm, energies in GeV; sources of
the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2e.geometry import DETECTOR, ENDCAP_ROWS, FIRST_PHI, FIRST_TOWER, TOWER, TOWERS
from e2e.simulation.compile import compiled
from e2e.simulation.ecal import INTERCALIBRATION, NOISE, PHOTOSTATISTICS
from e2e.simulation.hadrons import deposit_hadron, ionise
from e2e.simulation.shower import (
    CELL_ETA,
    CELL_PHI,
    COARSE,
    COLUMNS,
    CRYSTAL_DEPTH,
    ENDCAP_CRYSTALS,
    ENDCAP_DEPTH,
    ENDCAP_PITCH,
    MAXIMUM_ETA,
    ROWS,
    deposit_particle,
)
from e2e.simulation.tracker import BARREL_END, BARREL_ETA, ENDCAP_FACE

# Edges in |eta| of the towers, and where their phi granularity halves: CMS HCAL TDR, CERN/LHCC 97-31.
# fmt: off
TOWER_EDGES = np.array((
    0.0, 0.087, 0.174, 0.261, 0.348, 0.435, 0.522, 0.609, 0.695, 0.783, 0.870, 0.957, 1.044, 1.131, 1.218,
    1.305, 1.392, 1.479, 1.566, 1.653, 1.740, 1.830, 1.930, 2.043, 2.172, 2.322, 2.500, 2.650, 3.000,
))
# fmt: on
TOWER_ROWS, TOWER_COLUMNS = TOWERS
FINE_TOWERS = 20
TOWER_PHI = 2.0 * math.pi / TOWER_COLUMNS
# Front faces: JINST 3 S08004.
HCAL_RADIUS, HCAL_FACE = 177.0, 388.0
BRASS_INTERACTION_LENGTH = 16.42  # cm, JINST 3 S08004

# Rows 0-54 and 225-279 of a frame are the endcaps: five to a tower, as MLAnalyzer bins them.
FRAME_ROWS = DETECTOR[0]
_OUTER = TOWER_EDGES[TOWER_EDGES >= BARREL_ETA]
ENDCAP_EDGES = np.interp(np.arange(ENDCAP_ROWS + 1) / float(TOWER), np.arange(len(_OUTER)), _OUTER)

# Of the energy of a hadronic shower, 95 % lies within one interaction length of its axis:
# Fabjan and Gianotti, Rev. Mod. Phys. 75 (2003) 1243. Of the profile 2 r R^2 / (r^2 + R^2)^2, R is then
HADRON_RADIUS = math.sqrt(1.0 / 0.95 - 1.0)  # interaction lengths
HCAL_MIP = 2.0  # GeV: a muon through the HCAL, EPJ C 60 (2009) 359

# Noise: a crystal of the endcaps, a tower of the HCAL; and the energies from which on they are read out.
# JINST 3 S08004; CMSSW, RecoEcal/EgammaClusterProducers; CMSSW, RecoLocalCalo/CaloTowersCreator.
ENDCAP_NOISE, TOWER_NOISE = 0.150, 0.200
BARREL_MINIMUM, ENDCAP_MINIMUM = 0.095, 0.300
HB_MINIMUM, HE_MINIMUM = 0.7, 0.8
HB_TOWERS = 16


class Calorimeters(NamedTuple):
    """Energies (GeV): ``barrel`` [170, 360], ``endcaps`` [2, 100, 100] (side, x, y), ``towers`` [56, 72]."""

    barrel: NDArray[np.float64]
    endcaps: NDArray[np.float64]
    towers: NDArray[np.float64]


def empty() -> Calorimeters:
    """Calorimeters without energy."""
    return Calorimeters(
        np.zeros((ROWS, COLUMNS)),
        np.zeros((2, ENDCAP_CRYSTALS, ENDCAP_CRYSTALS)),
        np.zeros((TOWER_ROWS, TOWER_COLUMNS)),
    )


@compiled
def quadrant(x: float, y: float) -> float:
    """Share of the profile R^2 / (pi (r^2 + R^2)^2) between 0 and (x, y), in units of R; odd in both."""
    a, b = math.sqrt(x * x + 1.0), math.sqrt(y * y + 1.0)
    return (x / a * math.atan(y / a) + y / b * math.atan(x / b)) / (2.0 * math.pi)


@compiled
def frame_row(eta: float) -> int:
    """Row of a frame [280, 360] at ``eta``, or -1 beyond the endcaps."""
    if abs(eta) < BARREL_ETA:
        return ENDCAP_ROWS + min(max(math.floor(eta / CELL_ETA + ROWS / 2), 0), ROWS - 1)
    if abs(eta) >= MAXIMUM_ETA:
        return -1
    row = np.searchsorted(ENDCAP_EDGES, abs(eta), "right") - 1
    return ENDCAP_ROWS + ROWS + row if eta > 0 else ENDCAP_ROWS - 1 - row


@compiled
def frame_column(phi: float) -> int:
    """Column of a frame [280, 360] at ``phi``."""
    return math.floor((phi - FIRST_PHI) / CELL_PHI) % COLUMNS


@compiled
def tower_row(eta: float) -> int:
    """Row of a tower [56, 72] at ``eta``, or -1 beyond the endcaps."""
    if abs(eta) >= MAXIMUM_ETA:
        return -1
    row = np.searchsorted(TOWER_EDGES, abs(eta), "right") - 1
    return TOWER_ROWS // 2 + row if eta >= 0 else TOWER_ROWS // 2 - 1 - row


@compiled
def tower_column(phi: float) -> int:
    """Column of a tower [56, 72] at ``phi``: 5 columns of crystals each, as in MLAnalyzer's HBHE_energy."""
    return (math.floor(phi / TOWER_PHI) + FIRST_TOWER) % TOWER_COLUMNS


@compiled
def _crystals(calorimeters: Calorimeters, z: float) -> tuple[NDArray, bool]:
    """The crystals [n] behind a point at ``z`` on the ECAL's face, and whether they are an endcap's."""
    if abs(z) < BARREL_END:
        return calorimeters.barrel.ravel(), False
    return calorimeters.endcaps[1 if z > 0 else 0].ravel(), True


@compiled
def deposit_ecal(rng: np.random.Generator, calorimeters: Calorimeters, arrival: NDArray) -> None:
    """Shower of an electron or photon at the ECAL's face (a row of ``transport``'s arrivals)."""
    cells, endcap = _crystals(calorimeters, arrival[4])
    deposit_particle(rng, cells, None, arrival, COARSE, endcap)


@compiled
def deposit_hadron_ecal(
    rng: np.random.Generator, calorimeters: Calorimeters, arrival: NDArray, beta: float
) -> tuple[float, float]:
    """Hadron of velocity ``beta`` at the ECAL's face; the energies that ECAL and HCAL show of it."""
    cells, endcap = _crystals(calorimeters, arrival[4])
    return deposit_hadron(rng, cells, None, arrival, beta, endcap)


@compiled
def deposit_muon(rng: np.random.Generator, calorimeters: Calorimeters, arrival: NDArray, beta: float) -> None:
    """Ionisation of a muon of velocity ``beta`` in the crystals that it crosses."""
    cells, endcap = _crystals(calorimeters, arrival[4])
    ionise(rng, cells, None, arrival, beta, ENDCAP_DEPTH if endcap else CRYSTAL_DEPTH, endcap)


@compiled
def deposit_hcal(towers: NDArray, eta: float, phi: float, energy: float) -> None:
    """Share ``energy`` GeV among the 3 x 3 towers [56, 72] around (eta, phi) at the HCAL's face.

    What would lie beyond them goes to them in proportion. Towers keep their 5 degrees here; coarse ones are
    merged by ``read_out``.
    """
    row, column = tower_row(eta), tower_column(phi)
    if row < 0:
        return
    # The scale across: cm per unit of eta and phi, over the radius of a shower.
    distance = HCAL_RADIUS if abs(eta) < 1.3 else HCAL_FACE / math.sinh(abs(eta))
    scale = distance / (HADRON_RADIUS * BRASS_INTERACTION_LENGTH)
    shares = np.zeros((3, 3))
    across = (phi - (column - FIRST_TOWER) * TOWER_PHI) % (2.0 * math.pi)
    total = 0.0
    for a in range(3):
        i = row + a - 1
        if not 0 <= i < TOWER_ROWS:
            continue
        low, high = tower_edges(i)
        x0, x1 = (low - eta) * scale, (high - eta) * scale
        for b in range(3):
            y0, y1 = ((b - 1) * TOWER_PHI - across) * scale, (b * TOWER_PHI - across) * scale
            shares[a, b] = quadrant(x1, y1) - quadrant(x0, y1) - quadrant(x1, y0) + quadrant(x0, y0)
            total += shares[a, b]
    for a in range(3):
        for b in range(3):
            if shares[a, b] > 0.0:
                towers[row + a - 1, (column + b - 1) % TOWER_COLUMNS] += energy * shares[a, b] / total


@compiled
def tower_edges(row: int) -> tuple[float, float]:
    """Edges in eta of a row of towers."""
    if row >= TOWER_ROWS // 2:
        return TOWER_EDGES[row - TOWER_ROWS // 2], TOWER_EDGES[row - TOWER_ROWS // 2 + 1]
    return -TOWER_EDGES[TOWER_ROWS // 2 - row], -TOWER_EDGES[TOWER_ROWS // 2 - row - 1]


@compiled
def read_out(rng: np.random.Generator, calorimeters: Calorimeters, ecal: NDArray) -> None:
    """Measure, add noise, suppress small energies; fill the frame ``ecal`` [280, 360] and change the towers.

    The barrel's crystals are those of the frame. An endcap's crystal goes to the cell at its centre, as in
    MLAnalyzer. Two coarse towers of the endcaps share their energy evenly, as there.
    """
    ecal[:] = 0.0
    for i in range(ROWS):
        for j in range(COLUMNS):
            energy = _measured(rng, calorimeters.barrel[i, j], NOISE)
            if energy > BARREL_MINIMUM:
                ecal[ENDCAP_ROWS + i, j] = energy
    for side in range(2):
        for i in range(ENDCAP_CRYSTALS):
            for j in range(ENDCAP_CRYSTALS):
                row, column = _ENDCAP_CELLS[i, j]
                if row < 0:
                    continue
                energy = _measured(rng, calorimeters.endcaps[side, i, j], ENDCAP_NOISE)
                if energy > ENDCAP_MINIMUM:
                    ecal[row if side else FRAME_ROWS - 1 - row, column] += energy
    towers = calorimeters.towers
    for i in range(TOWER_ROWS):
        number = i - TOWER_ROWS // 2 + 1 if i >= TOWER_ROWS // 2 else TOWER_ROWS // 2 - i
        width = 2 if number > FINE_TOWERS else 1
        minimum = HB_MINIMUM if number <= HB_TOWERS else HE_MINIMUM
        for j in range(0, TOWER_COLUMNS, width):
            energy = TOWER_NOISE * rng.standard_normal()
            for k in range(width):
                energy += towers[i, j + k]
            for k in range(width):
                towers[i, j + k] = energy / width if energy > minimum else 0.0


@compiled
def _measured(rng: np.random.Generator, energy: float, noise: float) -> float:
    if energy > 0.0:
        spread = math.hypot(PHOTOSTATISTICS * math.sqrt(energy), INTERCALIBRATION * energy)
        energy = max(energy + spread * rng.standard_normal(), 0.0)
    return energy + noise * rng.standard_normal()


def _endcap_cells() -> NDArray[np.int64]:
    """Cell (row, column) of the frame at the centre of each crystal [100, 100, 2] of the endcap at z > 0."""
    cells = np.full((ENDCAP_CRYSTALS, ENDCAP_CRYSTALS, 2), -1)
    centres = (np.arange(ENDCAP_CRYSTALS) + 0.5 - ENDCAP_CRYSTALS / 2) * ENDCAP_PITCH
    for i, x in enumerate(centres):
        for j, y in enumerate(centres):
            eta = math.asinh(ENDCAP_FACE / math.hypot(x, y))
            if BARREL_ETA <= eta < MAXIMUM_ETA:
                cells[i, j] = frame_row(eta), frame_column(math.atan2(y, x))
    return cells


_ENDCAP_CELLS = _endcap_cells()
