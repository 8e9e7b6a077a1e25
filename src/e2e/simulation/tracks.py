"""Charged particles in barrel and endcaps: helices to cylinders and planes, and tracks as CMS finds them.

Lengths in cm, momenta in GeV, angles in rad; sources of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math

import numpy as np

from e2e.simulation.compile import compiled
from e2e.simulation.tracker import FIELD, LIGHT, arc, full_turn, move

# Efficiency for prompt charged particles within |eta| of 0.9 and of 2.5, and for muons: arXiv 1405.6569.
EFFICIENCY, EFFICIENCY_FORWARD, EFFICIENCY_MUON = 0.94, 0.85, 0.99
TRACKER_ETA, FORWARD_ETA = 2.5, 0.9
# It falls with the radius of the birth, to nothing where too few layers are left: arXiv 1405.6569.
FULL_RADIUS, LAST_RADIUS = 3.0, 60.0
TRACK_MINIMUM = 0.5  # GeV of transverse momentum: MLAnalyzer
# Resolutions below |eta| of 1.4, arXiv 1405.6569: of pT 1.5 % up to 10 GeV and 2.8 % at 100 GeV; of d0 90 um
# at 1 GeV, 25 at 10 and 10 at 100; of dz 150, 45 and 30. Beyond, twice as large.
PT_CONSTANT, PT_SLOPE = 0.015, 0.024e-2
D0_CONSTANT, D0_SCATTERING, DZ_CONSTANT, DZ_SCATTERING = 10e-4, 89e-4, 30e-4, 147e-4
SCATTERING_POWER = -0.6
POOR_ETA, POOR_FACTOR = 1.4, 2.0
VERTEX_RESOLUTION = 11e-4  # cm in each direction, arXiv 1405.6569

# Pixel barrel: radii as in tracker.py, half length, hit efficiency: JINST 3 S08004, arXiv 1405.6569.
PIXEL_RADII = (4.425, 7.312, 10.177)
PIXEL_HALF_LENGTH, PIXEL_EFFICIENCY = 26.5, 0.99


@compiled
def reach(
    charge: float,
    pt: float,
    x: float,
    y: float,
    z: float,
    phi: float,
    sinh_eta: float,
    radius: float,
    end: float,
    face: float,
) -> tuple[float, float, float]:
    """Where a particle at (x, y, z) meets a cylinder of ``radius`` up to |z| ``end``, or planes at ``face``.

    Particles that curl up inside for more than a turn end at the origin: they do not arrive.
    """
    length = -1.0
    if x * x + y * y < radius * radius:
        length = arc(charge, pt, x, y, phi, radius)
    at = z + length * sinh_eta
    if length < 0.0 or abs(at) > end:
        if sinh_eta == 0.0:
            return 0.0, 0.0, 0.0
        length = (math.copysign(face, sinh_eta) - z) / sinh_eta
        if length < 0.0 or (charge != 0.0 and length > full_turn(pt)):
            return 0.0, 0.0, 0.0
        at = math.copysign(face, sinh_eta)
    x, y, _ = move(charge, pt, x, y, phi, length)
    return x, y, at


@compiled
def impact_parameters(
    charge: float, pt: float, x: float, y: float, z: float, phi: float, sinh_eta: float
) -> tuple[float, float]:
    """(dxy, z) where the helix through (x, y, z) with direction ``phi`` there is closest to the beam line."""
    curvature = -charge * LIGHT * 1e-4 * FIELD / pt
    centre = math.hypot(x - math.sin(phi) / curvature, y + math.cos(phi) / curvature)
    dxy = math.copysign(1.0, curvature) * (centre - 1.0 / abs(curvature))
    return dxy, z - (x * math.cos(phi) + y * math.sin(phi)) * sinh_eta


@compiled
def is_found(rng: np.random.Generator, muon: bool, pt: float, eta: float, radius: float) -> bool:
    """Whether a charged particle born at ``radius`` leaves a reconstructed track."""
    if pt < TRACK_MINIMUM or abs(eta) > TRACKER_ETA:
        return False
    efficiency = EFFICIENCY_MUON
    if not muon:
        efficiency = EFFICIENCY if abs(eta) < FORWARD_ETA else EFFICIENCY_FORWARD
    if radius > FULL_RADIUS:
        efficiency *= max(LAST_RADIUS - radius, 0.0) / (LAST_RADIUS - FULL_RADIUS)
    return rng.random() < efficiency


@compiled
def track_resolution(pt: float, eta: float) -> tuple[float, float, float]:
    """Standard deviations of (pT relative, d0 in cm, dz in cm) of a track."""
    scattering = pt**SCATTERING_POWER
    factor = 1.0 if abs(eta) < POOR_ETA else POOR_FACTOR
    return (
        factor * math.hypot(PT_CONSTANT, PT_SLOPE * pt),
        factor * math.hypot(D0_CONSTANT, D0_SCATTERING * scattering),
        factor * math.hypot(DZ_CONSTANT, DZ_SCATTERING * scattering),
    )
