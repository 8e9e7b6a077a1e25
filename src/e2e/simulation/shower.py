"""Electromagnetic showers in the crystals, after Grindhammer and Peters (hep-ex/0001020).

Depths along a shower are in radiation lengths, radii in Molière radii; sources of the constants in
docs/simulation.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from e2e.geometry import BARREL, CELL, FIRST_PHI
from e2e.simulation.compile import compiled
from e2e.simulation.tracker import BARREL_ETA, ECAL_RADIUS, ENDCAP_FACE, LIGHT, split

ROWS, COLUMNS = BARREL

# Lead tungstate: radiation length of the PDG; Molière radius (the PDG's is 1.96 cm), effective Z and critical
# energy of CMSSW, FastSimulation/Calorimetry.
RADIATION_LENGTH = 0.89  # cm
MOLIERE_RADIUS = 2.19  # cm
CRITICAL_ENERGY = 0.00874  # GeV
ATOMIC_NUMBER = 68.36
# By this CMS widens the profiles: CMSSW, FastSimulation/Calorimetry, RadiusFactorEB and RadiusFactorEE.
RADIUS_FACTOR, ENDCAP_RADIUS_FACTOR = 1.096, 1.25
# Lengths of the crystals of barrel and endcaps; the endcaps' 100 x 100 a side reach to this |eta| and point
# to a focus so far beyond the interaction point: JINST 3 S08004.
CRYSTAL_DEPTH, ENDCAP_DEPTH = 23.0, 22.0  # cm
MAXIMUM_ETA = 3.0
ENDCAP_FOCUS = 130.0  # cm
ENDCAP_CRYSTALS = 100
ENDCAP_PITCH = 2.0 * ENDCAP_FACE / math.sinh(BARREL_ETA) / ENDCAP_CRYSTALS  # 3.0 cm

# Crystals cover 0.0174 x 1 degree; EB iphi 1 starts at -10 degrees: JINST 3 S08004.
CELL_ETA = 0.0174
CELL_PHI = CELL
# Their axes are tilted out of the direction from the nominal vertex: in theta by 3 degrees, towards the
# middle of the barrel, in phi by 2.93 degrees, towards larger phi at z > 0 and towards smaller phi at z < 0;
# JINST 3 S08004 has 3 degrees for both, CMS's geometry the signs (docs/simulation.md).
TILT_ETA = math.tan(math.radians(3.0))
TILT_PHI = math.tan(math.radians(2.93))

# Softer electrons and photons are no showers yet: their energy stays in the crystal that they enter.
SHOWER_MINIMUM = 0.1  # GeV
# (step along a shower in X0, spots per those of Grindhammer and Peters): fine for the particles of interest,
# coarse for soft ones whose detail is lost in the noise, as in CMSSW, FastSimulation/Calorimetry
# (bFixedLength, CoreIntervals). Of a shower, this share is not worth a step of its own.
FINE = (1.0, 1.0)
COMPLETE = 1e-3
COARSE = (5.0, 0.1)


@compiled
def incomplete_gamma(a: float, x: float) -> float:
    """Regularised lower incomplete gamma function P(a, x): series or continued fraction, DLMF 8.11, 8.9."""
    if x <= 0.0:
        return 0.0
    scale = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1.0:
        term = 1.0 / a
        total = term
        n = a
        while term > total * 1e-10:
            n += 1.0
            term *= x / n
            total += term
        return total * scale
    # Lentz's evaluation of the continued fraction
    b = x + 1.0 - a
    c = 1e300
    d = 1.0 / b
    h = d
    for i in range(1, 200):
        numerator = -i * (i - a)
        b += 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-10:
            break
    return 1.0 - h * scale


@compiled
def mean_profile(energy: float) -> tuple[float, float]:
    """Average (alpha, depth of the maximum in X0) of the longitudinal profile, hep-ex/0001020 eq. A.1.1."""
    logy = math.log(energy / CRITICAL_ENERGY)
    return 0.21 + (0.492 + 2.38 / ATOMIC_NUMBER) * logy, logy - 0.858


@compiled
def sample_profile(rng: np.random.Generator, energy: float) -> tuple[float, float]:
    """(alpha, depth of the maximum in X0) of one shower: correlated, log-normal; A.1.2."""
    logy = math.log(energy / CRITICAL_ENERGY)
    correlation = 0.705 - 0.023 * logy
    plus, minus = math.sqrt(0.5 * (1.0 + correlation)), math.sqrt(0.5 * (1.0 - correlation))
    while True:
        first, second = rng.standard_normal(), rng.standard_normal()
        log_alpha = math.log(0.81 + (0.458 + 2.26 / ATOMIC_NUMBER) * logy)
        alpha = math.exp(log_alpha + (first * plus - second * minus) / (-0.58 + 0.86 * logy))
        if alpha > 1.0:  # the profile must vanish at depth 0
            break
    depth = math.exp(math.log(logy - 0.812) + (first * plus + second * minus) / (-1.4 + 1.26 * logy))
    return alpha, depth


@compiled
def radial_profile(energy: float, tau: float) -> tuple[float, float, float]:
    """(core radius, tail radius, weight of the core) at depth ``tau`` per depth of the maximum; A.1.3."""
    loge = math.log(energy)
    core = 0.0251 + 0.00319 * loge + (0.1162 - 0.000381 * ATOMIC_NUMBER) * tau
    tail = (0.659 - 0.00309 * ATOMIC_NUMBER) * (
        math.exp(-2.59 * (tau - 0.645)) + math.exp((0.3585 + 0.0421 * loge) * (tau - 0.645))
    )
    exponent = (0.401 + 0.00187 * ATOMIC_NUMBER - tau) / (1.313 - 0.0686 * loge)
    weight = (2.632 - 0.00094 * ATOMIC_NUMBER) * math.exp(exponent - math.exp(exponent))
    return core, tail, min(max(weight, 0.0), 1.0)


@compiled
def cell(eta: float, phi: float, depth: float) -> tuple[float, float]:
    """(row, column) in units of crystals, of a point ``depth`` cm (radially) behind the front face.

    The tilt moves the axis of a crystal towards smaller |eta| the deeper it goes, and in phi the other way
    at either end: only eta -> -eta together with phi -> -phi brings the crystals onto themselves.
    """
    end = math.copysign(1.0, eta)
    share = depth / (ECAL_RADIUS + depth)
    row = (eta + end * TILT_ETA * share * math.cosh(eta)) / CELL_ETA + ROWS / 2
    column = (phi - end * TILT_PHI * share - FIRST_PHI) / CELL_PHI
    return row, column % COLUMNS


@compiled
def place(endcap: bool, x: float, y: float, z: float) -> tuple[float, float]:
    """(row, column) in units of crystals, of barrel or ``endcap`` (x, y), of a point in or before them."""
    if endcap:
        scale = (ENDCAP_FACE + ENDCAP_FOCUS) / (abs(z) + ENDCAP_FOCUS) / ENDCAP_PITCH
        return x * scale + ENDCAP_CRYSTALS / 2, y * scale + ENDCAP_CRYSTALS / 2
    rho = math.hypot(x, y)
    return cell(math.asinh(z / rho), math.atan2(y, x), rho - ECAL_RADIUS)


@compiled
def add(
    energy: NDArray,
    time: NDArray | None,
    endcap: bool,
    row: float,
    column: float,
    deposit: float,
    delay: float,
) -> None:
    """Add ``deposit`` GeV at ``delay`` ns to a crystal, if there is one; ``time`` sums energy x time."""
    i, j = math.floor(row), math.floor(column)
    if endcap:
        if not (0 <= i < ENDCAP_CRYSTALS and 0 <= j < ENDCAP_CRYSTALS):
            return
        index = i * ENDCAP_CRYSTALS + j
    else:
        if not 0 <= i < ROWS:
            return
        index = i * COLUMNS + j % COLUMNS
    energy[index] += deposit
    if time is not None:
        time[index] += deposit * delay


@compiled
def _change(of: tuple[float, float], to: tuple[float, float]) -> tuple[float, float]:
    """How far apart two places are, in rows and columns, which wrap around."""
    return to[0] - of[0], (to[1] - of[1] + COLUMNS / 2) % COLUMNS - COLUMNS / 2


@compiled
def _develop(
    rng: np.random.Generator,
    energy: NDArray,
    time: NDArray | None,
    deposit: float,
    start: float,
    x: float,
    y: float,
    z: float,
    phi: float,
    sinh_eta: float,
    delay: float,
    detail: tuple[float, float],
    endcap: bool,
) -> float:
    """Shower of an electron of ``deposit`` GeV that begins ``start`` X0 behind (x, y, z), spot by spot.

    Returns what of it leaves the crystals behind.
    """
    alpha, depth = sample_profile(rng, deposit)
    beta = (alpha - 1.0) / depth
    mean_alpha, mean_depth = mean_profile(deposit)
    centre = alpha / beta
    log_alpha = 0.81 + (0.458 + 2.26 / ATOMIC_NUMBER) * math.log(deposit / CRITICAL_ENERGY)
    tau_scale = centre * (log_alpha - 1.0) / log_alpha
    # Number of spots and how they are spread along the shower; A.1.4.
    spots = detail[1] * 93.0 * math.log(ATOMIC_NUMBER) * deposit**0.876
    spot_alpha = max(mean_alpha * (0.639 + 0.00334 * ATOMIC_NUMBER), 1.01)
    spot_beta = (spot_alpha - 1.0) / (mean_depth * (0.698 + 0.00212 * ATOMIC_NUMBER))

    cosh_eta = math.sqrt(1.0 + sinh_eta * sinh_eta)
    direction = (math.cos(phi) / cosh_eta, math.sin(phi) / cosh_eta, sinh_eta / cosh_eta)
    # Unit vectors across the shower: along phi, and along theta.
    side = (-math.sin(phi), math.cos(phi))
    up = (-math.cos(phi) * sinh_eta / cosh_eta, -math.sin(phi) * sinh_eta / cosh_eta, 1.0 / cosh_eta)
    length = (ENDCAP_DEPTH if endcap else CRYSTAL_DEPTH) / RADIATION_LENGTH - start
    scale = MOLIERE_RADIUS * (ENDCAP_RADIUS_FACTOR if endcap else RADIUS_FACTOR)
    t, done, spots_done = 0.0, 0.0, 0.0
    while t < length:
        step = min(detail[0], length - t)
        end = incomplete_gamma(alpha, beta * (t + step))
        spots_end = incomplete_gamma(spot_alpha, spot_beta * (t + step))
        middle = t + 0.5 * step
        number = max(rng.poisson(spots * (spots_end - spots_done)), 1)
        spot = deposit * (end - done) / number
        t, done, spots_done = t + step, end, spots_end
        if 1.0 - done < COMPLETE:
            spot += deposit * (1.0 - done) / number
            t, done = length, 1.0
        if spot <= 0.0:
            continue
        # The axis of the shower at the middle of the step, and how row and column change across it.
        path = (start + middle) * RADIATION_LENGTH
        px, py, pz = x + path * direction[0], y + path * direction[1], z + path * direction[2]
        at = place(endcap, px, py, pz)
        row_side, column_side = _change(at, place(endcap, px + side[0], py + side[1], pz))
        row_up, column_up = _change(at, place(endcap, px + up[0], py + up[1], pz + up[2]))
        core, tail, weight = radial_profile(deposit, middle / tau_scale)
        for _ in range(number):
            # r = R sqrt(u / (1 - u)) has the density 2 r R^2 / (r^2 + R^2)^2; u and the direction come from
            # one point in the unit disc, whose squared radius is uniform.
            u = 2.0
            while u >= 1.0:
                a, b = 2.0 * rng.random() - 1.0, 2.0 * rng.random() - 1.0
                u = a * a + b * b
            r = scale * (core if rng.random() < weight else tail) / math.sqrt(1.0 - u)
            a, b = a * r, b * r
            add(
                energy,
                time,
                endcap,
                at[0] + a * row_side + b * row_up,
                at[1] + a * column_side + b * column_up,
                spot,
                delay,
            )
    return deposit * (1.0 - done)


@compiled
def deposit_particle(
    rng: np.random.Generator,
    energy: NDArray,
    time: NDArray | None,
    arrival: NDArray,
    detail: tuple[float, float],
    endcap: bool = False,
    depth: float = 0.0,
) -> float:
    """Shower of a particle at the front face (a row of ``transport``'s arrivals) in the crystals behind.

    Adds to ``energy`` [170 * 360] of the barrel or [100 * 100] of an ``endcap`` (GeV) and, if there is one,
    to ``time`` (GeV ns: energy times delay), where the delay is what exceeds the flight of light from the
    nominal vertex, which CMS subtracts. A photon first converts, 9/7 X0 deep on average, into two electrons.
    ``detail`` is FINE or COARSE. Nothing happens before the particle is ``depth`` cm behind the face. Returns
    what leaves the crystals behind (GeV); what leaves them beside is lost.
    """
    charge, total, x, y, z, phi, sinh_eta, at = arrival
    delay = at - math.sqrt(x * x + y * y + z * z) / LIGHT
    start = depth / RADIATION_LENGTH
    share = 1.0
    if charge == 0.0 and total >= SHOWER_MINIMUM:
        start -= 9.0 / 7.0 * math.log(1.0 - rng.random())
        share = split(rng)
    if start >= (ENDCAP_DEPTH if endcap else CRYSTAL_DEPTH) / RADIATION_LENGTH:
        return total
    behind = 0.0
    for part in (share * total, (1.0 - share) * total):
        if part > SHOWER_MINIMUM:
            behind += _develop(rng, energy, time, part, start, x, y, z, phi, sinh_eta, delay, detail, endcap)
        elif part > 0.0:
            path = depth / math.sqrt(1.0 + sinh_eta * sinh_eta)
            row, column = place(
                endcap, x + path * math.cos(phi), y + path * math.sin(phi), z + path * sinh_eta
            )
            add(energy, time, endcap, row, column, part, delay)
    return behind
