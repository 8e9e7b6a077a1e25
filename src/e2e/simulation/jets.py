"""Jets as RHTree ntuples: quarks and gluons, boosted particles of many masses, taus.

Everything of an ntuple but its branches of truth is reconstructed from tracks and calorimeters. The model and
its sources: docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from e2e import tasks
from e2e.data.ntuple_writer import Event, Sparse, write_ntuple
from e2e.data.parts import in_part
from e2e.errors import E2EError
from e2e.geometry import DIRECTION, JET_RADIUS, POINT
from e2e.simulation.crossing import TRACK_COLUMNS, TRACKS, Frames, empty_frames, simulate_crossing
from e2e.simulation.detector import NOMINAL, Detector, streams
from e2e.simulation.generator import (
    CODE,
    ETA,
    MASS,
    PHI,
    PI0S,
    PRONGS,
    PT,
    Collision,
    hard_collisions,
    tau_collisions,
)
from e2e.simulation.guns import ditau_gun, top_gun
from e2e.simulation.particle_flow import (
    JET_CHARGED,
    JET_ETA,
    JET_MASS,
    JET_PHI,
    JET_PT,
    JET_PTD,
    JET_WIDTH,
    SEED_COLUMN,
    SEED_ROW,
    find_jets,
    particle_jets,
)
from e2e.simulation.pileup import VERTEX_SIGMA
from e2e.simulation.pileup_pool import Pileup

MATCHING_RADIUS = 0.4  # MLAnalyzer
# Branches of the jets of generated particles, for validation, and the least momentum (GeV) of one.
PARTICLE_JETS = {
    "gen_jetPt": JET_PT,
    "gen_jetM": JET_MASS,
    "gen_jetCharged": JET_CHARGED,
    "gen_jetWidth": JET_WIDTH,
    "gen_jetPtD": JET_PTD,
}
TRUE_MINIMUM = 5.0
NO_PARTON = -99.0  # MLAnalyzer

# Ranges of the phase space are filled nearly evenly; weights of Pythia are not kept.
_QCD = (
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 60.",
    "PhaseSpace:pTHatMax = 320.",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 4.5",
)
_SOFT_QCD = (
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 12.",
    "PhaseSpace:pTHatMax = 90.",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 5.",
)
# Of a W boson, whose muon is no jet, and a quark or, more rarely, a gluon.
_W_AND_JET = (
    "WeakBosonAndParton:qg2Wq = on",
    "WeakBosonAndParton:qqbar2Wg = on",
    "24:onMode = off",
    "24:onIfAny = 13",
    "PhaseSpace:pTHatMin = 12.",
    "PhaseSpace:pTHatMax = 90.",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 2.",
)
# Z bosons and photons of these masses (GeV) in turn: the peak, and enough above it that what they decay to
# has momenta of all the range.
_Z_MASSES = ((60, 120), (120, 160), (160, 260))
# Jets whose image lies in the detector come from no generated object beyond: 1.74 of the jets and the radius.
_REACH = 1.74 + MATCHING_RADIUS
# GeV: transverse momentum of what a jet of 15 GeV may come from, of a tau that of the visible part.
GENERATED_MINIMUM = 10.0
TAU = 15
PARTONS, LEPTONS = (1, 2, 3, 4, 5, 21), (11, 13)


@dataclass(frozen=True)
class Sample:
    """Collisions (a function of the seed), their jets, and the branches of truth of the chosen ones.

    Jets are anti-kT of ``radius`` with ``minimum`` to ``maximum`` GeV of transverse momentum within
    ``maximum_eta``. ``truth`` gives, for jets [n, 6] and generated objects [m, 7], which jets are kept [n]
    and their branches. Where ``flat`` is a number, jets are kept such that as many lie in each of so many
    bins from ``minimum`` to ``maximum``. A particle of a gun gets an ``underlying`` inelastic collision.
    """

    collisions: Callable[[int], Iterator[Collision]]
    truth: Callable[[NDArray, NDArray], tuple[NDArray[np.bool_], dict[str, NDArray]]]
    minimum: float
    maximum: float = math.inf
    radius: float = JET_RADIUS
    flat: int = 0
    underlying: bool = False


def _z_collisions(
    collisions: Callable[[int, Sequence[str]], Iterator[Collision]], leptons: str, seed: int
) -> Iterator[Collision]:
    """Collisions with a Z boson or photon that decays to ``leptons``, of each range of masses in turn."""
    ranges = [
        collisions(
            seed + i,
            (
                "WeakSingleBoson:ffbar2gmZ = on",
                "23:onMode = off",
                f"23:onIfAny = {leptons}",
                f"PhaseSpace:mHatMin = {low}.",
                f"PhaseSpace:mHatMax = {high}.",
            ),
        )
        for i, (low, high) in enumerate(_Z_MASSES)
    ]
    for generator in cycle(ranges):
        yield next(generator)


def distances(
    jets: NDArray[np.float64], eta: NDArray[np.float64], phi: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances [n, m] of jets [n, 6] from directions ``eta`` and ``phi`` [m]."""
    d_eta = jets[:, None, JET_ETA] - eta
    d_phi = (jets[:, None, JET_PHI] - phi + np.pi) % (2.0 * np.pi) - np.pi
    return np.hypot(d_eta, d_phi)


