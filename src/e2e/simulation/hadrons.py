"""Hadrons in the crystals: ionisation along the path, showers with an electromagnetic and a wide part.

After the first interaction, neutral pions develop as photons do from where they are made; what else of the
shower the crystals show, how deep and how wide it is, follows CMSSW's GFlash. Lengths in cm, energies in GeV;
sources of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled
from e2e.simulation.shower import COARSE, CRYSTAL_DEPTH, ENDCAP_DEPTH, add, deposit_particle, place
from e2e.simulation.tracker import ELECTRON_MASS, LIGHT

# Ionisation in lead tungstate (PDG): 0.1535 MeV cm2/g Z/A times density, plasma and excitation energy.
IONISATION = 0.1535e-3 * 0.4131 * 8.28  # GeV / cm
PLASMA_ENERGY, EXCITATION_ENERGY = 53.3e-9, 600.7e-9  # GeV
_PATH_STEP = 1.0  # cm

Vector = tuple[float, float, float]
Axes = tuple[Vector, Vector, Vector]


class Interaction(NamedTuple):
    """Where and when a hadron interacts in the crystals.

    At ``point``, ``depth`` cm behind the face, which the hadron met ``at`` ns, ``delay`` after light from the
    nominal vertex. ``axes`` point along the hadron and across it, along phi and along theta.
    """

    point: Vector
    axes: Axes
    depth: float
    at: float
    delay: float
    endcap: bool


# Pions: GFlash's interaction length of lead tungstate, CMSSW, SimGeneral/GFlash/interface/GflashNameSpace.h.
PION_INTERACTION_LENGTH = 22.4
# From there, of pions that interact in the crystals, in the form a + b tanh(c (ln E - d)) + e ln E: share of
# the energy that the ECAL shows (pion_emscale), logarithms of alpha and of beta per interaction length of the
# depth's profile (pion_par), median radius (cm) at the interaction and its growth in an interaction length,
# their relative spread and its growth (pion_rpar).
_SHARE = (8.4338e-01, 1.8663e-01, -1.1906e00, 6.8340e-01, -3.1237e-02)
_ALPHA = (5.3763e-01, 3.1128e-01, 1.5000e00, 2.7038e00, 9.7550e-02)
_BETA = (5.8269e00, 5.9630e00, 2.3568e-01, 3.2485e00, -1.2201e00)
_RADIUS = (1.7239e00, 9.3646e-01, -7.6784e-01, 1.6319e00, 0.0)
_RADIUS_GROWTH = (8.0152e00, 1.3573e00, -2.2490e00, 2.0799e00, -9.1649e-01)
_RADIUS_SPREAD = (7.3494e-01, 8.7912e-02, -1.9433e00, 1.2044e00, -3.4421e-02)
_RADIUS_SPREAD_GROWTH = (-2.2025e-01, 7.3525e-02, 3.1836e00, 1.4077e00, 2.3818e-02)
SPOT = 0.2  # GeV: CMSSW, FastSimulation/Calorimetry, HSParameters_cfi.py, eSpotSize

# Electromagnetic share: 1 - (E / E0)^(k - 1), Groom, NIM A 572 (2007) 633; a third of the pions of the first
# interaction are neutral.
GROOM_SCALE, GROOM_POWER = 1.0, -0.18
ISOSPIN = 1.0 / 3.0
# Pions of an interaction: 3/2 times the charged particles of proton-proton collisions at the same
# energy, 0.88 + 0.44 ln s + 0.118 ln^2 s: Thomé et al., Nucl. Phys. B 129 (1977) 365.
NUCLEON_MASS, PION_MASS, NEUTRAL_PION_MASS = 0.938, 0.13957, 0.13498  # GeV, PDG
TRANSVERSE_MOMENTUM = 0.35  # GeV, mean of pions: there
_PIONS = 64

# Non-compensation: e/h of ECAL and HCAL, CERN/LHCC 97-31. Pions of 50 GeV set the scale of the HCAL:
# EPJ C 55 (2008) 159.
ECAL_E_OVER_H, HCAL_E_OVER_H, CALIBRATION_ENERGY = 1.6, 1.4, 50.0
# Resolution of ECAL and HCAL together for hadrons: arXiv 1706.04965. Of it, this comes of where hadrons
# interact; the rest is drawn for what is no photon, as if that were this share of the whole at least.
HADRON_STOCHASTIC, HADRON_CONSTANT = 1.10, 0.09
SHARING, LEAST = 0.05, 0.25


@compiled
def _gflash(energy: float, p: tuple[float, float, float, float, float]) -> float:
    log_energy = math.log(max(energy, 1.0))
    return p[0] + p[1] * math.tanh(p[2] * (log_energy - p[3])) + p[4] * log_energy


@compiled
def electromagnetic_share(energy: float) -> float:
    """Mean share of a hadron's energy that neutral pions carry."""
    return 1.0 - (max(energy, GROOM_SCALE) / GROOM_SCALE) ** GROOM_POWER


