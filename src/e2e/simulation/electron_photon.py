"""Electrons and photons in the ECAL barrel, two an event, as RHTree ntuples.

The generation is the same for both particles; everything of an ntuple but its ``gen_*`` branches is
reconstructed from the crystals. The model and its sources: docs/simulation.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from e2e.data.layouts import DIRECTION
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.data.parts import in_part
from e2e.errors import E2EError
from e2e.simulation.compile import compiled
from e2e.simulation.detector import NOMINAL, Detector, streams
from e2e.simulation.ecal import measure
from e2e.simulation.pileup import VERTEX_SIGMA, add_pileup
from e2e.simulation.reconstruction import CANDIDATES, find_candidates, reduce_hits, wrap
from e2e.simulation.shower import COLUMNS, FINE, ROWS, deposit_particle
from e2e.simulation.tracker import ARRIVALS, ELECTRON_MASS, LIGHT, transport
from e2e.tasks import Task

MAXIMUM_ETA = 1.4  # flat, within the barrel: arXiv 1807.11916
# A candidate belongs to the nearest particle within this distance; the vertex spread moves eta by up to 0.1.
MATCHING_RADIUS = 0.2

PDG_IDS = {"photon": 22, "electron": 11}

# Columns of the generated particles; the last two are known after their way through the tracker:
# share of an electron's energy radiated there, radius (cm) where a photon converted, or 0.
_CHARGE, _ENERGY, _ETA, _PHI, _RADIATED, _CONVERSION = range(6)
PARTICLES = 2


def simulate(
    path: str | Path,
    task: Task,
    particle: str,
    objects: int,
    seed: int,
    progress: bool = True,
    tracks: str = DIRECTION,
    detector: Detector = NOMINAL,
    detector_seed: int = 0,
    part: str | None = None,
    sample: str = "",
    pt: Sequence[float] = (50.0,),
) -> None:
    """Write events with two ``particle``s ("electron" or "photon") each to the ROOT file ``path``.

    They are as many as hold ``objects`` of ``task``, whose channels know no ``tracks``; with a ``part`` of
    the split only those events that fall into it, as events of ``sample``. Transverse momenta (GeV) are flat
    in their logarithm between the first and the last of ``pt``. The particles follow from ``seed``, which is
    also the file's run number, and the number of the event, counted from 1 in lumi section 1; what the
    ``detector`` does to them from ``detector_seed``, too. The same arguments give the same bytes, in any
    directory, under the same file name. Beyond the branches of every RHTree it holds gen_fbrem (share of an
    electron's energy radiated in the tracker) and gen_rconv (cm, where a photon converted; 0 if it did not).
    Raises E2EError for an unknown particle or a number out of range.
    """
    if particle not in PDG_IDS:
        raise E2EError(f"{path}: unknown particle {particle!r}; choose one of: {', '.join(PDG_IDS)}")
    if objects < 0 or not 0 <= seed < 2**32:
        raise E2EError(f"{path}: {objects} objects with seed {seed}; give objects >= 0 and 0 <= seed < 2^32")
    low, high = float(pt[0]), float(pt[-1])
    if not (0 < low <= high < math.inf and len(pt) <= 2):
        raise E2EError(f"{path}: transverse momenta from {low:g} to {high:g} GeV; give 0 < low <= high")
    events = -(-objects // PARTICLES)
    chosen = (number for number in count(1) if part is None or in_part(part, sample, seed, 1, number))
    with tqdm(total=events, desc=Path(path).name, unit="event", disable=not progress) as bar:
        made = _events(particle, islice(chosen, events), seed, bar, detector, detector_seed, (low, high))
        write_ntuple(path, made, task=task)


def _events(
    particle: str,
    numbers: Iterable[int],
    seed: int,
    bar: tqdm,
    detector: Detector,
    detector_seed: int,
    momenta: tuple[float, float],
) -> Iterator[Event]:
    energy, delay = np.empty((ROWS, COLUMNS)), np.empty((ROWS, COLUMNS))
    particles = np.empty((PARTICLES, 6))
    candidates = np.empty((CANDIDATES, 5))
    index, value, time = (np.empty(ROWS * COLUMNS, kind) for kind in (np.uint32, np.float32, np.float32))
    for number in numbers:
        generation, rng = streams(seed, number, detector_seed)
        vertex = generate(generation, particle == "electron", momenta, particles)
        found = simulate_event(rng, vertex, energy, delay, particles, candidates, detector)
        hits = reduce_hits(rng, energy, delay, candidates[:found], index, value, time)
        cells = index[:hits].copy()
        yield Event(
            run=seed,
            lumi=1,
            event=number,
            channels={"EB_energy": (cells, value[:hits].copy()), "EB_time": (cells, time[:hits].copy())},
            objects=_objects(candidates[:found], particles, particle),
        )
        bar.update()


@compiled
def generate(
    rng: np.random.Generator, electron: bool, momenta: tuple[float, float], particles: NDArray
) -> tuple[float, float]:
    """Fill ``particles`` [2, 6]: flat in eta, opposite in phi within 45 degrees, random charges.

    Transverse momenta are flat in their logarithm between two ``momenta`` (GeV). Returns z (cm) and time
    (ns) of their vertex.
    """
    vertex = VERTEX_SIGMA * rng.standard_normal(), VERTEX_SIGMA / LIGHT * rng.standard_normal()
    low, high = momenta
    phi = 2.0 * math.pi * rng.random()
    for i in range(PARTICLES):
        eta = MAXIMUM_ETA * (2.0 * rng.random() - 1.0)
        momentum = low * (high / low) ** rng.random() * math.cosh(eta)
        charge, mass = 0.0, 0.0
        if electron:
            charge, mass = (1.0 if rng.random() < 0.5 else -1.0), ELECTRON_MASS
        particles[i] = (charge, math.hypot(momentum, mass), eta, wrap(phi), 0.0, 0.0)
        phi += math.pi + 0.5 * math.pi * (rng.random() - 0.5)
    return vertex


@compiled
def simulate_event(
    rng: np.random.Generator,
    vertex: tuple[float, float],
    energy: NDArray,
    delay: NDArray,
    particles: NDArray,
    candidates: NDArray,
    detector: Detector,
) -> int:
    """One bunch crossing: two generated ``particles`` [2, 6], pileup, the measurement, the candidates.

    Fills the measured energies (GeV) and true mean delays (ns), both [170, 360], what is known of the
    particles after their way through the tracker, and the ``candidates`` [CANDIDATES, 5], whose number it
    returns.
    """
    energy[:] = 0.0
    delay[:] = 0.0
    cells, delays = energy.reshape(ROWS * COLUMNS), delay.reshape(ROWS * COLUMNS)
    arrivals, births = np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 8))
    z, at = vertex
    for i in range(PARTICLES):
        charge, start = particles[i, _CHARGE], particles[i, _ENERGY]
        row = np.array((charge, start, 0.0, 0.0, z, particles[i, _PHI], math.sinh(particles[i, _ETA]), at))
        arrived, _, left, conversion = transport(rng, row, detector.material, arrivals, births)
        particles[i, _RADIATED] = 1.0 - left / start
        particles[i, _CONVERSION] = conversion
        for k in range(arrived):
            deposit_particle(rng, cells, delays, arrivals[k], FINE)
    add_pileup(rng, cells, delays, detector, arrivals, births)
    measure(rng, cells, delays)
    return find_candidates(energy, candidates)


def _objects(candidates: NDArray, particles: NDArray, particle: str) -> dict[str, NDArray]:
    """Object branches of an event's candidates [n, 5]."""
    matched = match(candidates[:, 3:5], particles[:, [_ETA, _PHI]])
    truth = np.where(matched[:, None] >= 0, particles[matched], 0.0)
    real = matched >= 0
    eta = candidates[:, 3]
    return {
        "SC_ieta": candidates[:, 0],
        "SC_iphi": candidates[:, 1],
        "pho_pT": candidates[:, 2] / np.cosh(eta),
        "pho_E": candidates[:, 2],
        "pho_eta": eta,
        "pho_phi": candidates[:, 4],
        # The PDG code of a particle of charge -1 is positive.
        "gen_pdgId": PDG_IDS[particle] * np.where(truth[:, _CHARGE] > 0, -1.0, 1.0) * real,
        "gen_pt": truth[:, _ENERGY] / np.cosh(truth[:, _ETA]),  # the mass of an electron is 1e-9 of it
        "gen_eta": truth[:, _ETA],
        "gen_phi": truth[:, _PHI],
        "gen_m": ELECTRON_MASS * (particle == "electron") * real,
        "gen_fbrem": truth[:, _RADIATED] * (particle == "electron"),
        "gen_rconv": truth[:, _CONVERSION],
    }


def match(candidates: NDArray, particles: NDArray) -> NDArray[np.int64]:
    """Of each candidate (eta, phi) [n, 2], the index of its generated particle [m, 2], or -1.

    Pairs are made by growing distance below MATCHING_RADIUS, each candidate and particle at most once.
    """
    d_eta = candidates[:, None, 0] - particles[None, :, 0]
    d_phi = (candidates[:, None, 1] - particles[None, :, 1] + np.pi) % (2 * np.pi) - np.pi
    distance = np.hypot(d_eta, d_phi)
    matched = np.full(len(candidates), -1)
    for pair in np.argsort(distance, axis=None, kind="stable"):
        i, k = divmod(int(pair), len(particles))
        if distance[i, k] < MATCHING_RADIUS and matched[i] < 0 and k not in matched:
            matched[i] = k
    return matched