def _partons(jets: NDArray[np.float64], partons: NDArray[np.float64]) -> tuple[NDArray, dict[str, NDArray]]:
    """All jets; one near no parton of the hard process, or near two, has the code NO_PARTON."""
    close = distances(jets, partons[:, ETA], partons[:, PHI]) < MATCHING_RADIUS
    alone = close.sum(axis=1) == 1
    parton = partons[close.argmax(axis=1)] * alone[:, None]
    code = np.abs(parton[:, CODE])
    truth = {"jet_truthLabel": np.where(code > 0, parton[:, CODE], NO_PARTON), "gen_pt": parton[:, PT]}
    return np.ones(len(jets), bool), truth


def _mother(jets: NDArray[np.float64], mothers: NDArray[np.float64]) -> tuple[NDArray, dict[str, NDArray]]:
    """The jet nearest to the particle of a gun, with the particle's mass and momentum."""
    distance = distances(jets, mothers[:, ETA], mothers[:, PHI])[:, 0]
    nearest = (distance == distance.min()) & (distance < MATCHING_RADIUS)
    names = {"a_m": MASS, "a_pt": PT, "a_eta": ETA, "a_phi": PHI}
    return nearest, {name: np.full(len(jets), mothers[0, column]) for name, column in names.items()}


def _near_one(
    codes: Sequence[int], jets: NDArray[np.float64], found: NDArray[np.float64]
) -> tuple[NDArray, dict[str, NDArray]]:
    """Jets near one generated object alone, with its branches; those of these PDG ``codes`` are kept."""
    found = found[found[:, PT] > GENERATED_MINIMUM]
    close = distances(jets, found[:, ETA], found[:, PHI]) < MATCHING_RADIUS
    alone = close.sum(axis=1) == 1
    if not alone.any():
        return alone, {}
    generated = found[close.argmax(axis=1)]
    names = {"gen_pdgId": CODE, "gen_pt": PT, "gen_eta": ETA, "gen_phi": PHI, "gen_m": MASS}
    names |= {"gen_Prongs": PRONGS, "gen_Pi0s": PI0S}
    truth = {name: generated[:, column] for name, column in names.items()}
    code = np.abs(generated[:, CODE])
    pt, eta, phi, mass = (jets[:, column] for column in (JET_PT, JET_ETA, JET_PHI, JET_MASS))
    truth |= {"jet_IsTau": (code == TAU).astype(float), "jet_Pt": pt, "jet_Eta": eta, "jet_M": mass}
    truth |= {"jet_Energy": np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)}
    truth |= {"jet_Px": pt * np.cos(phi), "jet_Py": pt * np.sin(phi), "jet_Pz": pt * np.sinh(eta)}
    return alone & np.isin(code, codes), truth