@compiled
def pion_response(energy: float, e_over_h: float) -> float:
    """Response to a hadron over that to an electron, of a calorimeter with ``e_over_h``."""
    return 1.0 - (1.0 - 1.0 / e_over_h) * (1.0 - electromagnetic_share(energy))


@compiled
def hcal_response(energy: float) -> float:
    """Mean energy that the HCAL gives for a hadron of 1 ``energy``, per energy."""
    return pion_response(energy, HCAL_E_OVER_H) / pion_response(CALIBRATION_ENERGY, HCAL_E_OVER_H)


@compiled
def resolution(energy: float) -> float:
    """Relative resolution of ECAL and HCAL together for a hadron."""
    return math.hypot(HADRON_STOCHASTIC / math.sqrt(energy), HADRON_CONSTANT)


@compiled
def _fluctuation(rng: np.random.Generator, width: float) -> float:
    """A positive number of mean 1 and standard deviation ``width``."""
    return rng.standard_gamma(1.0 / (width * width)) * width * width


@compiled
def ionisation(rng: np.random.Generator, path: float, beta: float) -> float:
    """Energy that a particle of velocity ``beta`` loses in ``path`` cm of crystal.

    Most probable value of Landau's distribution with the density effect (PDG, Passage of particles through
    matter), fluctuations of Moyal's, Phil. Mag. 46 (1955) 263.
    """
    if path <= 0.0:
        return 0.0
    width = IONISATION * path / (beta * beta)
    slow = math.inf
    if beta < 1.0:
        gamma2 = 1.0 / (1.0 - beta * beta)
        slow = math.log(2.0 * ELECTRON_MASS * beta * beta * gamma2 * width / EXCITATION_ENERGY**2) - beta**2
    fast = math.log(2.0 * ELECTRON_MASS * width / PLASMA_ENERGY**2)
    normal = rng.standard_normal()
    return max(width * (min(slow, fast) + 0.2 - math.log(normal * normal + 1e-12)), 0.0)


@compiled
def ionise(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    arrival: NDArray,
    beta: float,
    path: float,
    endcap: bool,
) -> float:
    """Share what a particle loses over ``path`` cm among the crystals that it crosses; the energy."""
    _, energy, x, y, z, phi, sinh_eta, at = arrival
    lost = min(ionisation(rng, path, beta), energy)
    delay = at - math.sqrt(x * x + y * y + z * z) / LIGHT
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    steps = math.ceil(path / _PATH_STEP)
    for i in range(steps):
        along = (i + 0.5) / steps * path / cosh_eta
        row, column = place(
            endcap, x + along * math.cos(phi), y + along * math.sin(phi), z + along * sinh_eta
        )
        add(cells, time, endcap, row, column, lost / steps, delay)
    return lost


