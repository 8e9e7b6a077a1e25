"""Electrons and photons in the tracker: material, bremsstrahlung, conversions, the 3.8 T field.

Lengths in cm, energies in GeV, times in ns, angles in rad; sources of the constants in docs/simulation.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled

LIGHT = 29.9792458  # cm / ns
FIELD = 3.8  # T, JINST 3 S08004
ELECTRON_MASS = 0.000510999  # GeV, PDG
# Front faces of the crystals of barrel and endcaps, and the |eta| between them: JINST 3 S08004.
ECAL_RADIUS, ENDCAP_FACE, BARREL_ETA = 129.0, 315.4, 1.479
BARREL_END = ECAL_RADIUS * math.sinh(BARREL_ETA)  # |z|; beyond, the way leads to the endcap

# Bremsstrahlung photons softer than both are left with the electron: together 0.13 % of its energy per X0.
BREMSSTRAHLUNG_MINIMUM = 0.010  # GeV
BREMSSTRAHLUNG_FRACTION = 0.001
# Softer photons do not convert: CMSSW, FastSimulation/MaterialEffects, PairProductionSimulator.
CONVERSION_MINIMUM = 0.100  # GeV

# Columns of the particles that reach the calorimeter.
CHARGE, ENERGY, X, Y, Z, PHI, SINH_ETA, TIME = range(8)
ARRIVALS = 512

# The 2012 tracker with its supports and services, in X0 at normal incidence: CMSSW,
# FastSimulation/SimplifiedGeometryPropagator, TrackerMaterial_cfi.py. (radius; |z| edges; X0 between them)
_BARREL = (
    (3.003, (0.0, 28.3), (0.0024,)),  # beam pipe
    (4.425, (0.0, 28.391), (0.0217,)),  # pixel barrel 1-3
    (7.312, (0.0, 28.391), (0.0217,)),
    (10.177, (0.0, 28.391), (0.0217,)),
    (17.6, (0.0, 27.5, 32.0, 65.0), (0.0135, 0.095, 0.050)),  # pixel services
    (25.767, (0.0, 35.0, 65.254), (0.053, 0.0769)),  # TIB 1-4
    (34.104, (0.0, 35.0, 65.231), (0.053, 0.0769)),
    (41.974, (0.0, 35.0, 66.232), (0.035, 0.0508)),
    (49.907, (0.0, 35.0, 66.355), (0.04, 0.058)),
    (55.1, (0.0, 27.5, 30.5, 72.0, 108.2), (0.009, 0.036, 0.009, 0.0495)),  # TOB inner wall
    *(
        (
            radius,
            (0.0, 18.0, 30.0, 36.0, 46.0, 55.0, 108.737),
            tuple(thickness * f for f in (0.7, 2, 1, 2, 1, 2)),
        )
        for radius, thickness in (
            (60.937, 0.030),  # TOB 1-6
            (69.322, 0.030),
            (78.081, 0.022),
            (86.876, 0.022),
            (96.569, 0.022),
            (108.063, 0.022),
        )
    ),
    (120.0, (0.0, 120.0, 299.9), (0.042, 0.1596)),  # outer wall and cables
)
# (|z|; radius edges; X0 between them). Positions of the pixel, TID and TEC discs: CMSSW,
# FastSimulation/TrackerSetup, TrackerGeometry.cc.
_ENDCAP = (
    (28.7, (4.2, 5.1, 7.1, 8.2, 10.0, 11.0, 11.9, 16.5), (0.100, 0.0, 0.108, 0.0, 0.112, 0.02, 0.04)),
    (28.8, (3.8, 16.5), (0.012,)),  # ends of the pixel barrel
    (34.5, (4.825, 16.598), (0.058,)),  # pixel discs
    (46.5, (4.823, 16.598), (0.058,)),
    (65.1, (6.5, 10.0, 11.0, 16.0, 17.61), (0.150, 0.325, 0.250, 0.175)),  # pixel services
    (74.0, (22.5, 53.9), (0.130,)),  # TIB services
    (78.8, (22.2, 34.0, 42.0, 53.94), (0.04, 0.08, 0.04)),  # TID 1-3
    (91.75, (22.2, 34.0, 42.0, 53.942), (0.04, 0.08, 0.04)),
    (104.7, (22.2, 34.0, 42.0, 53.942), (0.055, 0.110, 0.055)),
    (108.0, (22.0, 24.0, 47.5, 54.943), (0.111, 0.074, 0.185)),  # TID services
    (115.0, (55.0, 60.0, 62.0, 78.0, 92.0, 111.0), (0.005, 0.009, 0.014, 0.016, 0.009)),  # TOB end
    (125.0, (21.87, 24.0, 34.0, 39.0, 111.395), (0.100, 0.040, 0.080, 0.050)),  # TEC 1-7
    (138.0, (21.87, 24.0, 34.0, 39.0, 111.395), (0.100, 0.040, 0.080, 0.050)),
    (152.0, (21.87, 24.0, 34.0, 39.0, 111.395), (0.100, 0.040, 0.080, 0.050)),
    (167.0, (29.62, 32.0, 40.0, 41.0, 46.0, 111.395), (0.115, 0.030, 0.050, 0.070, 0.050)),
    (185.0, (29.62, 32.0, 40.0, 41.0, 46.0, 111.395), (0.115, 0.030, 0.050, 0.070, 0.050)),
    (203.0, (29.62, 32.0, 40.0, 41.0, 46.0, 111.395), (0.125, 0.030, 0.050, 0.070, 0.050)),
    (224.0, (29.71, 32.0, 60.0, 111.395), (0.135, 0.030, 0.050)),
    (246.0, (29.71, 32.0, 60.0, 111.395), (0.150, 0.030, 0.050)),  # TEC 8 and 9
    (272.0, (29.91, 32.0, 60.0, 111.395), (0.150, 0.030, 0.050)),
    (
        300.0,
        (14.70, 16.24, 22.0, 28.5, 31.5, 36.0, 120.0),
        (0.124, 1.47, 0.924, 0.693, 0.294, 0.336),
    ),  # TEC end
)


class _Layers(NamedTuple):
    """Layers from inside to outside and the calorimeter's face: ``positions`` [n + 1] (cm).

    Of each layer, ``depths`` [n, k] (X0 at normal incidence) between ``edges`` [n, k + 1] (cm).
    """

    positions: NDArray[np.float64]
    edges: NDArray[np.float64]
    depths: NDArray[np.float64]


def _layers(material: tuple, face: float) -> _Layers:
    """Layers of ``material`` and, behind them, the ``face`` of the calorimeter."""
    most = max(len(depths) for _, _, depths in material)
    edges, depths = np.full((len(material), most + 1), np.inf), np.zeros((len(material), most))
    for i, (_, its_edges, its_depths) in enumerate(material):
        edges[i, : len(its_edges)], depths[i, : len(its_depths)] = its_edges, its_depths
    return _Layers(np.array([*(position for position, _, _ in material), face]), edges, depths)


_CYLINDERS, _DISCS = _layers(_BARREL, ECAL_RADIUS), _layers(_ENDCAP, ENDCAP_FACE)
# What ``step`` returns where there is no other layer.
ARRIVED, LOST = -1.0, -2.0
# A layer is not crossed along its length, however flat a particle comes.
_FLATTEST = 0.1


@compiled
def arc(charge: float, pt: float, x: float, y: float, phi: float, radius: float) -> float:
    """Length in the transverse plane (cm) from (x, y) along direction ``phi`` to a circle around the beam.

    Negative if a particle of this transverse momentum (GeV) curls up before.
    """
    if charge == 0.0:
        along = x * math.cos(phi) + y * math.sin(phi)
        return -along + math.sqrt(along * along + radius * radius - x * x - y * y)
    curvature = -charge * LIGHT * 1e-4 * FIELD / pt  # d(phi) / d(arc), per cm
    centre_x = x - math.sin(phi) / curvature
    centre_y = y + math.cos(phi) / curvature
    centre = math.hypot(centre_x, centre_y)
    bend = math.fabs(1.0 / curvature)
    # sin(phi' - phi of the centre) where the circle of the track meets the circle of the layer
    sine = curvature * (radius * radius - centre * centre - bend * bend) / (2.0 * centre)
    if math.fabs(sine) > 1.0:
        return -1.0
    angle = math.asin(sine)
    centre_phi = math.atan2(centre_y, centre_x)
    turn = math.copysign(1.0, curvature)
    first = (turn * (centre_phi + angle - phi)) % (2.0 * math.pi)
    second = (turn * (centre_phi + math.pi - angle - phi)) % (2.0 * math.pi)
    return min(first, second) * bend


@compiled
def move(
    charge: float, pt: float, x: float, y: float, phi: float, length: float
) -> tuple[float, float, float]:
    """(x, y, phi) after ``length`` cm in the transverse plane: the closed form of a helix, or a line."""
    if charge == 0.0:
        return x + length * math.cos(phi), y + length * math.sin(phi), phi
    curvature = -charge * LIGHT * 1e-4 * FIELD / pt
    end = phi + curvature * length
    x += (math.sin(end) - math.sin(phi)) / curvature
    y -= (math.cos(end) - math.cos(phi)) / curvature
    return x, y, end


@compiled
def full_turn(pt: float) -> float:
    """Length in the transverse plane (cm) of a charged particle's full turn."""
    return 2.0 * math.pi * pt / (LIGHT * 1e-4 * FIELD)