_TAU_JETS = {"minimum": 15.0, "maximum": 60.0, "flat": 9}

_TAUS = partial(_z_collisions, tau_collisions, "15")
_ELECTRONS_AND_MUONS = partial(_z_collisions, hard_collisions, "11 13")

# By the names that files of tasks give them.
GENERATORS: dict[str, Sample] = {
    "qcd": Sample(partial(hard_collisions, settings=_QCD), _partons, 70.0, 340.0),
    "a_tautau": Sample(ditau_gun, _mother, 20.0, underlying=True),
    "top": Sample(top_gun, _mother, 200.0, radius=0.8, underlying=True),
    "tau": Sample(_TAUS, partial(_near_one, (TAU,)), **_TAU_JETS),
    "soft_qcd": Sample(
        partial(hard_collisions, settings=_SOFT_QCD), partial(_near_one, PARTONS), **_TAU_JETS
    ),
    "w_and_jet": Sample(
        partial(hard_collisions, settings=_W_AND_JET), partial(_near_one, PARTONS), **_TAU_JETS
    ),
    "electrons_and_muons": Sample(_ELECTRONS_AND_MUONS, partial(_near_one, LEPTONS), **_TAU_JETS),
}


def simulate(
    path: str | Path,
    task: tasks.Task,
    generator: str,
    objects: int,
    seed: int,
    pileup: Pileup,
    progress: bool = True,
    tracks: str = DIRECTION,
    detector: Detector = NOMINAL,
    detector_seed: int = 0,
    part: str | None = None,
) -> None:
    """Write events of a ``generator`` for ``task`` to the ROOT file ``path``, until they have ``objects``.

    Bunch crossings have ``pileup`` and meet the ``detector``. Tracks lie at the ``direction`` of their
    momentum on the ECAL's face, as MLAnalyzer writes them, or at the ``point`` where they meet it.

    Collisions follow from ``seed``, which is also the file's run number, and are the events of lumi section
    1, counted from 1; those without jets are left out, and with a ``part`` of the split those of other parts.
    What the detector does to them follows from ``detector_seed``, too. The same arguments give the same
    bytes, in any directory, under the same file name. The last event may bring more jets than are missing.
    The file holds the task's channels, seeds, kinematics and truth. Raises E2EError for an unknown
    generator, or a number out of range.
    """
    if generator not in GENERATORS:
        raise E2EError(f"{path}: no generator {generator!r} of jets; choose one of: {', '.join(GENERATORS)}")
    if tracks not in (DIRECTION, POINT):
        raise E2EError(f"{path}: tracks at {tracks!r}; choose {DIRECTION} or {POINT}")
    if objects < 0 or not 0 <= seed < 2**32:
        raise E2EError(f"{path}: {objects} jets with seed {seed}; give jets >= 0 and 0 <= seed < 2^32")
    with tqdm(total=objects, desc=Path(path).name, unit="jet", disable=not progress) as bar:
        events = _events(
            task,
            GENERATORS[generator],
            objects,
            seed,
            pileup,
            bar,
            tracks == DIRECTION,
            detector,
            detector_seed,
            part,
        )
        write_ntuple(path, events, task=task, tracks=tracks)