@compiled
def deposit_hadron(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    arrival: NDArray,
    beta: float,
    endcap: bool = False,
) -> tuple[float, float]:
    """Hadron of velocity ``beta`` at the front face (a row of ``transport``'s arrivals), in the crystals.

    ``cells``, ``time`` and ``endcap`` are those of ``deposit_particle``. Returns the energies (GeV) that ECAL
    and HCAL show of it.
    """
    charge, energy, x, y, z, phi, sinh_eta, at = arrival
    length = ENDCAP_DEPTH if endcap else CRYSTAL_DEPTH
    depth = PION_INTERACTION_LENGTH * rng.standard_exponential()
    shown = 0.0
    if charge != 0.0:
        shown = ionise(rng, cells, time, arrival, beta, min(depth, length), endcap)
    left = energy - shown
    if left <= 0.0:
        return shown, 0.0
    if depth >= length:
        return shown, left * hcal_response(left) * _fluctuation(rng, resolution(left))
    # Along the hadron, and across it, along phi and along theta; where it interacts.
    cosh_eta, cosine, sine = math.sqrt(1.0 + sinh_eta * sinh_eta), math.cos(phi), math.sin(phi)
    forward = (cosine / cosh_eta, sine / cosh_eta, sinh_eta / cosh_eta)
    axes = (
        forward,
        (-sine, cosine, 0.0),
        (-cosine * forward[2], -sine * forward[2], 1.0 / cosh_eta),
    )
    delay = at - math.sqrt(x * x + y * y + z * z) / LIGHT
    where = Interaction(_shifted((x, y, z), axes, depth, 0.0, 0.0), axes, depth, at, delay, endcap)
    photons, behind = _interact(rng, cells, time, left, where)
    share, beyond = _mean_rest(left)
    rest = left - photons
    # Photons are measured well: what the whole lacks of the resolution, the rest has.
    hadronic = rest * (share + beyond)
    width = math.sqrt(resolution(left) ** 2 - SHARING**2)
    width *= (photons + hadronic) / max(hadronic, LEAST * (photons + hadronic))
    rest *= _fluctuation(rng, width)
    in_crystals = _spread(rng, cells, time, rest * share, left, length - depth, where)
    to_hcal = (rest * share - in_crystals) * ECAL_E_OVER_H * hcal_response(left)
    to_hcal += behind / pion_response(CALIBRATION_ENERGY, HCAL_E_OVER_H)
    return shown + photons - behind + in_crystals, rest * beyond + to_hcal


@compiled
def _neutral_share(energy: float) -> float:
    """Mean share of a hadron's energy that the neutral pions of its first interaction carry."""
    return min(electromagnetic_share(energy), ISOSPIN)


@compiled
def _mean_rest(energy: float) -> tuple[float, float]:
    """Shares of what is no neutral pion of a hadron that endless crystals and the HCAL show on average."""
    neutral = _neutral_share(energy)
    share = min(max((_gflash(energy, _SHARE) - neutral) / (1.0 - neutral), 0.0), 1.0)
    return share, max(1.0 - ECAL_E_OVER_H * share, 0.0) * hcal_response(energy)


@compiled
def _interact(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    energy: float,
    where: Interaction,
) -> tuple[float, float]:
    """First interaction of ``energy`` GeV; the energies of its neutral pions, and of what leaves them behind.

    Its pions share the energy evenly, but for chance.
    """
    neutral = _neutral_share(energy)
    log_s = math.log(2.0 * NUCLEON_MASS * (energy + NUCLEON_MASS))
    charged = 0.88 + 0.44 * log_s + 0.118 * log_s * log_s
    pions = min(1 + rng.poisson(max(1.5 * charged - 1.0, 0.0)), _PIONS)
    parts = np.empty(_PIONS)
    total = 0.0
    for i in range(pions):
        parts[i] = rng.standard_exponential()
        total += parts[i]
    photons, behind = 0.0, 0.0
    for i in range(pions):
        if rng.random() < neutral:
            part = parts[i] / total * energy
            photons += part
            behind += _neutral_pion(rng, cells, time, part, where)
    return photons, behind