@compiled
def _depth(edges: NDArray, depths: NDArray, at: float) -> float:
    """X0 at normal incidence of a layer that is met at this |z| or radius."""
    for i in range(len(depths)):
        if edges[i] <= at < edges[i + 1]:
            return depths[i]
    return 0.0


@compiled
def next_layers(start: NDArray, layers: NDArray) -> None:
    """Fill ``layers`` [2]: the next cylinder outwards and the next disc ahead of a particle (a row)."""
    radius = math.hypot(start[X], start[Y])
    forward = math.copysign(1.0, start[SINH_ETA]) * start[Z]
    layers[0] = np.searchsorted(_CYLINDERS.positions, radius, "right")
    layers[1] = np.searchsorted(_DISCS.positions, forward, "right")


@compiled
def step(particle: NDArray, layers: NDArray) -> float:
    """Move a ``particle`` (a row) to the next of its ``layers`` [2], and these on; the X0 that it crosses.

    ARRIVED at the calorimeter's face; LOST if it curls up for more than a turn, or began beyond all layers.
    What turns back crosses discs only.
    """
    charge, energy, x, y, z, phi, sinh_eta, time = particle
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    pt = energy / cosh_eta
    cylinder, disc = layers
    length, ahead = -1.0, math.inf
    if cylinder < len(_CYLINDERS.positions):
        length = arc(charge, pt, x, y, phi, _CYLINDERS.positions[cylinder])
    if sinh_eta != 0.0 and disc < len(_DISCS.positions):
        ahead = (math.copysign(_DISCS.positions[disc], sinh_eta) - z) / sinh_eta
    outwards = 0.0 <= length <= ahead
    if not outwards:
        if math.isinf(ahead):
            return LOST
        if charge != 0.0 and length < 0.0 and (ENDCAP_FACE - abs(z)) > full_turn(pt) * abs(sinh_eta):
            return LOST
        length = ahead
    x, y, phi = move(charge, pt, x, y, phi, length)
    z += length * sinh_eta
    time += length * cosh_eta / LIGHT
    particle[:] = (charge, energy, x, y, z, phi, sinh_eta, time)
    radius = math.hypot(x, y)
    if outwards:
        layers[0] += 1
        if cylinder == len(_CYLINDERS.depths):
            return ARRIVED if abs(z) < BARREL_END else 0.0
        depth = _depth(_CYLINDERS.edges[cylinder], _CYLINDERS.depths[cylinder], abs(z))
        return depth * cosh_eta / max((x * math.cos(phi) + y * math.sin(phi)) / radius, _FLATTEST)
    layers[1] += 1
    if disc == len(_DISCS.depths):
        return ARRIVED
    return _depth(_DISCS.edges[disc], _DISCS.depths[disc], radius) * cosh_eta / abs(sinh_eta)


