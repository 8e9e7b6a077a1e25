"""The other proton-proton interactions of a bunch crossing, as soft photons and hadrons in the barrel.

Spectra are measured ones. Approximations are that all charged hadrons are pions, that interactions differ by
Poisson fluctuations only (docs/simulation.md).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled
from e2e.simulation.detector import Detector
from e2e.simulation.hadrons import NEUTRAL_PION_MASS, PION_MASS, deposit_hadron
from e2e.simulation.shower import COARSE, deposit_particle
from e2e.simulation.tracker import BARREL_END, ECAL_RADIUS, LIGHT, Z, arc, move, transport

# Beam spot, with the time spread of CMSSW's BetafuncEvtVtxGenerator: SigmaZ / c.
# CMSSW, IOMC/EventVertexGenerators, Realistic8TeV2012Collision.
VERTEX_SIGMA = 4.8  # cm
CHARGED_PER_ETA = 5.78  # arXiv 1005.3299, 7 TeV, |eta| < 0.5, non-single-diffractive
PION_FRACTION = 0.83  # of charged hadrons, arXiv 1207.4724; half as many neutral pions as charged ones
NEUTRAL_PER_ETA = 0.5 * PION_FRACTION * CHARGED_PER_ETA
MAXIMUM_ETA = 1.6  # 0.12 beyond the barrel, 1.4 cosh(eta) standard deviations of the vertex


# Momenta are tabulated in equal steps of -log of the share of pions above, which is smooth in the tail, too.
_STEPS_PER_UNIT, _UNITS = 200, 18


def _momentum_table() -> NDArray[np.float64]:
    """Transverse momenta (GeV) above which lie shares exp(-i / _STEPS_PER_UNIT) of the pions.

    Tsallis spectrum of arXiv 1005.3299: dN/dpT ~ pT (1 + (sqrt(pT^2 + m^2) - m) / (n T))^-n with
    T = 0.145 GeV, n = 6.6.
    """
    pt = np.concatenate([[0.0], np.geomspace(1e-4, 1e3, 20_000)])
    transverse = np.hypot(pt, PION_MASS) - PION_MASS
    density = pt * (1.0 + transverse / (6.6 * 0.145)) ** -6.6
    above = np.cumsum((0.5 * (density[1:] + density[:-1]) * np.diff(pt))[::-1])[::-1]
    shares = np.arange(_UNITS * _STEPS_PER_UNIT + 2) / _STEPS_PER_UNIT
    return np.interp(shares, -np.log(above / above[0]), pt[:-1])


_MOMENTA = _momentum_table()


@compiled
def sample_momentum(rng: np.random.Generator) -> float:
    """Transverse momentum (GeV) of a soft pion."""
    place = min(rng.standard_exponential(), float(_UNITS)) * _STEPS_PER_UNIT
    i = int(place)
    return _MOMENTA[i] + (place - i) * (_MOMENTA[i + 1] - _MOMENTA[i])


@compiled
def add_pileup(
    rng: np.random.Generator,
    energy: NDArray,
    time: NDArray,
    detector: Detector,
    arrivals: NDArray,
    births: NDArray,
) -> int:
    """Add the deposits of a bunch crossing to ``energy`` and ``time`` (see ``deposit_particle``).

    ``arrivals`` and ``births`` are scratch rows of ``transport``. Returns the number of interactions.
    """
    interactions = rng.poisson(detector.pileup_mean)
    for _ in range(interactions):
        z = VERTEX_SIGMA * rng.standard_normal()
        at = VERTEX_SIGMA / LIGHT * rng.standard_normal()
        for _ in range(rng.poisson(2.0 * MAXIMUM_ETA * NEUTRAL_PER_ETA)):
            _add_neutral_pion(rng, energy, time, detector, arrivals, births, z, at)
        for _ in range(rng.poisson(2.0 * MAXIMUM_ETA * CHARGED_PER_ETA)):
            _add_charged_pion(rng, energy, time, arrivals, z, at)
    return interactions


@compiled
def _add_neutral_pion(
    rng: np.random.Generator,
    energy: NDArray,
    time: NDArray,
    detector: Detector,
    arrivals: NDArray,
    births: NDArray,
    z: float,
    at: float,
) -> None:
    """A pion that decays to two photons, isotropic in its rest frame."""
    pt = sample_momentum(rng)
    eta = MAXIMUM_ETA * (2.0 * rng.random() - 1.0)
    phi = 2.0 * math.pi * rng.random()
    px, py, pz = pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)
    total = math.sqrt(px * px + py * py + pz * pz + NEUTRAL_PION_MASS**2)
    cosine = 2.0 * rng.random() - 1.0
    sine, angle = math.sqrt(1.0 - cosine * cosine), 2.0 * math.pi * rng.random()
    half = 0.5 * NEUTRAL_PION_MASS
    qx, qy, qz = half * sine * math.cos(angle), half * sine * math.sin(angle), half * cosine
    along = (px * qx + py * qy + pz * qz) / NEUTRAL_PION_MASS
    for sign in (1.0, -1.0):
        boost = (half + sign * along / (1.0 + total / NEUTRAL_PION_MASS)) / NEUTRAL_PION_MASS
        kx, ky, kz = sign * qx + boost * px, sign * qy + boost * py, sign * qz + boost * pz
        kt = math.hypot(kx, ky)
        if kt > 1e-3:
            photon = math.sqrt(kt * kt + kz * kz)
            start = np.array((0.0, photon, 0.0, 0.0, z, math.atan2(ky, kx), kz / kt, at))
            count, _, _, _ = transport(rng, start, detector.material, arrivals, births)
            for arrival in arrivals[:count]:
                if abs(arrival[Z]) < BARREL_END:
                    deposit_particle(rng, energy, time, arrival, COARSE)


@compiled
def _add_charged_pion(
    rng: np.random.Generator, energy: NDArray, time: NDArray, arrivals: NDArray, z: float, at: float
) -> None:
    """A pion that bends to the calorimeter."""
    pt = sample_momentum(rng)
    sinh_eta = math.sinh(MAXIMUM_ETA * (2.0 * rng.random() - 1.0))
    phi = 2.0 * math.pi * rng.random()
    charge = 1.0 if rng.random() < 0.5 else -1.0
    length = arc(charge, pt, 0.0, 0.0, phi, ECAL_RADIUS)
    if length < 0.0:
        return
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    arrival = arrivals[0]
    x, y, phi = move(charge, pt, 0.0, 0.0, phi, length)
    momentum = pt * cosh_eta
    beta = momentum / math.hypot(momentum, PION_MASS)
    z += length * sinh_eta
    at += length * cosh_eta / (LIGHT * beta)
    arrival[:] = (charge, math.hypot(momentum, PION_MASS), x, y, z, phi, sinh_eta, at)
    deposit_hadron(rng, energy, time, arrival, beta)
