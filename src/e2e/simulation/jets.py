"""Jets of three tasks as RHTree ntuples: quarks and gluons, boosted particles of many masses, taus.

Everything of an ntuple but its branches of truth is reconstructed from tracks and calorimeters. The model and
its sources: docs/simulation-jets.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from e2e import tasks
from e2e.data.ntuple_writer import Event, Sparse, write_ntuple
from e2e.errors import E2EError
from e2e.simulation.crossing import TRACKS, Frames, empty_frames, simulate_crossing
from e2e.simulation.generator import (
    CODE,
    ETA,
    PHI,
    PT,
    Collision,
    minimum_bias,
    parton_collisions,
)
from e2e.simulation.particle_flow import (
    JET_ETA,
    JET_MASS,
    JET_PHI,
    JET_PT,
    SEED_COLUMN,
    SEED_ROW,
    find_jets,
)

MATCHING_RADIUS = 0.4  # MLAnalyzer
POOL = 500  # inelastic collisions of which a file's pileup is made

# Hard QCD, flat enough in transverse momentum to fill all of 70 to 340 GeV: weights of Pythia are not kept.
_QCD = (
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 60.",
    "PhaseSpace:pTHatMax = 320.",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 4.5",
)


@dataclass(frozen=True)
class Sample:
    """Collisions (a function of the seed), their jets, and the branches of truth of the chosen ones.

    Jets are anti-kT of ``radius`` with ``minimum`` to ``maximum`` GeV of transverse momentum within
    ``maximum_eta``. ``truth`` gives, for jets [n, 6] and generated objects [m, 6], which jets are kept [n]
    and their branches.
    """

    collisions: Callable[[int], Iterator[Collision]]
    truth: Callable[[NDArray, NDArray], tuple[NDArray[np.bool_], dict[str, NDArray]]]
    minimum: float
    maximum: float = math.inf
    maximum_eta: float = 2.0
    radius: float = 0.4


def match(jets: NDArray[np.float64], objects: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the generated objects [m, 6] lie within MATCHING_RADIUS of each jet [n, 6]: [n, m]."""
    d_eta = jets[:, None, JET_ETA] - objects[None, :, ETA]
    d_phi = (jets[:, None, JET_PHI] - objects[None, :, PHI] + np.pi) % (2.0 * np.pi) - np.pi
    return np.hypot(d_eta, d_phi) < MATCHING_RADIUS


def _partons(
    jets: NDArray[np.float64], objects: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], dict[str, NDArray]]:
    """All jets; a jet with no parton of the hard process, or with two, has the code 0."""
    close = match(jets, objects)
    alone = close.sum(axis=1) == 1
    parton = np.where(alone, close.argmax(axis=1), 0)
    code = np.abs(objects[parton, CODE]) * alone
    truth = {
        "jetPdgIds": code,
        "jetIsQuark": (code > 0) & (code < 4),
        "gen_pt": objects[parton, PT] * alone,
    }
    return np.ones(len(jets), bool), truth


SAMPLES: dict[str, dict[str, Sample]] = {
    "quark_gluon": {
        "qcd": Sample(partial(parton_collisions, settings=_QCD), _partons, minimum=70.0, maximum=340.0)
    },
}


def simulate(path: str | Path, task: str, sample: str, events: int, seed: int, progress: bool = True) -> None:
    """Write ``events`` events with at least one jet of ``sample`` for ``task`` to the ROOT file ``path``.

    The file's run number is ``seed``, its lumi section 1, its events 1 to ``events``; the same arguments give
    the same bytes, in any directory, under the same file name. It holds the task's channels, seeds and
    kinematics, and its truth. Raises E2EError for an unknown task or sample, or a number out of range.
    """
    if task not in SAMPLES or sample not in SAMPLES[task]:
        known = ", ".join(f"{one} of {name}" for name, samples in SAMPLES.items() for one in samples)
        raise E2EError(f"{path}: unknown sample {sample!r} of task {task!r}; choose one of: {known}")
    if events < 0 or not 0 <= seed < 2**32:
        raise E2EError(f"{path}: {events} events with seed {seed}; give events >= 0 and 0 <= seed < 2^32")
    with tqdm(total=events, desc=Path(path).name, unit="event", disable=not progress) as bar:
        write_ntuple(
            path, _events(tasks.task(task), SAMPLES[task][sample], events, seed, bar), task=tasks.task(task)
        )


def _events(task: tasks.Task, sample: Sample, events: int, seed: int, bar: tqdm) -> Iterator[Event]:
    """``events`` events with jets; collisions without are generated again and not counted."""
    if events == 0:
        return
    detector, hard, soft = np.random.SeedSequence(seed).spawn(3)
    rng = np.random.default_rng(detector)
    pool, offsets = minimum_bias(int(soft.generate_state(1)[0]), POOL)
    frames, tracks = empty_frames(), np.empty((TRACKS, 9))
    number = 0
    for collision in sample.collisions(int(hard.generate_state(1)[0])):
        found = simulate_crossing(rng, collision.particles, pool, offsets, frames, tracks)
        jets = find_jets(frames, tracks[:found], sample.radius, sample.minimum, sample.maximum_eta)
        jets = jets[jets[:, JET_PT] < sample.maximum]
        if not len(jets):
            continue
        keep, truth = sample.truth(jets, collision.objects)
        if not keep.any():
            continue
        number += 1
        branches = _reconstructed(jets) | truth
        yield Event(
            run=seed,
            lumi=1,
            event=number,
            channels=_hits(task, frames),
            objects={name: np.asarray(values, np.float32)[keep] for name, values in branches.items()},
        )
        bar.update()
        if number == events:
            return


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
