"""Hadrons in the crystals: ionisation along the path, showers with an electromagnetic and a wide part.

After the first interaction, neutral pions develop as photons do from where they are made; what else of the shower
the crystals show, how deep and how wide it is, follows CMSSW's GFlash. Lengths in cm, energies in GeV; sources
of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled
from e2e.simulation.shower import COARSE, CRYSTAL_DEPTH, ENDCAP_DEPTH, add, deposit_particle, place
from e2e.simulation.tracker import ELECTRON_MASS, LIGHT

# Ionisation in lead tungstate (PDG): 0.1535 MeV cm2/g Z/A times density, plasma and excitation energy.
IONISATION = 0.1535e-3 * 0.4131 * 8.28  # GeV / cm
PLASMA_ENERGY, EXCITATION_ENERGY = 53.3e-9, 600.7e-9  # GeV
_PATH_STEP = 1.0  # cm

# Pions: GFlash's interaction length of lead tungstate, CMSSW, SimGeneral/GFlash/interface/GflashNameSpace.h.
PION_INTERACTION_LENGTH = 22.4
# From there, of pions that interact in the crystals, in the form a + b tanh(c (ln E - d)) + e ln E: share of the
# energy that the ECAL shows (pion_emscale), logarithms of alpha and of beta per interaction length of the
# depth's profile (pion_par), median radius at the interaction and its growth in an interaction length, their
# relative spread and its growth (pion_rpar).
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
# Resolution of ECAL and HCAL together for hadrons: arXiv 1706.04965. Of it, what differs between hadrons by
# where they interact makes this; the rest is drawn, where a hadron is nearly all photons for this share at least.
HADRON_STOCHASTIC, HADRON_CONSTANT = 1.10, 0.09
SHARING, LEAST = 0.05, 0.25


@compiled
def _gflash(energy: float, p: tuple[float, float, float, float, float]) -> float:
    log_energy = math.log(energy)
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
    """Hadron at the front face (a row of ``transport``'s arrivals), of velocity ``beta``; see ``deposit_particle``.

    Returns the energies (GeV) that ECAL and HCAL show of it.
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

    delay = at - math.sqrt(x * x + y * y + z * z) / LIGHT
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    cosine, sine = math.cos(phi), math.sin(phi)
    # Along the hadron, and across it, along phi and along theta.
    forward = np.array((cosine / cosh_eta, sine / cosh_eta, sinh_eta / cosh_eta))
    side = np.array((-sine, cosine, 0.0))
    up = np.array((-cosine * sinh_eta / cosh_eta, -sine * sinh_eta / cosh_eta, 1.0 / cosh_eta))
    start = np.array((x, y, z)) + depth * forward

    # Pions of the first interaction share its energy evenly, but for chance; the neutral ones are photons.
    neutral = min(electromagnetic_share(left), ISOSPIN)
    s = 2.0 * NUCLEON_MASS * (left + NUCLEON_MASS)
    charged = 0.88 + 0.44 * math.log(s) + 0.118 * math.log(s) ** 2
    pions = min(1 + rng.poisson(max(1.5 * charged - 1.0, 0.0)), _PIONS)
    parts = np.empty(_PIONS)
    total = 0.0
    for i in range(pions):
        parts[i] = rng.standard_exponential()
        total += parts[i]
    electromagnetic, behind = 0.0, 0.0
    for i in range(pions):
        if rng.random() < neutral:
            part = parts[i] / total * left
            electromagnetic += part
            behind += _neutral_pion(
                rng, cells, time, part, depth, start, forward, side, up, at, endcap
            )
    shown += electromagnetic - behind

    # What the crystals show of the rest, where it is, and what lies behind them.
    rest = left - electromagnetic
    scale = max(left, 1.0)
    share = min(max((_gflash(scale, _SHARE) - neutral) / (1.0 - neutral), 0.0), 1.0)
    to_hcal = hcal_response(left)
    beyond = max(1.0 - ECAL_E_OVER_H * share, 0.0) * to_hcal
    # Photons are measured well: what the whole lacks of the resolution, the rest has.
    hadronic = rest * (share + beyond)
    whole = electromagnetic + hadronic
    width = math.sqrt(resolution(left) ** 2 - SHARING**2)
    fluctuation = _fluctuation(rng, width * whole / max(hadronic, LEAST * whole))
    visible = rest * share * fluctuation
    hcal = rest * beyond * fluctuation + behind / pion_response(CALIBRATION_ENERGY, HCAL_E_OVER_H)
    alpha, beta_depth = math.exp(_gflash(scale, _ALPHA)), math.exp(_gflash(scale, _BETA))
    radius, growth = _gflash(scale, _RADIUS), max(_gflash(scale, _RADIUS_GROWTH), 0.0)
    spread, spread_growth = _gflash(scale, _RADIUS_SPREAD), _gflash(scale, _RADIUS_SPREAD_GROWTH)
    spots = math.ceil(visible / SPOT)
    for _ in range(spots):
        spot = visible / spots
        lengths = rng.standard_gamma(alpha) / beta_depth
        along = lengths * PION_INTERACTION_LENGTH
        if depth + along >= length:
            hcal += spot * ECAL_E_OVER_H * to_hcal
            continue
        # Log-normal of the given mean and relative spread.
        variance = math.log(1.0 + max(spread + spread_growth * lengths, 0.0) ** 2)
        median = (radius + growth * lengths) * math.exp(
            math.sqrt(variance) * rng.standard_normal() - 0.5 * variance
        )
        u = rng.random()
        r, angle = median * math.sqrt(u / (1.0 - u)), 2.0 * math.pi * rng.random()
        a, b = r * math.cos(angle), r * math.sin(angle)
        row, column = place(
            endcap,
            start[0] + along * forward[0] + a * side[0] + b * up[0],
            start[1] + along * forward[1] + a * side[1] + b * up[1],
            start[2] + along * forward[2] + b * up[2],
        )
        add(cells, time, endcap, row, column, spot, delay)
        shown += spot
    return shown, hcal


@compiled
def _neutral_pion(
    rng: np.random.Generator,
    cells: NDArray,
    time: NDArray | None,
    energy: float,
    depth: float,
    start: NDArray,
    forward: NDArray,
    side: NDArray,
    up: NDArray,
    at: float,
    endcap: bool,
) -> float:
    """Both photons of a pion made at ``start``, ``depth`` cm in the crystals; the energy that leaves behind."""
    # Components of a Gaussian transverse momentum of this mean; one side of the decay, which shares energies
    # evenly, but for chance.
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
        across = a + slope * math.cos(angle), b + slope * math.sin(angle)
        # No steeper than 45 degrees: slower pions and photons go anywhere.
        limit = max(math.hypot(across[0], across[1]), 1.0)
        direction = forward + across[0] / limit * side + across[1] / limit * up
        direction /= math.sqrt(np.sum(direction * direction))
        face = start - depth * direction
        photon[0], photon[1], photon[7] = 0.0, part * energy, at
        photon[2:5] = face
        photon[5] = math.atan2(direction[1], direction[0])
        photon[6] = direction[2] / math.hypot(direction[0], direction[1])
        behind += deposit_particle(rng, cells, time, photon, COARSE, endcap, depth)
    return behind