@compiled
def _spread(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    shown: float,
    energy: float,
    length: float,
    where: Interaction,
) -> float:
    """Spots of the wide part of a shower of ``energy`` GeV, which the crystals would show as ``shown`` GeV.

    Of them, returns the energy of those within the crystals, which end ``length`` cm behind the interaction.
    """
    alpha, beta = math.exp(_gflash(energy, _ALPHA)), math.exp(_gflash(energy, _BETA))
    radius, growth = _gflash(energy, _RADIUS), max(_gflash(energy, _RADIUS_GROWTH), 0.0)
    spread, spread_growth = _gflash(energy, _RADIUS_SPREAD), _gflash(energy, _RADIUS_SPREAD_GROWTH)
    spots = math.ceil(shown / SPOT)
    inside = 0
    for _ in range(spots):
        depth = rng.standard_gamma(alpha) / beta  # interaction lengths
        if depth * PION_INTERACTION_LENGTH >= length:
            continue
        # The median radius is log-normal; the density around it is 2 r R^2 / (r^2 + R^2)^2.
        variance = math.log(1.0 + max(spread + spread_growth * depth, 0.0) ** 2)
        r = (radius + growth * depth) * math.exp(math.sqrt(variance) * rng.standard_normal() - 0.5 * variance)
        u = rng.random()
        r, angle = r * math.sqrt(u / (1.0 - u)), 2.0 * math.pi * rng.random()
        along = depth * PION_INTERACTION_LENGTH
        x, y, z = _shifted(where.point, where.axes, along, r * math.cos(angle), r * math.sin(angle))
        row, column = place(where.endcap, x, y, z)
        add(cells, time, where.endcap, row, column, shown / spots, where.delay)
        inside += 1
    return shown * inside / max(spots, 1)


@compiled
def _shifted(point: Vector, axes: Axes, along: float, side: float, up: float) -> Vector:
    """``point`` moved along the axes (forward, side, up)."""
    return (
        point[0] + along * axes[0][0] + side * axes[1][0] + up * axes[2][0],
        point[1] + along * axes[0][1] + side * axes[1][1] + up * axes[2][1],
        point[2] + along * axes[0][2] + side * axes[1][2] + up * axes[2][2],
    )


@compiled
def _neutral_pion(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    energy: float,
    where: Interaction,
) -> float:
    """Photons of a pion that is made there; the energy that leaves the crystals behind."""
    # Components of a transverse momentum of this mean; photons of any share of the energy, as likely.
    sigma = TRANSVERSE_MOMENTUM * math.sqrt(2.0 / math.pi) / energy
    a, b = sigma * rng.standard_normal(), sigma * rng.standard_normal()
    share, angle = rng.random(), 2.0 * math.pi * rng.random()
    opening = NEUTRAL_PION_MASS / energy
    behind = 0.0
    photon = np.empty(8)
    for part, sign in ((share, 1.0), (1.0 - share, -1.0)):
        if part <= 0.0:
            continue
        slope = sign * opening * math.sqrt((1.0 - part) / part)
        side, up = a + slope * math.cos(angle), b + slope * math.sin(angle)
        # Not steeper than 45 degrees: soft photons go anywhere.
        limit = max(math.hypot(side, up), 1.0)
        side, up = side / limit, up / limit
        length = math.sqrt(1.0 + side * side + up * up)
        direction = _shifted((0.0, 0.0, 0.0), where.axes, 1.0 / length, side / length, up / length)
        photon[0], photon[1], photon[7] = 0.0, part * energy, where.at
        for i in range(3):
            photon[2 + i] = where.point[i] - where.depth * direction[i]  # at the face, had it come from there
        photon[5] = math.atan2(direction[1], direction[0])
        photon[6] = direction[2] / math.hypot(direction[0], direction[1])
        behind += deposit_particle(rng, cells, time, photon, COARSE, where.endcap, where.depth)
    return behind
