"""The collisions that bunch crossings take their pileup from: one pool for all files of all classes.

A collision meets many crossings, each time turned and mirrored anew. Had each file collisions of its own, a
network could tell files, and so classes, by them; were a collision to meet events of two parts of the
split, what is learned of it would be seen again in the test. So the pool is shared, and divided as the split.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from e2e.data.parts import FRACTIONS, PARTS, part
from e2e.errors import E2EError
from e2e.files import Kind, local_path, output_path, whole
from e2e.simulation.generator import minimum_bias

COLLISIONS, SEED = 20_000, 1
FEW = 2_000  # of a file that is simulated by itself
FEWEST = 10  # so that each part has some
POOL = Kind("a pool of collisions", (".npz",), zipfile.is_zipfile)


@dataclass(frozen=True, eq=False)
class Pool:
    """``particles`` [n, 9] (see ``generator``) of collisions, each from one of ``offsets`` to the next."""

    particles: NDArray[np.float64]
    offsets: NDArray[np.int64]

    def share(self, place: int) -> NDArray[np.int64]:
        """The offsets of the collisions for a part of the split, by its position in ``PARTS``."""
        edges = np.round(np.cumsum([0.0, *FRACTIONS]) * (len(self.offsets) - 1)).astype(int)
        return self.offsets[edges[place] : edges[place + 1] + 1]


class Deck:
    """Collisions that are dealt in a random order, all of them once before any comes again.

    Drawn at random, some would be met often in one file and never in another, and tell it.
    """

    def __init__(self, offsets: NDArray[np.int64], rng: np.random.Generator):
        self._collisions = np.stack([offsets[:-1], offsets[1:]], axis=1)
        self._rng = rng
        self._left = self._collisions[:0]

    def deal(self, number: int) -> NDArray[np.int64]:
        """First row of the pool's particles, and that after the last, of so many collisions [number, 2]."""
        while len(self._left) < number:
            self._left = np.concatenate([self._left, self._rng.permutation(self._collisions)])
        dealt, self._left = self._left[:number], self._left[number:]
        return dealt


class Pileup:
    """The collisions of a ``pool`` for a file's events of ``sample``: those of the parts they fall into.

    They do so by their names, so stores of these events have to keep the sample's. Their order follows from
    ``seed``, and that of pileup from ``detector_seed``, too (``simulation.detector``).
    """

    def __init__(self, pool: Pool, sample: str, seed: int, detector_seed: int = 0):
        self.pool, self.sample = pool, sample
        self._underlying, self._decks = (
            [Deck(pool.share(i), np.random.default_rng((seed, i, *more))) for i in range(len(PARTS))]
            for more in ((), (1, detector_seed))
        )

    def deck(self, run: int, lumi: int, event: int) -> Deck:
        """That of an event's part."""
        return self._decks[self._part(run, lumi, event)]

    def underlying(self, run: int, lumi: int, event: int) -> Deck:
        """That of what is generated with the events of this event's part."""
        return self._underlying[self._part(run, lumi, event)]

    def _part(self, run: int, lumi: int, event: int) -> int:
        (place,) = part(np.array([self.sample]), *(np.array([number]) for number in (run, lumi, event)))
        return int(place)


def generate(collisions: int = COLLISIONS, seed: int = SEED, progress: bool = True) -> Pool:
    """A pool by Pythia; raises E2EError for too few collisions to divide, or a seed out of range."""
    if collisions < FEWEST or not 0 <= seed < 2**32:
        raise E2EError(
            f"a pool of {collisions} collisions with seed {seed}: give at least {FEWEST}, some for each of "
            f"{', '.join(PARTS)}, and 0 <= seed < 2^32"
        )
    with tqdm(total=collisions, desc="Pileup", unit="collision", disable=not progress) as bar:
        particles, offsets = minimum_bias(seed, collisions, bar.update)
    return Pool(particles.astype(np.float32).astype(np.float64), offsets)  # what a file holds of it


def write(path: str | Path, collisions: int, seed: int, progress: bool = True) -> None:
    """Generate a pool into the file ``path`` (.npz); the same arguments give the same bytes."""
    output_path(path, kind=POOL)
    pool = generate(collisions, seed, progress)
    with whole(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, particles=pool.particles.astype(np.float32), offsets=pool.offsets)


def read(path: str | Path) -> Pool:
    """The pool in a file of ``write``; raises E2EError for any other file."""
    path = local_path(path)
    try:
        with np.load(path, allow_pickle=False) as found:
            particles, offsets = found["particles"].astype(np.float64), found["offsets"]
        starts = offsets.ndim == 1 and len(offsets) > 1 and (np.diff(offsets) >= 0).all() and offsets[0] == 0
        if not starts or particles.shape != (offsets[-1], 9) or not np.isfinite(particles).all():
            raise ValueError("its arrays do not fit")
    except FileNotFoundError:
        raise E2EError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise E2EError(f"{path}: no pool of collisions ({reason}); remove it, and it is made anew") from None
    return Pool(particles, offsets.astype(np.int64))