def _events(
    task: tasks.Task,
    sample: Sample,
    objects: int,
    seed: int,
    pileup: Pileup,
    bar: tqdm,
    at_direction: bool,
    detector: Detector,
    detector_seed: int,
    part: str | None,
) -> Iterator[Event]:
    """Events until they hold ``objects`` jets; collisions without jets are left out."""
    if objects == 0:
        return
    frames, tracks, pool = empty_frames(), np.empty((TRACKS, TRACK_COLUMNS)), pileup.pool.particles
    count, flat = 0, _Flat(sample)
    hard = int(np.random.SeedSequence(seed).generate_state(1)[0])
    for number, collision in enumerate(sample.collisions(hard), 1):
        if part is not None and not in_part(part, pileup.sample, seed, 1, number):
            continue
        generated = collision.objects[np.abs(collision.objects[:, ETA]) < _REACH]
        if not len(generated):
            continue
        particles, event = collision.particles, (seed, 1, number)
        generation, rng = streams(seed, number, detector_seed)
        if sample.underlying:
            dealt = pileup.underlying(*event).deal(1)
            particles = np.concatenate([particles, *(pool[slice(*rows)] for rows in dealt)])
        vertex = VERTEX_SIGMA * generation.standard_normal()
        soft = pileup.deck(*event).deal(rng.poisson(detector.pileup_mean))
        found = simulate_crossing(rng, particles, pool, soft, frames, tracks, at_direction, detector, vertex)
        jets = find_jets(frames, tracks[:found], sample.radius, sample.minimum)
        jets = jets[jets[:, JET_PT] < sample.maximum]
        if not len(jets):
            continue
        keep, truth = sample.truth(jets, generated)
        keep = flat.choose(jets, keep)
        if not keep.any():
            continue
        branches = _reconstructed(jets) | truth | _of_particles(jets, particles, sample.radius)
        yield Event(
            run=seed,
            lumi=1,
            event=number,
            channels=_hits(task, frames),
            objects={name: np.asarray(values, np.float32)[keep] for name, values in branches.items()},
        )
        count += int(keep.sum())
        bar.update(int(keep.sum()))
        if count >= objects:
            return


class _Flat:
    """Chooses jets such that none of a sample's bins of transverse momentum runs ahead of the others."""

    AHEAD = 10

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.counts = np.zeros(max(sample.flat, 1), int)

    def choose(self, jets: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of the jets [n, 6] to ``keep`` [n], those that are kept."""
        if not self.sample.flat:
            return keep
        low, high = self.sample.minimum, self.sample.maximum
        chosen = np.zeros(len(jets), bool)
        for i in np.flatnonzero(keep):
            place = int((jets[i, JET_PT] - low) / (high - low) * self.sample.flat)
            if self.counts[place] < self.counts.min() + self.AHEAD:
                self.counts[place] += 1
                chosen[i] = True
        return chosen


def _reconstructed(jets: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Object branches of jets [n, 6]."""
    return {
        "jetSeed_ieta": jets[:, SEED_ROW],
        "jetSeed_iphi": jets[:, SEED_COLUMN],
        "jetPt": jets[:, JET_PT],
        "jetEta": jets[:, JET_ETA],
        "jetPhi": jets[:, JET_PHI],
        "jetM": jets[:, JET_MASS],
    }


def _of_particles(
    jets: NDArray[np.float64], particles: NDArray[np.float64], radius: float
) -> dict[str, NDArray[np.float64]]:
    """Branches of the jets of generated particles nearest to jets [n, 6]; 0 where none is near."""
    true = particle_jets(particles, radius, TRUE_MINIMUM)
    if not len(true):
        return {name: np.zeros(len(jets)) for name in PARTICLE_JETS}
    distance = distances(jets, true[:, JET_ETA], true[:, JET_PHI])
    near = distance.min(axis=1) < 0.5 * radius
    nearest = true[distance.argmin(axis=1)] * near[:, None]
    return {name: nearest[:, column] for name, column in PARTICLE_JETS.items()}


def _hits(task: tasks.Task, frames: Frames) -> dict[str, Sparse]:
    """The task's channels, as hits."""
    images = {
        tasks.TRACK_PT: frames.track_pt,
        tasks.TRACK_DZ: frames.track_dz,
        tasks.TRACK_D0: frames.track_d0,
        tasks.ECAL: frames.ecal,
        tasks.HCAL: frames.calorimeters.towers,
        **dict(zip(tasks.PIXELS, frames.pixels, strict=True)),
    }
    hits = {}
    for channel in task.channels:
        image = images[channel].ravel()
        index = np.flatnonzero(image).astype(np.uint32)
        hits[channel.name] = index, image[index].astype(np.float32)
    return hits
