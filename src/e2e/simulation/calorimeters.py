"""What particles leave in the crystals and towers of barrel and endcaps, and what the calorimeters read out.

Average lateral profiles from tables, sharing between ECAL and HCAL drawn for each hadron. Lengths in cm,
energies in GeV; sources of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2e.geometry import DETECTOR, ENDCAP_ROWS, FIRST_PHI, FIRST_TOWER, TOWER, TOWERS
from e2e.simulation.compile import compiled
from e2e.simulation.ecal import INTERCALIBRATION, NOISE, PHOTOSTATISTICS
from e2e.simulation.pileup import INTERACTION_LENGTH, MIP_ENERGY
from e2e.simulation.shower import (
    CELL_ETA,
    CELL_PHI,
    COLUMNS,
    CRYSTAL_DEPTH,
    MOLIERE_RADIUS,
    RADIATION_LENGTH,
    RADIUS_FACTOR,
    ROWS,
    TILT_ETA,
    TILT_PHI,
    incomplete_gamma,
    mean_profile,
    radial_profile,
)
from e2e.simulation.tracker import ECAL_RADIUS

# Endcaps: the face at |z|; 100 x 100 crystals between |eta| 1.479 and 3: JINST 3 S08004.
ENDCAP_FACE, BARREL_ETA, MAXIMUM_ETA = 315.4, 1.479, 3.0
ENDCAP_CRYSTALS = 100
ENDCAP_PITCH = 2.0 * ENDCAP_FACE / math.sinh(BARREL_ETA) / ENDCAP_CRYSTALS  # 3.0 cm
BARREL_PITCH = ECAL_RADIUS * CELL_PHI

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
# Longitudinal profile of hadronic showers: Bock, Hansl-Kozanecka and Shah, NIM 186 (1981) 533.
BOCK_A, BOCK_A_SLOPE, BOCK_B, BOCK_D, BOCK_D_SLOPE, BOCK_W = 0.6165, 0.3183, 0.2198, 0.9099, 0.0237, 0.4634
# Non-compensation: pi/e = 1 - (1 - h/e) (E / E0)^(m - 1), Groom, NIM A 572 (2007) 633; e/h of ECAL and HCAL
# from CERN/LHCC 97-31. Pions of 50 GeV set the scale of the HCAL: EPJ C 55 (2008) 159.
GROOM_SCALE, GROOM_POWER = 1.0, -0.18
ECAL_E_OVER_H, HCAL_E_OVER_H, CALIBRATION_ENERGY = 1.6, 1.4, 50.0
# Resolution for hadrons: arXiv 1706.04965.
HADRON_STOCHASTIC, HADRON_CONSTANT = 1.10, 0.09
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


# Tables [offsets, offsets, cells, cells]: the shares of the cells around one that is hit off its lower edges.
_OFFSETS, _REACH = 8, 3


def _shares(radii: NDArray, weights: NDArray, shifts: NDArray, pitch: float) -> NDArray[np.float64]:
    """Table of the sum of profiles of ``radii`` (cm) with ``weights``, in cells of ``pitch`` cm.

    The axis of each profile lies ``shifts`` [n, 2] cm off the hit, along rows and columns.
    """
    table = np.zeros((_OFFSETS, _OFFSETS, 2 * _REACH + 1, 2 * _REACH + 1))
    edges = np.arange(-_REACH, _REACH + 2)
    for i in range(_OFFSETS):
        for j in range(_OFFSETS):
            x, y = ((edges - (k + 0.5) / _OFFSETS) * pitch for k in (i, j))
            for radius, weight, shift in zip(radii, weights, shifts, strict=True):
                corners = np.array(
                    [[quadrant(a, b) for b in (y - shift[1]) / radius] for a in (x - shift[0]) / radius]
                )
                table[i, j] += weight * np.diff(np.diff(corners, axis=0), axis=1)
    return table


def _photon_shares(pitch: float) -> NDArray[np.float64]:
    """Shares of an electromagnetic shower of 10 GeV, after hep-ex/0001020, summed over its depth.

    A photon's shower begins 9/7 X0 deep on average, and its axis crosses the tilted crystals, here towards
    larger rows and columns.
    """
    energy, step = 10.0, 1.0
    alpha, maximum = mean_profile(energy)
    beta = (alpha - 1.0) / maximum
    edges = np.arange(0.0, CRYSTAL_DEPTH / RADIATION_LENGTH - 9.0 / 7.0, step)
    shares = np.diff([incomplete_gamma(alpha, beta * t) for t in edges])
    middle = edges[:-1] + 0.5 * step
    behind = RADIATION_LENGTH * (middle - np.average(middle, weights=shares))
    radii, weights, shifts = [], [], []
    for t, share, shift in zip(middle, shares, np.outer(behind, (TILT_ETA, TILT_PHI)), strict=True):
        core, tail, weight = radial_profile(energy, t / maximum)
        radii += [core, tail]
        weights += [share * weight, share * (1.0 - weight)]
        shifts += [shift, shift]
    return _shares(
        np.array(radii) * MOLIERE_RADIUS * RADIUS_FACTOR, np.array(weights), np.array(shifts), pitch
    )


def _hadron_shares(pitch: float) -> NDArray[np.float64]:
    shares = _shares(np.array([HADRON_RADIUS * INTERACTION_LENGTH]), np.ones(1), np.zeros((1, 2)), pitch)
    return shares / shares.sum(axis=(2, 3), keepdims=True)


_BARREL_PHOTON, _BARREL_HADRON = _photon_shares(BARREL_PITCH), _hadron_shares(BARREL_PITCH)
_ENDCAP_PHOTON, _ENDCAP_HADRON = _photon_shares(ENDCAP_PITCH), _hadron_shares(ENDCAP_PITCH)


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
def pion_response(energy: float, e_over_h: float) -> float:
    """Response to a hadron over that to an electron, of a calorimeter with ``e_over_h``."""
    return 1.0 - (1.0 - 1.0 / e_over_h) * (max(energy, 1.0) / GROOM_SCALE) ** GROOM_POWER


@compiled
def hcal_response(energy: float) -> float:
    """Mean energy that the HCAL gives for a hadron of 1 ``energy``, per energy."""
    return pion_response(energy, HCAL_E_OVER_H) / pion_response(CALIBRATION_ENERGY, HCAL_E_OVER_H)


@compiled
def _spread(
    cells: NDArray,
    table: NDArray,
    i: float,
    j: float,
    energy: float,
    wrap: bool,
    leaning: tuple[float, float],
) -> None:
    """Share ``energy`` among the cells around (i, j), after ``table``; columns wrap around, or end.

    Deep inside, a shower is ``leaning`` towards larger (1) or smaller (-1) rows and columns.
    """
    row, column = math.floor(i), math.floor(j)
    down, along = leaning
    i, j = i - row if down > 0.0 else row + 1.0 - i, j - column if along > 0.0 else column + 1.0 - j
    # From a lower edge the distance to it is 1: the last offset.
    share = table[min(int(i * _OFFSETS), _OFFSETS - 1), min(int(j * _OFFSETS), _OFFSETS - 1)]
    rows, columns = cells.shape
    for a in range(max(-_REACH, -row), min(_REACH + 1, rows - row)):
        for b in range(-_REACH, _REACH + 1):
            k = column + b
            if wrap:
                k %= columns
            elif not 0 <= k < columns:
                continue
            cells[row + a, k] += energy * share[int(down * a) + _REACH, int(along * b) + _REACH]


@compiled
def deposit_ecal(
    calorimeters: Calorimeters, x: float, y: float, z: float, energy: float, hadron: bool
) -> None:
    """Shower of ``energy`` GeV in the crystals behind the point (x, y, z) of the ECAL's face.

    Crystals of the barrel lean as ``shower.cell`` says, those of the endcaps towards the beam.
    """
    if abs(z) < ENDCAP_FACE - 1.0:
        row = math.asinh(z / math.hypot(x, y)) / CELL_ETA + ROWS / 2
        column = ((math.atan2(y, x) - FIRST_PHI) / CELL_PHI) % COLUMNS
        if 0.0 <= row < ROWS:
            end = math.copysign(1.0, z)
            table = _BARREL_HADRON if hadron else _BARREL_PHOTON
            _spread(calorimeters.barrel, table, row, column, energy, True, (end, -end))
    else:
        i, j = x / ENDCAP_PITCH + ENDCAP_CRYSTALS / 2, y / ENDCAP_PITCH + ENDCAP_CRYSTALS / 2
        if 0.0 <= i < ENDCAP_CRYSTALS and 0.0 <= j < ENDCAP_CRYSTALS:
            cells = calorimeters.endcaps[1 if z > 0 else 0]
            table = _ENDCAP_HADRON if hadron else _ENDCAP_PHOTON
            _spread(cells, table, i, j, energy, False, (math.copysign(1.0, x), math.copysign(1.0, y)))


@compiled
def deposit_cell(calorimeters: Calorimeters, x: float, y: float, z: float, energy: float) -> None:
    """Ionisation of ``energy`` GeV in the one crystal behind the point (x, y, z) of the ECAL's face."""
    if energy <= 0.0:
        return
    if abs(z) < ENDCAP_FACE - 1.0:
        row = math.floor(math.asinh(z / math.hypot(x, y)) / CELL_ETA + ROWS / 2)
        if 0 <= row < ROWS:
            calorimeters.barrel[row, frame_column(math.atan2(y, x))] += energy
    else:
        i = math.floor(x / ENDCAP_PITCH + ENDCAP_CRYSTALS / 2)
        j = math.floor(y / ENDCAP_PITCH + ENDCAP_CRYSTALS / 2)
        if 0 <= i < ENDCAP_CRYSTALS and 0 <= j < ENDCAP_CRYSTALS:
            calorimeters.endcaps[1 if z > 0 else 0, i, j] += energy


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
def share_hadron(rng: np.random.Generator, energy: float, charged: bool) -> tuple[float, float, bool]:
    """(energy that the ECAL shows, energy that the HCAL shows, whether it showered in the ECAL) of a hadron.

    It interacts after an exponential depth; what of the shower then fits into the crystals follows the mean
    profile of Bock et al., of which the electromagnetic part is drawn for each hadron (flat around its mean).
    """
    depth = -INTERACTION_LENGTH * math.log(1.0 - rng.random())
    share, ionisation = 0.0, 0.0
    showers = depth < CRYSTAL_DEPTH
    if showers:
        behind = CRYSTAL_DEPTH - depth
        log_energy = math.log(max(energy, 1.0))
        a = BOCK_A + BOCK_A_SLOPE * log_energy
        electromagnetic = 2.0 * BOCK_W * rng.random()
        share = electromagnetic * incomplete_gamma(a, BOCK_B * behind / RADIATION_LENGTH)
        share += (1.0 - electromagnetic) * incomplete_gamma(
            a, (BOCK_D - BOCK_D_SLOPE * log_energy) * behind / INTERACTION_LENGTH
        )
    elif charged:
        ionisation = min(MIP_ENERGY, energy)
    ecal = share * energy * pion_response(energy, ECAL_E_OVER_H)
    hcal = (1.0 - share) * (energy - ionisation)
    if hcal > 0.0:
        width = math.hypot(HADRON_STOCHASTIC / math.sqrt(hcal), HADRON_CONSTANT)
        hcal *= hcal_response(energy) * max(1.0 + width * rng.standard_normal(), 0.0)
    return ecal + ionisation, hcal, showers


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
