"""Electrons and photons in the tracker: material, bremsstrahlung, conversions, the 3.8 T field.

Lengths in cm, energies in GeV, times in ns, angles in rad; sources of the constants in docs/simulation.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.compile import compiled

LIGHT = 29.9792458  # cm / ns
FIELD = 3.8  # T, JINST 3 S08004
ELECTRON_MASS = 0.000510999  # GeV, PDG
ECAL_RADIUS = 129.0  # front face of the barrel crystals, JINST 3 S08004

# Bremsstrahlung photons softer than both are left with the electron: together 0.13 % of its energy per X0.
BREMSSTRAHLUNG_MINIMUM = 0.010  # GeV
BREMSSTRAHLUNG_FRACTION = 0.001
# Softer photons do not convert: CMSSW, FastSimulation/MaterialEffects, PairProductionSimulator.
CONVERSION_MINIMUM = 0.100  # GeV

# Columns of the particles that reach the calorimeter.
CHARGE, ENERGY, X, Y, Z, PHI, SINH_ETA, TIME = range(8)
ARRIVALS = 512

_CYLINDER, _DISC = 0.0, 1.0

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
# FastSimulation/TrackerSetup, TrackerGeometry.cc. Discs beyond the barrel's acceptance are left out.
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
)

# Rows (cylinder or disc, position, lower edge, upper edge, X0).
_SURFACES = np.array(
    [
        (kind, position, low, high, thickness)
        for kind, layers in ((_CYLINDER, _BARREL), (_DISC, _ENDCAP))
        for position, edges, thicknesses in layers
        for low, high, thickness in zip(edges[:-1], edges[1:], thicknesses, strict=True)
        if thickness
    ]
)
LAYERS = len(_SURFACES)


@compiled
def cross(sinh_eta: float, z: float, radius: NDArray, depth: NDArray) -> int:
    """Layers that a straight line from (0, 0, ``z``) crosses before the calorimeter, from inside to outside.

    Fills ``radius`` [LAYERS] (cm) and ``depth`` [LAYERS] (X0 along the line), and returns their number.
    """
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    count = 0
    for i in range(len(_SURFACES)):
        position, low, high, thickness = _SURFACES[i, 1:]
        if _SURFACES[i, 0] == _CYLINDER:
            r = position
            along = abs(z + r * sinh_eta)
            x = thickness * cosh_eta
        elif sinh_eta != 0.0:
            r = (math.copysign(position, sinh_eta) - z) / sinh_eta
            along = r
            x = thickness * cosh_eta / abs(sinh_eta)
        else:
            continue
        if not low <= along < high or r >= ECAL_RADIUS:
            continue
        slot = count
        while slot > 0 and radius[slot - 1] > r:
            radius[slot] = radius[slot - 1]
            depth[slot] = depth[slot - 1]
            slot -= 1
        radius[slot] = r
        depth[slot] = x
        count += 1
    return count


def budget(eta: float) -> float:
    """Tracker material in X0 in front of the calorimeter, for a particle from the nominal vertex."""
    radius, depth = np.empty(LAYERS), np.empty(LAYERS)
    return float(depth[: cross(math.sinh(eta), 0.0, radius, depth)].sum())


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
def transport(
    rng: np.random.Generator,
    charge: float,
    energy: float,
    phi: float,
    sinh_eta: float,
    z: float,
    time: float,
    arrivals: NDArray,
) -> tuple[int, float, float]:
    """Carry a particle and its daughters from (0, 0, ``z``) at ``time`` to the calorimeter's front face.

    ``charge`` 0 is a photon, -1 and 1 are electrons and positrons; daughters are collinear. Fills the rows
    of ``arrivals`` [ARRIVALS, 8] (columns CHARGE ... TIME: charge, energy, position, direction, time) and
    returns (their number, the primary's energy at the face or where it ended, the radius where a primary
    photon converted, or 0). Particles that curl up in the field do not arrive.
    """
    radius, depth = np.empty(LAYERS), np.empty(LAYERS)
    layers = cross(sinh_eta, z, radius, depth)
    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    photons = np.empty(64)
    # Of each particle still to be moved: a row like an arrival's, and the next layer.
    waiting, following = np.empty((ARRIVALS, 8)), np.empty(ARRIVALS, np.int64)
    waiting[0] = (charge, energy, 0.0, 0.0, z, phi, sinh_eta, time)
    following[0] = 0
    queue, count = 1, 0
    primary, left, conversion = True, energy, 0.0
    while queue > 0:
        queue -= 1
        charge, energy, x, y, z, phi, sinh_eta, time = waiting[queue]
        layer = following[queue]
        alive = True
        while alive:
            target = radius[layer] if layer < layers else ECAL_RADIUS
            length = arc(charge, energy / cosh_eta, x, y, phi, target)
            if length < 0.0:
                break
            x, y, phi = move(charge, energy / cosh_eta, x, y, phi, length)
            z += length * sinh_eta
            time += length * cosh_eta / LIGHT
            if layer == layers:
                if count < ARRIVALS:
                    arrivals[count] = (charge, energy, x, y, z, phi, sinh_eta, time)
                    count += 1
                break
            if charge != 0.0:
                for photon in photons[: radiate(rng, energy, depth[layer], photons)]:
                    if queue < ARRIVALS:
                        waiting[queue] = (0.0, photon, x, y, z, phi, sinh_eta, time)
                        following[queue] = layer + 1
                        queue += 1
                        energy -= photon
            elif energy > CONVERSION_MINIMUM and rng.random() < -math.expm1(-7.0 / 9.0 * depth[layer]):
                share = split(rng)
                for sign, part in ((-1.0, share), (1.0, 1.0 - share)):
                    # Below the mass the other one takes it all.
                    if part * energy > ELECTRON_MASS and queue < ARRIVALS:
                        waiting[queue] = (sign, part * energy, x, y, z, phi, sinh_eta, time)
                        following[queue] = layer + 1
                        queue += 1
                if primary:
                    conversion = target
                alive = False
            layer += 1
        if primary:
            left = energy
            primary = False
    return count, left, conversion
