"""Which of the objects that a file lists is which seed's: by its momentum and its direction.

All arrays are flat: N places, event by event, of seeds or of what is listed for them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from e2e.data.layouts import OWN
from e2e.geometry import CELL, FIRST_PHI, TOWER, TOWER_ETA
from e2e.tasks import Task

# A seed is the hottest of the towers around the object's axis, this many to each side; one more for what
# the listed direction differs from it.
REACH = (OWN["window"] + 2) / 2


def distances(
    task: Task, row: NDArray, column: NDArray, eta: NDArray, phi: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many towers a direction lies away from the middle of a seed, along rows and along columns."""
    size = TOWER / task.seed_cell  # of a tower in what seeds count
    rows, columns = (cells / task.seed_cell for cells in task.detector)
    along_eta = (eta / TOWER_ETA * size + rows / 2 - (row + 0.5)) / size
    along_phi = (phi - FIRST_PHI) / CELL / task.seed_cell - (column + 0.5)
    around = (along_phi + columns / 2) % columns - columns / 2
    return np.abs(along_eta), np.abs(around) / size


def falling_order(owner: NDArray[np.int64], falling: NDArray) -> NDArray[np.int64]:
    """The places [N] that bring what is listed by event (``owner`` [N]) into falling order, stably."""
    return np.lexsort((np.arange(len(owner)), -falling, owner))


def ties(owner: NDArray[np.int64], sorted_: NDArray) -> Iterator[slice]:
    """Places of each event at which a number of ``sorted_`` [N] stands more than once."""
    same = (owner[1:] == owner[:-1]) & (sorted_[1:] == sorted_[:-1])
    borders = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(owner)]])
    for start, stop in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        if stop - start > 1:
            yield slice(start, stop)


def resolve(fits: NDArray[np.bool_], seeds: NDArray, listed: NDArray) -> list[int | None]:
    """Which of n listed objects belongs to each of n seeds, by ``fits`` [seeds, listed]; None: unclear.

    ``seeds`` [n] and ``listed`` [n] number what is different among them. It is clear where all that fits to
    a seed is of one kind, and fits to no other seed.
    """
    found: list[int | None] = []
    used: dict[int, int] = {}
    for i, seed in enumerate(seeds.tolist()):
        candidates = np.flatnonzero(fits[i])
        clear = len(set(listed[candidates].tolist())) == 1 and not fits[seeds != seed][:, candidates].any()
        number = used.get(seed, 0)
        used[seed] = number + 1
        found.append(int(candidates[number % len(candidates)]) if clear else None)
    return found
