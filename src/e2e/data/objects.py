"""The objects of an ntuple: their seeds, truth and kinematics, each paired with the image it belongs to.

Analyzers list objects in their own ways (docs/ntuples.md). Whatever cannot be told to belong to a seed is
null, and counted; where seeds themselves cannot be told apart, the file is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2e.data import baskets
from e2e.data.layouts import OWN, Layout, Source
from e2e.data.ntuple import event_name, reading
from e2e.errors import E2EError
from e2e.geometry import FIRST_TOWER, TOWER_ETA, TOWERS
from e2e.tasks import Task

EVENTS = 2000  # read at once: lists of candidates are long
TWICE = "listed_twice"
MOST = 1000  # objects an event: more than any collision has, and as many as fit into memory


@dataclass(frozen=True, eq=False)
class Objects:
    """N objects, event by event.

    ``entry`` [N] ascends, ``number`` [N] counts an event's seeds, listed twice or not; ``row`` and ``column``
    [N] are the seeds'. ``target`` [N] is NaN without truth, and so is ``kinematics``, name to float32 [N],
    without a value. ``twice`` counts objects that were left out as they were listed before; ``notes`` what
    else was found.
    """

    entry: NDArray[np.int64]
    number: NDArray[np.uint32]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    target: NDArray[np.float32]
    kinematics: dict[str, NDArray[np.float32]]
    twice: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    def between(self, start: int, stop: int) -> slice:
        """Those of the entries from ``start`` until ``stop``."""
        return slice(*np.searchsorted(self.entry, (start, stop)).tolist())


def read(
    path: str | Path, tree: uproot.TTree, task: Task, layout: Layout, label: str | None = None
) -> Objects:
    """All objects of a tree; ``label`` is the class of every one, for a sample that is a class.

    Raises E2EError, naming file, event and branch, for seeds that are no cell of the detector, and for
    objects in another order than their seeds that do not fit to them.
    """
    counts: Counter[str] = Counter()
    order = [layout.order.falling, *layout.order.direction] if layout.order else []
    for branch in (*layout.seeds, *order):
        baskets.check_vectors(path, tree, branch)
    pieces = []
    for start in range(0, max(tree.num_entries, 1), EVENTS):
        with reading(path):
            pieces.append(_Chunk(path, tree, task, layout, start, counts).objects(label))
    names = [quantity.name for quantity in task.kinematics]
    return Objects(
        **{
            name: np.concatenate([getattr(piece, name) for piece in pieces])
            for name in ("entry", "number", "row", "column", "target")
        },
        kinematics={name: np.concatenate([piece.kinematics[name] for piece in pieces]) for name in names},
        twice=counts.pop(TWICE, 0),
        notes={about: f"null for {count} objects" for about, count in sorted(counts.items())},
    )


class _Chunk:
    """The objects of ``EVENTS`` entries from ``start`` on."""

    def __init__(
        self,
        path: str | Path,
        tree: uproot.TTree,
        task: Task,
        layout: Layout,
        start: int,
        counts: Counter[str],
    ) -> None:
        self.path, self.tree, self.task, self.layout, self.start, self.counts = (
            path,
            tree,
            task,
            layout,
            start,
            counts,
        )
        rows, columns = (self._lists(branch) for branch in layout.seeds)
        self.seeds = ak.to_numpy(ak.num(rows))
        for lists, branch in zip((rows, columns), layout.seeds, strict=True):
            found = ak.to_numpy(ak.num(lists))
            for i in np.flatnonzero(found > MOST)[:1]:
                raise self._error(i, f"{branch} has {found[i]} objects; an event has at most {MOST}")
        for i in np.flatnonzero(self.seeds != ak.to_numpy(ak.num(columns)))[:1]:
            raise self._error(
                i,
                f"{layout.seeds[1]} has {len(columns[i])} objects, {layout.seeds[0]} {len(rows[i])}; "
                "a seed needs both",
            )
        self.owner = np.repeat(np.arange(len(self.seeds)), self.seeds)
        self.row = self._seed(rows, layout.seeds[0], task.detector[0])
        self.column = self._seed(columns, layout.seeds[1], task.detector[1])
        self.sorter = self._sorter()

    def objects(self, label: str | None) -> Objects:
        kept = ~self._repeated()
        target = self._labelled(label) if label else self._target()
        leader = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
        differs = ~kept & ~np.isclose(target, target[leader], equal_nan=True)
        target[leader[differs]] = np.nan  # one jet, matched by particles of two kinds
        self.counts[TWICE] += int(np.count_nonzero(~kept))
        number = np.arange(len(self.owner)) - np.repeat(np.cumsum(self.seeds) - self.seeds, self.seeds)
        return Objects(
            entry=(self.start + self.owner)[kept],
            number=number.astype(np.uint32)[kept],
            row=self.row[kept],
            column=self.column[kept],
            target=target[kept],
            kinematics={
                quantity.name: self._kinematic(quantity.name)[kept] for quantity in self.task.kinematics
            },
        )

    def _lists(self, branch: str) -> ak.Array:
        return self.tree[branch].array(entry_start=self.start, entry_stop=self.start + EVENTS)

    def _error(self, entry: int, message: str) -> E2EError:
        return E2EError(f"{self.path}: event {event_name(self.tree, self.start + int(entry))}: {message}")

    def _seed(self, lists: ak.Array, branch: str, cells: int) -> NDArray[np.int64]:
        """Seeds as numbers, once they are cells of the detector."""
        size = cells // self.task.seed_cell
        seeds = ak.to_numpy(ak.flatten(lists))
        inside = (seeds >= 0) & (seeds < size) & (seeds == np.floor(seeds))  # False for NaN
        for i in np.flatnonzero(~inside)[:1]:
            what = "crystals" if self.task.seed_cell == 1 else "towers"
            raise self._error(
                self.owner[i], f"{branch} holds a seed at {seeds[i]}; {what} are numbered 0 to {size - 1}"
            )
        return seeds.astype(np.int64)

    def _sorter(self) -> ak.Array | None:
        """Places that bring the lists of an event into the order of its seeds; None where they are in it."""
        order = self.layout.order
        if order is None:
            return None
        falling = self._lists(order.falling)
        found = ak.to_numpy(ak.num(falling))
        for i in np.flatnonzero(found != self.seeds)[:1]:
            raise self._error(
                i,
                f"{order.falling} has {found[i]} objects, {self.layout.seeds[0]} {self.seeds[i]}; its "
                "order tells which "
                "jet has which seed",
            )
        numbers = ak.to_numpy(ak.flatten(falling))
        for i in np.flatnonzero(~np.isfinite(numbers))[:1]:
            raise self._error(
                self.owner[i], f"{order.falling} is {numbers[i]}; its order tells which jet has which seed"
            )
        sorter = ak.argsort(falling, ascending=False, stable=True)
        self._check_direction(sorter)
        return sorter

    def _check_direction(self, sorter: ak.Array) -> None:
        """Raises E2EError where a jet does not lie at its seed."""
        order = self.layout.order
        branches = order.direction
        if not branches:
            return
        for branch in branches:
            found = ak.to_numpy(ak.num(self._lists(branch)))
            for i in np.flatnonzero(found != self.seeds)[:1]:
                raise self._error(
                    i, f"{branch} has {found[i]} objects, {self.layout.seeds[0]} {self.seeds[i]}"
                )
        eta, *momentum = (
            ak.to_numpy(ak.flatten(self._lists(branch)[sorter])).astype(float) for branch in branches
        )
        reach = (OWN["window"] + 2) / 2
        fits = np.abs(eta / TOWER_ETA + TOWERS[0] // 2 - (self.row + 0.5)) <= reach
        if momentum:
            phi = np.arctan2(momentum[1], momentum[0])
            around = TOWERS[1]
            away = around * phi / (2 * np.pi) + FIRST_TOWER - (self.column + 0.5)
            fits &= np.abs((away + around / 2) % around - around / 2) <= reach
        for i in np.flatnonzero(~fits)[:1]:
            raise self._error(
                self.owner[i],
                f"the jet with {order.falling} in this place does not lie at its seed (row "
                f"{self.row[i]}, column "
                f"{self.column[i]}), as {' and '.join(branches)} say; jets and seeds cannot be told "
                "to belong together",
            )

    def _repeated(self) -> NDArray[np.bool_]:
        """Whether an object was listed before: as a neighbour at the same seed with the same momentum."""
        repeated = np.zeros(len(self.owner), bool)
        if self.sorter is None or not len(repeated):
            return repeated
        falling = ak.to_numpy(ak.flatten(self._lists(self.layout.order.falling)[self.sorter]))
        same = np.ones(len(repeated) - 1, bool)
        for column in (self.owner, self.row, self.column, falling):
            same &= column[1:] == column[:-1]
        repeated[1:] = same
        return repeated

    def _flat(self, branch: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of a branch in the seeds' order [N], and whether their event has one for each seed [N]."""
        return self._ordered(self._lists(branch))

    def _ordered(self, lists: ak.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        fits = ak.to_numpy(ak.num(lists)) == self.seeds
        values = np.full(len(self.owner), np.nan, np.float32)
        there = fits[self.owner]
        if self.sorter is not None:
            lists = ak.mask(lists, fits)[ak.mask(self.sorter, fits)]
        with np.errstate(over="ignore"):  # of doubles: infinite, and so null
            values[there] = ak.to_numpy(ak.flatten(lists[fits]))
        return values, there

    def _complete(self, branch: str | None) -> NDArray[np.bool_]:
        """Whether the event of an object lost none of those that ``branch`` lists [N]."""
        if branch is None:
            return np.ones(len(self.owner), bool)
        return (ak.to_numpy(ak.num(self._lists(branch))) <= self.seeds)[self.owner]

    def _labelled(self, label: str) -> NDArray[np.float32]:
        return np.full(len(self.owner), self.task.classes.index(label), np.float32)

    def _target(self) -> NDArray[np.float32]:
        truth = self.layout.truth
        target = np.full(len(self.owner), np.nan, np.float32)
        if truth is None:
            return target
        values, there = self._flat(truth.branch)
        if missing := np.count_nonzero(~there):
            self.counts[f"truth of events where {truth.branch} has not one number for each seed"] += missing
        complete = self._complete(truth.complete)
        if lost := np.count_nonzero(there & ~complete):
            self.counts[f"truth of events where {truth.complete} has more objects than there are seeds"] += (
                lost
            )
        values[~complete] = np.nan
        if truth.classes is None:
            with np.errstate(over="ignore"):
                measured = values.astype(np.float32)
            usable = np.isfinite(measured) & (measured > 0)
            if bad := np.count_nonzero((values > 0) & ~usable):
                self.counts[f"{truth.branch} that is not finite"] += bad
            target[usable] = measured[usable]
        else:
            codes = values if 0 in truth.classes else np.abs(values)  # flags have no sign, PDG ids do
            for code, name in truth.classes.items():
                target[codes == code] = self.task.classes.index(name)
        return target

    def _kinematic(self, name: str) -> NDArray[np.float32]:
        """A quantity [N], NaN where no way of finding it gives a finite number for each seed of the event."""
        values = np.full(len(self.owner), np.nan, np.float32)
        open_ = np.ones(len(self.owner), bool)
        for source in self.layout.kinematics.get(name, ()):
            found, there = self._found(name, source)
            there &= self._complete(source.complete)
            values[open_ & there] = found[open_ & there]
            open_ &= ~there
        known = ~open_
        if bad := np.count_nonzero(known & ~np.isfinite(values)):
            self.counts[f"{name} that is not finite"] += bad
        values[~np.isfinite(values)] = np.nan
        return values

    def _found(self, name: str, source: Source) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values [N] by one way of finding a quantity, and where it gives any [N]."""
        if source.kind == "branch":
            return self._flat(source.branches[0])
        if source.kind == "momentum":
            found = [self._flat(branch) for branch in source.branches]
        elif source.kind == "sum":
            found = [self._ordered(ak.sum(self._lists(branch), axis=-1)) for branch in source.branches]
        else:
            found = [self._subjets(branch) for branch in source.branches]
        momentum = [values.astype(float) for values, _ in found]
        there = np.logical_and.reduce([there for _, there in found])
        with np.errstate(invalid="ignore", divide="ignore"):
            direction = _eta(*momentum) if name.endswith("Eta") else np.arctan2(momentum[1], momentum[0])
        there &= np.hypot(momentum[0], momentum[1]) > 0  # False for NaN: no candidate, no direction
        return direction.astype(np.float32), there

    def _subjets(self, branch: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Sums [N] of the lists of each object, which are branches of their own."""
        values = np.full(len(self.owner), np.nan, np.float32)
        first = np.cumsum(self.seeds) - self.seeds
        for number in range(int(self.seeds.max(initial=0))):
            if branch.format(number) not in self.tree:
                break
            has = self.seeds > number
            sums = ak.to_numpy(ak.sum(self._lists(branch.format(number)), axis=-1))
            values[first[has] + number] = sums[has]
        return values, ~np.isnan(values)


def _eta(px: NDArray, py: NDArray, pz: NDArray) -> NDArray:
    return np.arcsinh(pz / np.hypot(px, py))