def budget(eta: float) -> float:
    """Tracker material in X0 in front of the calorimeter, for a particle from the nominal vertex."""
    photon, layers = np.array((0.0, 1.0, 0.0, 0.0, 0.0, 0.0, math.sinh(eta), 0.0)), np.empty(2, np.int64)
    next_layers(photon, layers)
    total = 0.0
    while (depth := step(photon, layers)) != ARRIVED:
        total += depth
    return total


@compiled
def radiate(rng: np.random.Generator, energy: float, depth: float, photons: NDArray) -> int:
    """Fill ``photons`` with the energies (GeV) that an electron radiates in ``depth`` X0; their number.

    Bethe-Heitler spectrum with complete screening (PDG, Passage of particles through matter):
    dN/dy = depth (4/3 - 4/3 y + y^2) / y, with y the photon's share of the electron's energy.
    """
    low = max(BREMSSTRAHLUNG_FRACTION, BREMSSTRAHLUNG_MINIMUM / energy)
    if low >= 1.0:
        return 0
    mean = depth * (4.0 / 3.0 * (-math.log(low) - 1.0 + low) + 0.5 * (1.0 - low * low))
    number = min(rng.poisson(mean), len(photons))
    for i in range(number):
        while True:
            share = low ** rng.random()
            if rng.random() < 1.0 - share + 0.75 * share * share:
                break
        photons[i] = share * energy
        energy -= photons[i]
    return number


