"""One part of a split as a stream: objects in any order, whose hits are read when they are asked for.

Hits stay in memory until later row groups need their place. A part whose hits all fit is read once; of a
larger one, ``Stream.order`` makes a shuffled order that reads each row group about once an epoch.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e.data import images, split
from e2e.data.parts import ALL, Labels
from e2e.data.store import IDENTITY, SEED, Samples, copy_hits, gather
from e2e.errors import E2EError

MEMORY = 1 << 30  # bytes of hits held by each process
HIT = 8  # bytes: a uint32 and a float32


class Stream:
    """The objects of one part of store files, by position 0 to N - 1; those with truth if ``labelled``.

    Of these only the ``labels``, where they are to be few.

    ``objects`` is a table of their identity, seed, target and kinematics (NaN where unknown), ``weight`` [N]
    what each counts in training and measuring (NaN without truth); positions go through the files in the
    order of the split, and within a file by row. ``shape`` is (C, H, W).
    A stream may be sent to another process, which then holds hits of its own.
    """

    def __init__(
        self,
        stores: Sequence[str | Path],
        split_path: str | Path,
        part: str,
        memory: int = MEMORY,
        labelled: bool = True,
        labels: Labels = ALL,
    ):
        """Open one part (``split.PARTS``) of the ``stores`` that ``split_path`` was made from.

        At most ``memory`` bytes of hits are held, unless a single row group has more. Raises E2EError for
        stores that are not those of the split or describe different things, and for a part without objects.
        """
        self.labelled = labelled
        files, tables = zip(*split.read_part(stores, split_path, part, labelled, labels), strict=True)
        self._nothing = Samples.concatenate([file.metadata.nothing() for file in files])
        self.objects = pd.concat(tables, ignore_index=True)
        self.weight = self.objects.pop("weight").to_numpy(np.float32)
        if not len(self.objects):
            wanted = "object with truth" if labelled else "object"
            raise E2EError(f"{split_path}: no {wanted} in part {part!r}; convert more events")
        self.shape, self.channels, self.classes = (
            getattr(self._nothing, name) for name in ("shape", "channels", "classes")
        )
        self._columns = {name: self.objects[name].to_numpy() for name in self.objects}
        self._columns["sample"] = self._columns["sample"].astype(str)
        self._groups, hits, samples = [], [], []  # those that hold an object of the part
        for file, table in zip(files, tables, strict=True):
            for group, rows in _by_group(file.rows, table.index.to_numpy()):
                self._groups.append((file, group, rows))
                hits.append(file.hits[group])
                samples.append(file.metadata.sample)
        counts = [len(rows) for _, _, rows in self._groups]
        self._group = np.repeat(np.arange(len(counts)), counts)
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._sample = np.unique(samples, return_inverse=True)[1]
        self._capacity = max(min(memory // HIT, sum(hits)), max(hits))
        # Row groups that surely fit at a time; the ring of hits may leave the place of one at its end.
        self.window = len(hits) if sum(hits) <= self._capacity else max(self._capacity // max(hits) - 2, 1)
        self._held: _Ring | None = None

    def __len__(self) -> int:
        return len(self.objects)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_held": None}

    @property
    def target(self) -> NDArray[np.float32]:
        """Targets [N]."""
        return self._columns["target"]

    def samples(self, positions: NDArray[np.integer]) -> Samples:
        """The objects at ``positions``, in that order. Row groups that are not in memory are read."""
        positions = np.asarray(positions)
        if not self._hold(positions):
            return Samples.concatenate([self.samples(half) for half in _halves(positions)])
        held = self._held
        offsets, index, value = gather(held.start[positions], held.count[positions], held.index, held.value)
        columns = {name: column[positions] for name, column in self._columns.items()}
        return replace(
            self._nothing,
            **{name: columns[name] for name in (*IDENTITY, *SEED, "target")},
            kinematics={name: columns[name] for name in self._nothing.kinematics},
            offsets=offsets,
            index=index,
            value=value,
        )

    def images(self, positions: NDArray[np.integer]) -> NDArray[np.float32]:
        """Frames [n, C, H, W] of the objects at ``positions``: those of ``samples``, without its columns."""
        positions = np.asarray(positions)
        if not self._hold(positions):
            return np.concatenate([self.images(half) for half in _halves(positions)])
        held = self._held
        return images.images(held.start[positions], held.count[positions], held.index, held.value, self.shape)

    def chunks(self, objects: int) -> Iterator[Samples]:
        """All objects by position, ``objects`` at a time."""
        for start in range(0, len(self), objects):
            yield self.samples(np.arange(start, min(start + objects, len(self))))

    def order(self, permutation: NDArray[np.integer]) -> NDArray[np.integer]:
        """A shuffled order of all positions, fit for reading.

        It is ``permutation`` itself where all hits fit in memory. Otherwise row groups are taken in the order
        in which ``permutation`` comes to them, the samples in turn according to their numbers; each object
        then comes, at the place that ``permutation`` gives it, while its row group is one of ``window`` that
        pass by. So a batch is a mixture of ``window`` row groups, and each of them is read about once.
        """
        if self.window == len(self._groups):
            return permutation
        group = self._group[permutation]
        arrival = np.unique(group, return_index=True)[1]
        rank = np.empty(len(arrival), np.int64)
        rank[np.argsort(_in_turn(arrival, self._sample), kind="stable")] = np.arange(len(arrival))
        time = rank[group] + self.window * np.arange(len(group)) / len(group)
        return permutation[np.argsort(time, kind="stable")]

    def _hold(self, positions: NDArray[np.integer]) -> bool:
        """Read the hits of these objects where need be; False if they do not fit in memory at a time."""
        if self._held is None:
            self._held = _Ring(len(self), self._capacity)
        start = self._held.start
        for group in np.unique(self._group[positions[start[positions] < 0]]):
            file, number, rows = self._groups[group]
            offsets, index, value = file.hits_of(number)
            objects = slice(self._first[group], self._first[group + 1])
            self._held.add(objects, offsets[rows], offsets[rows + 1] - offsets[rows], index, value)
        return bool(np.all(start[positions] >= 0))


class _Ring:
    """Hits of row groups in the order in which they were read; the oldest make room for the next.

    Those of object i are the ``count[i]`` ones from ``start[i]`` on of ``index`` and ``value``, or not
    here if ``start[i]`` is negative.
    """

    def __init__(self, objects: int, capacity: int):
        self.start = np.full(objects, -1, np.int64)
        self.count = np.zeros(objects, np.int64)
        # Anonymous maps take memory page by page as it fills; NumPy's own arrays would ask for huge pages.
        self.index, self.value = (
            np.frombuffer(mmap.mmap(-1, max(capacity, 1) * HIT // 2), kind)
            for kind in (np.uint32, np.float32)
        )
        self._groups: deque[tuple[int, slice]] = deque()  # where each began, on a line that goes on and on
        self._end = 0

    def add(self, objects: slice, start: NDArray, count: NDArray, index: NDArray, value: NDArray) -> None:
        """Take in hits of ``objects``: the ``count`` ones from ``start`` on of ``index`` and ``value``."""
        capacity, hits = len(self.index), int(count.sum())
        begin = self._end
        if begin % capacity + hits > capacity:  # a row group lies in one piece
            begin += capacity - begin % capacity
        self._end = begin + hits
        while self._groups and self._groups[0][0] < self._end - capacity:
            self.start[self._groups.popleft()[1]] = -1
        self._groups.append((begin, objects))
        place = begin % capacity
        copy_hits(start, count, index, value, self.index[place:], self.value[place:])
        self.start[objects] = place + np.cumsum(count) - count
        self.count[objects] = count


def _halves(positions: NDArray) -> list[NDArray]:
    return np.split(positions, [len(positions) // 2])


def _by_group(sizes: Sequence[int], rows: NDArray) -> Iterator[tuple[int, NDArray]]:
    """The row groups, of these ``sizes``, that hold some of the ascending ``rows``, and which of theirs."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    places = np.searchsorted(rows, edges)
    for group in np.flatnonzero(np.diff(places)):
        yield int(group), rows[places[group] : places[group + 1]] - edges[group]


def _in_turn(arrival: NDArray, sample: NDArray) -> NDArray[np.floating]:
    """Keys that sort row groups by arrival within their sample, with the samples evenly mixed."""
    key = np.empty(len(arrival))
    for name in np.unique(sample):
        members = np.flatnonzero(sample == name)
        key[members[np.argsort(arrival[members])]] = (np.arange(len(members)) + 0.5) / len(members)
    return key
