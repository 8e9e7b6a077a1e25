"""One bunch crossing: the collision of interest and pileup, through tracker and calorimeters, into frames.

Sources of the constants in docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from e2e.simulation.calorimeters import (
    FRAME_ROWS,
    HCAL_FACE,
    HCAL_MIP,
    HCAL_RADIUS,
    Calorimeters,
    deposit_ecal,
    deposit_hadron_ecal,
    deposit_hcal,
    deposit_muon,
    empty,
    frame_column,
    frame_row,
    read_out,
)
from e2e.simulation.compile import compiled
from e2e.simulation.detector import Detector
from e2e.simulation.generator import (
    CHARGE,
    ELECTRON,
    ENERGY,
    KIND,
    MUON,
    PHOTON,
    PX,
    PY,
    PZ,
    X,
    Y,
    Z,
)
from e2e.simulation.pileup import VERTEX_SIGMA
from e2e.simulation.shower import COLUMNS
from e2e.simulation.tracker import ARRIVALS, BARREL_END, ECAL_RADIUS, ENDCAP_FACE, transport
from e2e.simulation.tracker import ENERGY as ROW_ENERGY
from e2e.simulation.tracks import (
    PIXEL_EFFICIENCY,
    PIXEL_HALF_LENGTH,
    PIXEL_RADII,
    VERTEX_RESOLUTION,
    impact_parameters,
    is_found,
    reach,
    track_resolution,
)

# Columns of a track: measured at the vertex, where it meets the calorimeters, and where it is drawn.
TRACK_PT, TRACK_ETA, TRACK_PHI, TRACK_D0, TRACK_DZ, ECAL_ETA, ECAL_PHI, HCAL_ETA, HCAL_PHI = range(9)
IMAGE_ETA, IMAGE_PHI = 9, 10
TRACK_COLUMNS = 11
TRACKS = 4000


class Frames(NamedTuple):
    """Images of a crossing [280, 360]: tracks on the ECAL's face, energies (GeV), hits of the pixel layers.

    ``track_d0`` and ``track_dz`` (cm) are means over the tracks of a cell, ``track_pt`` (GeV) their sum, as
    in MLAnalyzer. ``calorimeters.towers`` [56, 72] holds the HCAL's energies (GeV), in the ECAL's columns.
    """

    tracks: NDArray[np.float64]
    track_pt: NDArray[np.float64]
    track_d0: NDArray[np.float64]
    track_dz: NDArray[np.float64]
    ecal: NDArray[np.float64]
    pixels: NDArray[np.float64]
    calorimeters: Calorimeters


def empty_frames() -> Frames:
    """Frames of nothing."""
    images = [np.zeros((FRAME_ROWS, COLUMNS)) for _ in range(5)]
    return Frames(*images, np.zeros((len(PIXEL_RADII), FRAME_ROWS, COLUMNS)), empty())


class _Crossing(NamedTuple):
    """What all particles of a crossing share.

    The primary vertex (z, cm), the ``detector``, where what is seen goes, and scratch rows of ``transport``.
    """

    z_primary: float
    detector: Detector
    frames: Frames
    tracks: NDArray[np.float64]
    arrivals: NDArray[np.float64]
    births: NDArray[np.float64]


@compiled
def simulate_crossing(
    rng: np.random.Generator,
    particles: NDArray,
    pool: NDArray,
    soft: NDArray,
    frames: Frames,
    tracks: NDArray,
    at_direction: bool,
    detector: Detector,
    vertex: float,
) -> int:
    """Fill ``frames`` and ``tracks`` [TRACKS, 11] from ``particles`` of a collision; the number of tracks.

    Pileup are collisions of the ``pool`` [n, 9], each of its rows from the first to before the second number
    in ``soft`` [k, 2], turned around the beam and half of them mirrored along it. Impact parameters are
    counted from the vertex of the collision.
    A track is drawn ``at_direction`` of its momentum on the ECAL's face, or else where it meets that face.
    """
    for image in (frames.tracks, frames.track_pt, frames.track_d0, frames.track_dz):
        image[:] = 0.0
    frames.pixels[:] = 0.0
    frames.calorimeters.barrel[:] = 0.0
    frames.calorimeters.endcaps[:] = 0.0
    frames.calorimeters.towers[:] = 0.0
    error_x = VERTEX_RESOLUTION * rng.standard_normal()
    error_y = VERTEX_RESOLUTION * rng.standard_normal()
    error_z = VERTEX_RESOLUTION * rng.standard_normal()
    of = _Crossing(vertex, detector, frames, tracks, np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 8)))
    count = 0
    for i in range(len(particles)):
        count = _simulate_particle(rng, particles[i], 1.0, 0.0, 1.0, vertex, of, count)
    for collision in range(len(soft)):
        turn = 2.0 * math.pi * rng.random()
        mirror = 1.0 if rng.random() < 0.5 else -1.0
        z = VERTEX_SIGMA * rng.standard_normal()
        cosine, sine = math.cos(turn), math.sin(turn)
        for i in range(soft[collision, 0], soft[collision, 1]):
            count = _simulate_particle(rng, pool[i], cosine, sine, mirror, z, of, count)
    for i in range(count):
        track = tracks[i]
        track[TRACK_D0] += error_x * math.sin(track[TRACK_PHI]) - error_y * math.cos(track[TRACK_PHI])
        track[TRACK_DZ] += error_z
        if not at_direction:
            track[IMAGE_ETA], track[IMAGE_PHI] = track[ECAL_ETA], track[ECAL_PHI]
        _draw_track(track, frames)
    filled = frames.tracks.ravel()
    for image in (frames.track_d0.ravel(), frames.track_dz.ravel()):
        for i in range(len(filled)):
            if filled[i] > 1.0:
                image[i] /= filled[i]
    read_out(rng, frames.calorimeters, frames.ecal)
    return count


@compiled
def _draw_track(track: NDArray, frames: Frames) -> None:
    row = frame_row(track[IMAGE_ETA])
    if row >= 0:
        column = frame_column(track[IMAGE_PHI])
        frames.tracks[row, column] += 1.0
        frames.track_pt[row, column] += track[TRACK_PT]
        frames.track_d0[row, column] += track[TRACK_D0]
        frames.track_dz[row, column] += track[TRACK_DZ]


@compiled
def _simulate_particle(
    rng: np.random.Generator,
    particle: NDArray,
    cosine: float,
    sine: float,
    mirror: float,
    z_vertex: float,
    of: _Crossing,
    count: int,
) -> int:
    """Carry a particle, turned and mirrored, through the detector; the number of tracks after it."""
    kind = particle[KIND]
    px = cosine * particle[PX] - sine * particle[PY]
    py = sine * particle[PX] + cosine * particle[PY]
    x = cosine * particle[X] - sine * particle[Y]
    y = sine * particle[X] + cosine * particle[Y]
    z = mirror * particle[Z] + z_vertex
    pt = math.hypot(px, py)
    sinh_eta = mirror * particle[PZ] / pt
    start = np.array((particle[CHARGE], particle[ENERGY], x, y, z, math.atan2(py, px), sinh_eta, 0.0))
    if kind in (PHOTON, ELECTRON):
        arrived, born, _, _ = transport(rng, start, of.detector.material, of.arrivals, of.births)
        for arrival in of.arrivals[:arrived]:
            deposit_ecal(rng, of.frames.calorimeters, arrival)
        for birth in of.births[:born]:
            count = _follow(
                rng, birth, birth[ROW_ENERGY] / math.sqrt(1.0 + sinh_eta * sinh_eta), ELECTRON, of, count
            )
        if kind == PHOTON:
            return count
    return _follow(rng, start, pt, kind, of, count)


@compiled
def _follow(
    rng: np.random.Generator, start: NDArray, pt: float, kind: float, of: _Crossing, count: int
) -> int:
    """Tracks and hits of a particle (a row of ``transport``), and of hadrons and muons what they deposit.

    Returns the number of tracks after it.
    """
    charge, energy, x, y, z, phi, sinh_eta, _ = start
    x_ecal, y_ecal, z_ecal = reach(charge, pt, x, y, z, phi, sinh_eta, ECAL_RADIUS, BARREL_END, ENDCAP_FACE)
    if x_ecal == 0.0 and y_ecal == 0.0:
        return count
    frames, tracks = of.frames, of.tracks
    if charge != 0.0:
        _pixel_hits(rng, charge, pt, x, y, z, phi, sinh_eta, of.z_primary, frames.pixels)
    # At the face, a chord has turned half as far as the momentum.
    phi_ecal = phi if charge == 0.0 else 2.0 * math.atan2(y_ecal - y, x_ecal - x) - phi
    arrival = np.array((charge, energy, x_ecal, y_ecal, z_ecal, phi_ecal, sinh_eta, 0.0))
    x_hcal, y_hcal, z_hcal = reach(charge, pt, x, y, z, phi, sinh_eta, HCAL_RADIUS, HCAL_FACE, HCAL_FACE)
    if x_hcal == 0.0 and y_hcal == 0.0:
        x_hcal, y_hcal, z_hcal = x_ecal, y_ecal, z_ecal
    eta_hcal = math.asinh(z_hcal / math.hypot(x_hcal, y_hcal))
    phi_hcal = math.atan2(y_hcal, x_hcal)
    beta = min(pt * math.sqrt(1.0 + sinh_eta * sinh_eta) / energy, 1.0)
    if kind == MUON:
        deposit_muon(rng, frames.calorimeters, arrival, beta)
        deposit_hcal(frames.calorimeters.towers, eta_hcal, phi_hcal, HCAL_MIP)
    elif kind != ELECTRON:
        _, hcal = deposit_hadron_ecal(rng, frames.calorimeters, arrival, beta)
        deposit_hcal(frames.calorimeters.towers, eta_hcal, phi_hcal, hcal)
    if charge == 0.0 or count == len(tracks):
        return count
    eta = math.asinh(sinh_eta)
    if not is_found(rng, kind == MUON, pt, eta, math.hypot(x, y)):
        return count
    dxy, z_beam = impact_parameters(charge, pt, x, y, z, phi, sinh_eta)
    sigma_pt, sigma_d0, sigma_dz = track_resolution(pt, eta)
    track = tracks[count]
    track[TRACK_PT] = pt / max(1.0 + sigma_pt * rng.standard_normal(), 0.1)
    track[TRACK_ETA] = eta
    track[TRACK_PHI] = phi
    track[TRACK_D0] = -dxy + sigma_d0 * rng.standard_normal()
    track[TRACK_DZ] = z_beam - of.z_primary + sigma_dz * rng.standard_normal()
    track[ECAL_ETA] = math.asinh(z_ecal / math.hypot(x_ecal, y_ecal))
    track[ECAL_PHI] = math.atan2(y_ecal, x_ecal)
    track[HCAL_ETA] = eta_hcal
    track[HCAL_PHI] = phi_hcal
    # MLAnalyzer takes eta and phi of the momentum there.
    track[IMAGE_ETA] = eta
    track[IMAGE_PHI] = phi_ecal
    return count + 1


@compiled
def _pixel_hits(
    rng: np.random.Generator,
    charge: float,
    pt: float,
    x: float,
    y: float,
    z: float,
    phi: float,
    sinh_eta: float,
    z_primary: float,
    pixels: NDArray,
) -> None:
    """Hits in the layers of the pixel barrel, drawn where they are seen from the primary vertex."""
    for layer in range(len(PIXEL_RADII)):
        radius = PIXEL_RADII[layer]
        if x * x + y * y >= radius * radius:
            continue
        at_x, at_y, at_z = reach(
            charge, pt, x, y, z, phi, sinh_eta, radius, PIXEL_HALF_LENGTH, PIXEL_HALF_LENGTH
        )
        if abs(at_z) >= PIXEL_HALF_LENGTH or (at_x == 0.0 and at_y == 0.0):
            return
        if rng.random() < PIXEL_EFFICIENCY:
            row = frame_row(math.asinh((at_z - z_primary) / radius))
            if row >= 0:
                pixels[layer, row, frame_column(math.atan2(at_y, at_x))] += 1.0
