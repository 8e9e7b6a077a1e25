"""The domain of a model: in what of its objects' numbers its training lay, and whether others lie there, too.

Known are, as far as a source tells them, pT and eta, and of each channel of energies or momenta what is seen
of thresholds and pileup: the smallest value of an object's frame, and the number of its hits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np
from numpy.typing import NDArray

from e2e.data.scalars import column, columns_of
from e2e.data.store import Samples
from e2e.data.stream import Stream
from e2e.tasks import SEED_ETA, Domain, Quantity, Range, Task
from e2e.tasks.domain import HITS, SMALLEST

# Of the objects of the training, which lie inside of each range: single ones, from far away, do not widen it.
CENTRAL = 0.99
# A file lies outside where more than this part of its objects does so, and at least so many of them: of
# objects like those of the training it is one of a hundred.
PART, LEAST = 0.05, 6
MOST = 10_000  # objects that are looked at in training: 50 of them make either edge
CHUNK = 512


def learned(stream: Stream, task: Task) -> Domain:
    """That of a training with the objects of ``stream``; of the quantities that are known of any of them."""
    positions = np.unique(np.linspace(0, len(stream) - 1, min(MOST, len(stream))).round().astype(int))
    chunks = (positions[start : start + CHUNK] for start in range(0, len(positions), CHUNK))
    values = np.concatenate([_values(stream.samples(chunk), task) for chunk in chunks])
    edges = (1 - CENTRAL) / 2, (1 + CENTRAL) / 2
    ranges = []
    for about, each in zip(_quantities(task), values.T, strict=True):
        if len(known := each[np.isfinite(each)]):
            low, high = np.quantile(known, edges, method="closest_observation")
            ranges.append(Range(*about, float(low), float(high)))
    return Domain(CENTRAL, tuple(ranges))


class Counts:
    """Counts the objects of a source that lie outside of the ranges of a domain."""

    def __init__(self, domain: Domain, task: Task):
        self.domain, self.task = domain, task
        number = {about: i for i, about in enumerate(_quantities(task))}
        self.places = [number.get((range_.quantity, range_.channel, range_.unit)) for range_ in domain.ranges]
        self.known = np.zeros(len(domain.ranges), np.int64)
        self.beyond = np.zeros(len(domain.ranges), np.int64)

    def add(self, samples: Samples) -> None:
        """Count these objects; what is unknown of one lies nowhere."""
        values = _values(samples, self.task)
        for i, (range_, place) in enumerate(zip(self.domain.ranges, self.places, strict=True)):
            if place is not None:
                known = values[np.isfinite(values[:, place]), place]
                self.known[i] += len(known)
                self.beyond[i] += np.count_nonzero((known < range_.low) | (known > range_.high))

    def outside(self) -> Iterator[str]:
        """Of each range outside of which a source lies, in words."""
        for range_, known, beyond in zip(self.domain.ranges, self.known, self.beyond, strict=True):
            if beyond >= LEAST and beyond > PART * known:
                yield f"{beyond} of {known} objects have {range_}"


def _quantities(task: Task) -> list[tuple[str, str | None, str]]:
    """Quantity, channel and unit of all that is known of the objects of a task."""
    kinematics = [(scalar.name, None, scalar.unit) for scalar in _kinematics(task)]
    energies = [channel for channel in task.channels if channel.unit == "GeV"]
    return [
        *kinematics,
        *((HITS, channel.name, HITS) for channel in energies),
        *((SMALLEST, channel.name, channel.unit) for channel in energies),
    ]


def _kinematics(task: Task) -> list[Quantity]:
    """The seed's eta, what a network may take beside frames, and the pT by which classes are balanced."""
    names = {*task.offered, *task.balance[:1]}
    return [SEED_ETA, *(quantity for quantity in task.kinematics if quantity.name in names)]


def _values(samples: Samples, task: Task) -> NDArray[np.float64]:
    """The ``_quantities`` of objects [N, Q], NaN where one is unknown."""
    known = columns_of(samples)
    kinematics = [np.abs(column(known, quantity, task)) for quantity in _kinematics(task)]
    channels = np.array([channel.unit == "GeV" for channel in task.channels])
    cells = samples.shape[1] * samples.shape[2]
    hits, smallest = _frames(samples.offsets, samples.index, samples.value, cells, len(channels))
    return np.column_stack([*kinematics, hits[:, channels], smallest[:, channels]])


@numba.njit(cache=True)
def _frames(offsets, index, value, cells, channels):
    """Of each object and channel the number of hits, and the smallest magnitude of a value, NaN without."""
    objects = len(offsets) - 1
    hits = np.zeros((objects, channels))
    smallest = np.full((objects, channels), np.nan)
    for i in range(objects):
        for hit in range(offsets[i], offsets[i + 1]):
            channel, magnitude = index[hit] // cells, abs(value[hit])
            hits[i, channel] += 1
            if not smallest[i, channel] <= magnitude:
                smallest[i, channel] = magnitude
    return hits, smallest
