"""Single boosted particles of any mass that decay and shower by Pythia 8: a -> tau tau, t -> b q q'.

Flat in mass, transverse momentum, |eta| and phi. Energies in GeV, angles in rad.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pythia8mc
from numpy.typing import NDArray

from e2e.simulation.generator import Collision, Record, charges, objects, pythia, visible

PSEUDOSCALAR, TOP, BOTTOM = 36, 6, 5
# Ranges of the public sets (data-formats of the E2E programme): flat within.
DITAU_MASS, DITAU_PT = (3.6, 14.8), (30.0, 180.0)
TOP_MASS, TOP_PT = (85.0, 500.0), (400.0, 1000.0)
MAXIMUM_ETA = 1.4  # images beyond would cross the end of the detector
W_MASS, W_WIDTH, BOTTOM_MASS = 80.38, 2.09, 4.8  # GeV, PDG; of the bottom quark that of Pythia

_ALONE = ("ProcessLevel:all = off",)
_NAMES = ("id", "status", "mother", "m", "px", "py", "pz", "e", "x", "y", "z")


def ditau_gun(seed: int) -> Iterator[Collision]:
    """Pseudoscalars that decay to two taus, without end."""
    settings = ("36:isResonance = off", "36:mayDecay = on", "36:tau0 = 0.", "36:mMin = 0.", "36:mMax = 0.")
    decay = ("36:oneChannel = 1 1. 0 15 -15",)
    generator = pythia(seed, (*_ALONE, *settings, *decay))
    rng = np.random.default_rng(seed)
    while True:
        mass, momentum = _throw(rng, DITAU_MASS, DITAU_PT)
        generator.event.reset()
        generator.event.append(PSEUDOSCALAR, 1, 0, 0, *momentum, mass)
        if generator.next():
            yield Collision(visible(_record(generator)), objects(np.array([PSEUDOSCALAR]), momentum[None]))


def top_gun(seed: int) -> Iterator[Collision]:
    """Top quarks of many masses that decay to bottom, quark and antiquark, without end.

    The bottom quark's colour ends in an antiquark that recoils against the top; both decays are isotropic.
    """
    generator = pythia(seed, _ALONE)
    rng = np.random.default_rng(seed)
    while True:
        mass, momentum = _throw(rng, TOP_MASS, TOP_PT)
        w_mass = W_MASS + 0.5 * W_WIDTH * math.tan(math.pi * (rng.random() - 0.5))
        w_mass = min(max(w_mass, 10.0), mass - BOTTOM_MASS)
        w_boson, bottom = _decay(rng, momentum, mass, w_mass, BOTTOM_MASS)
        quark, antiquark = _decay(rng, w_boson, w_mass, 0.0, 0.0)
        up, down = ((2, -1), (4, -3))[rng.integers(2)]
        away = np.array([-momentum[0], -momentum[1], 0.0, math.hypot(momentum[0], momentum[1])])
        event = generator.event
        event.reset()
        for code, colour, anticolour, (px, py, pz, energy), its_mass in (
            (BOTTOM, 101, 0, bottom, BOTTOM_MASS),
            (up, 102, 0, quark, 0.0),
            (down, 0, 102, antiquark, 0.0),
            (-2, 0, 101, away, 0.0),
        ):
            event.append(code, 23, colour, anticolour, px, py, pz, energy, its_mass, 0.5 * mass)
        generator.forceTimeShower(1, event.size() - 1, 0.5 * mass)
        if generator.next():
            yield Collision(visible(_record(generator)), objects(np.array([TOP]), momentum[None]))


def _throw(
    rng: np.random.Generator, masses: tuple[float, float], momenta: tuple[float, float]
) -> tuple[float, NDArray[np.float64]]:
    """A mass, and a momentum (px, py, pz, E)."""
    mass, pt = rng.uniform(*masses), rng.uniform(*momenta)
    eta, phi = rng.uniform(-MAXIMUM_ETA, MAXIMUM_ETA), rng.uniform(-math.pi, math.pi)
    energy = math.hypot(mass, pt * math.cosh(eta))
    return mass, np.array([pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta), energy])


def _decay(
    rng: np.random.Generator, momentum: NDArray[np.float64], mass: float, first: float, second: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Momenta (px, py, pz, E) of the daughters of masses ``first`` and ``second``, isotropic at rest."""
    total, difference = (first + second) ** 2, (first - second) ** 2
    size = math.sqrt(max((mass**2 - total) * (mass**2 - difference), 0.0)) / (2.0 * mass)
    cosine, phi = rng.uniform(-1.0, 1.0), rng.uniform(-math.pi, math.pi)
    sine = math.sqrt(1.0 - cosine**2)
    at_rest = size * np.array([sine * math.cos(phi), sine * math.sin(phi), cosine])
    energy = math.hypot(first, size)
    along = at_rest @ momentum[:3]
    boosted = at_rest + momentum[:3] / mass * (along / (momentum[3] + mass) + energy)
    daughter = np.append(boosted, math.hypot(first, math.sqrt(boosted @ boosted)))
    return daughter, momentum - daughter


def _record(generator: pythia8mc.Pythia) -> Record:
    """The event record, by columns as those of collisions."""
    rows = [
        (
            p.id(),
            p.status(),
            p.mother1(),
            p.m(),
            p.px(),
            p.py(),
            p.pz(),
            p.e(),
            p.xProd(),
            p.yProd(),
            p.zProd(),
        )
        for p in generator.event
    ]
    record = dict(zip(_NAMES, np.array(rows).T, strict=True))
    for name in ("id", "status", "mother"):
        record[name] = record[name].astype(np.int64)
    for name in ("x", "y", "z"):
        record[name] = 0.1 * record[name]  # Pythia's unit is mm
    return record | {"charge": charges(record["id"])}
