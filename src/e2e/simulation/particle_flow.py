"""Jets from tracks and from what the calorimeters hold beyond them, and the seeds of their images.

After the energy flow of Delphes 3 (arXiv 1307.6346), tower by tower; nothing but measured quantities enters.
Momenta in GeV; sources of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from functools import cache

import fastjet
import numpy as np
from numpy.typing import NDArray

from e2e.simulation.calorimeters import (
    FIRST_TOWER,
    FRAME_ROWS,
    TOWER_COLUMNS,
    TOWER_NOISE,
    TOWER_PHI,
    TOWER_ROWS,
    deposit_hcal,
    tower_column,
    tower_edges,
    tower_row,
)
from e2e.simulation.compile import compiled
from e2e.simulation.crossing import (
    ECAL_ETA,
    ECAL_PHI,
    HCAL_ETA,
    HCAL_PHI,
    TRACK_DZ,
    TRACK_ETA,
    TRACK_PHI,
    TRACK_PT,
    Frames,
)
from e2e.simulation.generator import CHARGE, ENERGY, PX, PY, PZ
from e2e.simulation.hadrons import deposit_hadron, hcal_response
from e2e.simulation.shower import COLUMNS, ROWS
from e2e.simulation.tracker import ECAL_RADIUS

# Tracks further away along the beam belong to other vertices: charged-hadron subtraction, arXiv 1706.04965.
VERTEX_DISTANCE = 0.2  # cm
# Energy beyond the tracks makes a neutral particle if it exceeds its resolution: arXiv 1706.04965.
SIGNIFICANCE = 1.0
NEUTRAL_MINIMUM = 0.5  # GeV: the CMS card of Delphes 3
# Pileup density: the median of cells of about 0.5 x 0.5 within |eta| < 2.5, FastJet manual, arXiv 1111.6097.
_DENSITY_ETA, _DENSITY_ROWS, _DENSITY_COLUMNS = 2.5, 10, 12

# Seeds as MLAnalyzer finds them: the hottest of 7 x 7 towers, at least 12 towers from the end of the HCAL.
SEED_REACH, SEED_PADDING = 3, 12

# Columns of a jet, and of its seed in the towers under the ECAL (row, column); of a jet of particles.
JET_PT, JET_ETA, JET_PHI, JET_MASS, SEED_ROW, SEED_COLUMN = range(6)
JET_CHARGED, JET_WIDTH, JET_PTD = range(4, 7)
CHARGED_MINIMUM = 0.5  # GeV: arXiv 1602.00988

_CANDIDATES = 8000

fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)  # it would break into the progress bars


def find_jets(frames: Frames, tracks: NDArray, radius: float, minimum: float) -> NDArray[np.float64]:
    """Jets [n, 6] above ``minimum`` GeV whose image lies in the detector, hardest first.

    Anti-kT jets of ``radius`` from the tracks [m, 9] of the primary vertex and neutral towers, from which the
    density of pileup is subtracted.
    """
    candidates = np.empty((_CANDIDATES, 4))
    number = reconstruct(frames, tracks, *_mean_hadron(), candidates)
    candidates = candidates[:number]
    density = pileup_density(candidates)
    found = fastjet.ClusterSequence(
        [fastjet.PseudoJet(*momentum) for momentum in candidates.tolist()],
        fastjet.JetDefinition(fastjet.antikt_algorithm, radius),
    )
    jets = []
    for jet in found.inclusive_jets(minimum):
        scale = 1.0 - density * math.pi * radius**2 / jet.pt()
        if scale * jet.pt() < minimum:
            continue
        row, column = find_seed(frames.calorimeters.towers, jet.eta(), jet.phi())
        if SEED_PADDING <= row < TOWER_ROWS - SEED_PADDING:
            mass = math.sqrt(max(jet.m2(), 0.0))
            jets.append((scale * jet.pt(), jet.eta(), jet.phi_std(), scale * mass, row, column))
    return np.array(sorted(jets, reverse=True)).reshape(-1, 6)


def particle_jets(particles: NDArray[np.float64], radius: float, minimum: float) -> NDArray[np.float64]:
    """True jets [n, 7] of generated ``particles``, without pileup, above ``minimum`` GeV.

    JET_CHARGED counts charged particles above 0.5 GeV. JET_WIDTH is the mean distance of the particles from
    the axis, weighted with their transverse momenta pT; JET_PTD is sqrt(sum pT^2) / sum pT of JME-13-002.
    """
    found = fastjet.ClusterSequence(
        [_indexed(i, momentum) for i, momentum in enumerate(particles[:, PX : ENERGY + 1].tolist())],
        fastjet.JetDefinition(fastjet.antikt_algorithm, radius),
    )
    jets = []
    for jet in found.inclusive_jets(minimum):
        of_jet = particles[[one.user_index() for one in jet.constituents()]]
        pt = np.hypot(of_jet[:, PX], of_jet[:, PY])
        charged = np.count_nonzero((of_jet[:, CHARGE] != 0) & (pt > CHARGED_MINIMUM))
        d_eta = np.arcsinh(of_jet[:, PZ] / pt) - jet.eta()
        d_phi = np.angle(np.exp(1j * (np.arctan2(of_jet[:, PY], of_jet[:, PX]) - jet.phi())))
        width = np.average(np.hypot(d_eta, d_phi), weights=pt)
        mass = math.sqrt(max(jet.m2(), 0.0))
        disorder = math.sqrt(np.sum(pt**2)) / pt.sum()
        jets.append((jet.pt(), jet.eta(), jet.phi_std(), mass, charged, width, disorder))
    return np.array(jets).reshape(-1, 7)


def _indexed(index: int, momentum: list[float]) -> fastjet.PseudoJet:
    pseudojet = fastjet.PseudoJet(*momentum)
    pseudojet.set_user_index(index)
    return pseudojet


@compiled
def find_seed(towers: NDArray, eta: float, phi: float) -> tuple[int, int]:
    """Row and column of the hottest tower around a direction.

    Without energy there, the tower of the direction itself; row -1 beyond the HCAL.
    """
    middle, column = tower_row(eta), tower_column(phi)
    row, best = middle, 0.0
    found = column
    if middle >= 0:
        best = towers[middle, column]
        for i in range(max(middle - SEED_REACH, 0), min(middle + SEED_REACH + 1, TOWER_ROWS)):
            for k in range(column - SEED_REACH, column + SEED_REACH + 1):
                if towers[i, k % TOWER_COLUMNS] > best:
                    best = towers[i, k % TOWER_COLUMNS]
                    row, found = i, k % TOWER_COLUMNS
    return row, found


@compiled
def reconstruct(
    frames: Frames,
    tracks: NDArray,
    energies: NDArray,
    mean: NDArray,
    spread: NDArray,
    candidates: NDArray,
) -> int:
    """Fill ``candidates`` [n, 4] (px, py, pz, E), all massless, and return their number.

    Of each tower's energy, what the tracks pointing to it are expected to leave is subtracted: ``mean``
    [k, 2] in ECAL and HCAL, with the ``spread`` [k] of the sum, for hadrons of ``energies`` [k]. What is left
    lies where the energy in the crystals does, and in the middle of the tower as far as the HCAL saw it.
    """
    ecal = np.zeros((TOWER_ROWS, TOWER_COLUMNS))
    across, along = np.zeros_like(ecal), np.zeros_like(ecal)  # energy times place in the tower, 0 to 1
    for i in range(FRAME_ROWS):
        for j in range(COLUMNS):
            if frames.ecal[i, j] > 0.0:
                row, column = i // 5, j // 5
                ecal[row, column] += frames.ecal[i, j]
                across[row, column] += frames.ecal[i, j] * (i % 5 + 0.5) / 5.0
                along[row, column] += frames.ecal[i, j] * (j % 5 + 0.5) / 5.0
    expected_ecal, expected_hcal, variance = np.zeros_like(ecal), np.zeros_like(ecal), np.zeros_like(ecal)
    count = 0
    for track in tracks:
        pt, eta = track[TRACK_PT], track[TRACK_ETA]
        momentum = pt * math.cosh(eta)
        at = np.searchsorted(energies, momentum)
        at = min(max(at, 1), len(energies) - 1)
        share = min((momentum - energies[at - 1]) / (energies[at] - energies[at - 1]), 1.0)
        row, column = tower_row(track[ECAL_ETA]), tower_column(track[ECAL_PHI])
        if row >= 0:
            expected_ecal[row, column] += mean[at - 1, 0] + share * (mean[at, 0] - mean[at - 1, 0])
            variance[row, column] += (spread[at - 1] + share * (spread[at] - spread[at - 1])) ** 2
            hcal = mean[at - 1, 1] + share * (mean[at, 1] - mean[at - 1, 1])
            deposit_hcal(expected_hcal, track[HCAL_ETA], track[HCAL_PHI], hcal)
        if abs(track[TRACK_DZ]) < VERTEX_DISTANCE and count < len(candidates):
            phi = track[TRACK_PHI]
            candidates[count] = (pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta), momentum)
            count += 1
    towers = frames.calorimeters.towers
    for i in range(TOWER_ROWS):
        low, high = tower_edges(i)
        for j in range(TOWER_COLUMNS):
            light, heavy = ecal[i, j] - expected_ecal[i, j], towers[i, j] - expected_hcal[i, j]
            if light + heavy < SIGNIFICANCE * math.sqrt(variance[i, j] + TOWER_NOISE**2):
                continue
            light, heavy = max(light, 0.0), max(heavy, 0.0)
            energy = light + heavy / hcal_response(max(heavy, 1.0))
            if energy <= NEUTRAL_MINIMUM or count == len(candidates):
                continue
            in_crystals, x, y = light / energy, 0.5, 0.5
            if light > 0.0:
                x += in_crystals * (across[i, j] / ecal[i, j] - 0.5)
                y += in_crystals * (along[i, j] / ecal[i, j] - 0.5)
            eta, phi = low + x * (high - low), (j - FIRST_TOWER + y) * TOWER_PHI
            pt = energy / math.cosh(eta)
            candidates[count] = (pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta), energy)
            count += 1
    return count


def pileup_density(candidates: NDArray[np.float64]) -> float:
    """Median transverse momentum per unit of area (GeV) of candidates [n, 4]."""
    px, py, pz, _ = candidates.T
    pt = np.hypot(px, py)
    cells, _, _ = np.histogram2d(
        np.arcsinh(pz / pt),
        np.arctan2(py, px),
        bins=(_DENSITY_ROWS, _DENSITY_COLUMNS),
        range=((-_DENSITY_ETA, _DENSITY_ETA), (-np.pi, np.pi)),
        weights=pt,
    )
    area = 2.0 * _DENSITY_ETA * 2.0 * math.pi / cells.size
    return float(np.median(cells)) / area


@cache
def _mean_hadron() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Energies of charged hadrons [k], what they leave on average [k, 2], and the spread of its sum [k]."""
    energies = np.geomspace(0.5, 1000.0, 24)
    shown = np.empty((len(energies), 1000, 2))
    draw_hadrons(np.random.default_rng(0), energies, shown)
    return energies, shown.mean(axis=1), shown.sum(axis=2).std(axis=1)


@compiled
def draw_hadrons(rng: np.random.Generator, energies: NDArray, shown: NDArray) -> None:
    """Fill ``shown`` [k, n, 2] with what ECAL and HCAL show of charged hadrons of ``energies`` [k]."""
    cells = np.zeros(ROWS * COLUMNS)
    arrival = np.zeros(8)
    for i in range(len(energies)):
        for k in range(shown.shape[1]):
            arrival[:3] = 1.0, energies[i], ECAL_RADIUS
            shown[i, k] = deposit_hadron(rng, cells, None, arrival, 1.0)