@compiled
def split(rng: np.random.Generator) -> float:
    """Share of a converting photon's energy that the electron takes: 1 - 4/3 x (1 - x), PDG."""
    while True:
        share = rng.random()
        if rng.random() < 1.0 - 4.0 / 3.0 * share * (1.0 - share):
            return share


@compiled
def _daughter(
    of: NDArray, layers: NDArray, charge: float, energy: float, waiting: NDArray, ahead: NDArray, queue: int
) -> int:
    """Append a collinear daughter ``of`` a particle to those ``waiting``, if there is room; their number."""
    if queue == len(waiting):
        return queue
    waiting[queue], ahead[queue] = of, layers
    waiting[queue, CHARGE], waiting[queue, ENERGY] = charge, energy
    return queue + 1


@compiled
def _interact(
    rng: np.random.Generator,
    particle: NDArray,
    layers: NDArray,
    depth: float,
    waiting: NDArray,
    ahead: NDArray,
    queue: int,
) -> tuple[int, bool]:
    """What ``depth`` X0 make of a particle: the number of those waiting, and whether it is still there."""
    if particle[CHARGE] != 0.0:
        photons = np.empty(64)
        for photon in photons[: radiate(rng, particle[ENERGY], depth, photons)]:
            queue = _daughter(particle, layers, 0.0, photon, waiting, ahead, queue)
            particle[ENERGY] -= photon
        return queue, True
    if rng.random() >= -math.expm1(-7.0 / 9.0 * depth):
        return queue, True
    share = split(rng)
    for sign, part in ((-1.0, share), (1.0, 1.0 - share)):
        # Below the mass the other one takes it all.
        if part * particle[ENERGY] > ELECTRON_MASS:
            queue = _daughter(particle, layers, sign, part * particle[ENERGY], waiting, ahead, queue)
    return queue, False


@compiled
def transport(
    rng: np.random.Generator, start: NDArray, material: float, arrivals: NDArray, births: NDArray
) -> tuple[int, int, float, float]:
    """Carry a particle and its daughters from ``start`` to the front faces of barrel and endcaps.

    ``start`` is a row [8] (columns CHARGE ... TIME: charge, energy, position, direction, time): charge 0 is
    a photon, -1 and 1 are electrons and positrons; daughters are collinear. All layers are ``material`` times
    as thick as CMS's. Fills rows of ``arrivals`` [ARRIVALS, 8] at the faces, and of ``births`` [ARRIVALS, 8]
    of electrons and positrons where photons convert. Returns (number of arrivals, number of births, the
    primary's energy at the face or where it ended, the radius where a primary photon converted, or 0).
    Particles that curl up in the field do not arrive.
    """
    # Rows of particles still to be moved, and their next layers.
    waiting, ahead = np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 2), np.int64)
    particle, layers = np.empty(8), np.empty(2, np.int64)
    waiting[0] = start
    next_layers(start, ahead[0])
    queue, count, born = 1, 0, 0
    primary, left, conversion = True, 0.0, 0.0
    while queue > 0:
        queue -= 1
        particle[:], layers[:] = waiting[queue], ahead[queue]
        if particle[CHARGE] == 0.0 and particle[ENERGY] <= CONVERSION_MINIMUM:
            layers[0], layers[1] = len(_CYLINDERS.depths), len(_DISCS.depths)  # nothing happens to it
        depth, alive = 0.0, True
        while alive and depth >= 0.0:
            depth = step(particle, layers)
            if depth > 0.0:
                before = queue
                queue, alive = _interact(rng, particle, layers, material * depth, waiting, ahead, queue)
        if not alive:
            number = min(queue - before, len(births) - born)
            births[born : born + number] = waiting[before : before + number]
            born += number
        elif depth == ARRIVED and count < len(arrivals):
            arrivals[count] = particle
            count += 1
        if primary:
            left = particle[ENERGY]
            conversion = 0.0 if alive else math.hypot(particle[X], particle[Y])
            primary = False
    return count, born, left, conversion
