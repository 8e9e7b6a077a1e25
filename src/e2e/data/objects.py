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

from e2e.data import baskets, pairing
from e2e.data.layouts import Layout, Source
from e2e.data.ntuple import event_name, reading
from e2e.errors import E2EError
from e2e.tasks import Task

EVENTS = 2000  # read at once: lists of candidates are long
TWICE = "listed_twice"
ELSEWHERE = "what is listed with a direction that is not the seed's"
TIED = "what is listed for objects of equal momentum that cannot be told apart"
DIFFERS = "what differs between two objects at one seed"
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

    Kinematics and truth are only given to a seed that they fit. Raises E2EError, naming file, event and
    branch, for seeds that are no cell of the detector, and, in modes that list objects in another order than
    their seeds, for objects that do not fit to them.
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
        self.pairings: dict[str | None, _Pairing] = {}
        self.lost: dict[
            str, NDArray[np.bool_]
        ] = {}  # reasons, of the objects that have lost anything by them
        self._check_order()

    def objects(self, label: str | None) -> Objects:
        leader = self._leader()
        kept = leader == np.arange(len(leader))
        target = self._labelled(label) if label else self._target()
        kinematics = {quantity.name: self._kinematic(quantity.name) for quantity in self.task.kinematics}
        for values in (target, *kinematics.values()):
            # one jet, matched by particles of two kinds, or two jets whose hottest tower is one
            differs = ~kept & ~np.isclose(values, values[leader], equal_nan=True)
            values[leader[differs]] = np.nan
            self._lose(DIFFERS, np.isin(np.arange(len(leader)), leader[differs]))
        for reason, objects in self.lost.items():
            if lost := np.count_nonzero(objects & kept):
                self.counts[reason] += lost
        self.counts[TWICE] += int(np.count_nonzero(~kept))
        number = np.arange(len(self.owner)) - np.repeat(np.cumsum(self.seeds) - self.seeds, self.seeds)
        return Objects(
            entry=(self.start + self.owner)[kept],
            number=number.astype(np.uint32)[kept],
            row=self.row[kept],
            column=self.column[kept],
            target=target[kept],
            kinematics={name: values[kept] for name, values in kinematics.items()},
        )

    def _lists(self, branch: str) -> ak.Array:
        return self.tree[branch].array(entry_start=self.start, entry_stop=self.start + EVENTS)

    def _error(self, entry: int, message: str) -> E2EError:
        return E2EError(f"{self.path}: event {event_name(self.tree, self.start + int(entry))}: {message}")

    def _lose(self, reason: str, objects: NDArray[np.bool_]) -> None:
        self.lost[reason] = self.lost.get(reason, False) | objects

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

    def _leader(self) -> NDArray[np.int64]:
        """The first object [N] at the seed of each: itself, unless it is listed again."""
        if not self.layout.once:
            return np.arange(len(self.owner))
        rows, columns = self.task.detector
        seed = (self.owner * rows + self.row) * columns + self.column
        _, first, again = np.unique(seed, return_index=True, return_inverse=True)
        return first[again]

    def _distances(self, eta: NDArray, phi: NDArray, seeds: NDArray | slice = slice(None)) -> tuple:
        return pairing.distances(self.task, self.row[seeds], self.column[seeds], eta, phi)

    def _check_order(self) -> None:
        """Raises E2EError where a mode lists jets in another order, and one of them lies at no seed."""
        order = self.layout.order
        if order is None:
            return
        falling = self._as_many(order.falling, "; its order tells which jet has which seed")
        for i in np.flatnonzero(~np.isfinite(falling))[:1]:
            raise self._error(
                self.owner[i], f"{order.falling} is {falling[i]}; its order tells which jet has which seed"
            )
        direction = [self._as_many(branch) for branch in order.direction]
        if not direction:
            return
        place = pairing.falling_order(self.owner, falling)
        eta, *momentum = (values[place].astype(float) for values in direction)
        phi = np.arctan2(momentum[1], momentum[0]) if momentum else np.zeros(len(eta))

        def lie(seeds: NDArray | slice, eta: NDArray, phi: NDArray) -> NDArray[np.bool_]:
            rows, columns = self._distances(eta, phi, seeds)
            return (rows <= pairing.REACH) & ((columns <= pairing.REACH) if momentum else True)

        fits = lie(slice(None), eta, phi)
        for tied in pairing.ties(self.owner, falling[place]):
            each = np.arange(tied.start, tied.stop)[:, None]
            all_ = lie(each, eta[tied], phi[tied])
            fits[tied] = all_.any(axis=0) & all_.any(axis=1)
        for i in np.flatnonzero(~fits)[:1]:
            raise self._error(
                self.owner[i],
                f"the jet with {order.falling} in this place does not lie at its seed (row "
                f"{self.row[i]}, column {self.column[i]}), as {' and '.join(order.direction)} say; jets and "
                "seeds cannot be told to belong together",
            )

    def _as_many(self, branch: str, why: str = "") -> NDArray:
        """The values of a branch [N], which has one for each seed."""
        lists = self._lists(branch)
        found = ak.to_numpy(ak.num(lists))
        for i in np.flatnonzero(found != self.seeds)[:1]:
            raise self._error(
                i, f"{branch} has {found[i]} objects, {self.layout.seeds[0]} {self.seeds[i]}{why}"
            )
        return ak.to_numpy(ak.flatten(lists))

    def _pairing(self, falling: str | None) -> _Pairing:
        """What belongs to which seed of all that is sorted by ``falling``."""
        if falling not in self.pairings:
            self.pairings[falling] = self._paired(falling)
        return self.pairings[falling]

    def _paired(self, falling: str | None) -> _Pairing:
        count = len(self.owner)
        place, there, tied = np.arange(count), np.ones(count, bool), np.zeros(count, bool)
        eta, phi = self._direction("eta", falling), self._direction("phi", falling)
        if falling is not None:
            values, there = self._listed(falling)
            there &= ~np.isin(self.owner, self.owner[~np.isfinite(values)])
            values[~there] = np.nan  # an event that is left as it is
            place = pairing.falling_order(self.owner, values)
            for same in pairing.ties(self.owner, values[place]):
                here, each = place[same].copy(), np.arange(same.start, same.stop)[:, None]
                away = self._distances(eta[here], phi[here], each)
                fits = ~np.logical_or(
                    *(distance > pairing.REACH for distance in away)
                )  # NaN: nothing against it
                seeds, listed = (
                    np.unique(np.stack(pair), axis=1, return_inverse=True)[1].reshape(-1)
                    for pair in ((self.row[same], self.column[same]), np.nan_to_num((eta[here], phi[here])))
                )
                for i, found in enumerate(pairing.resolve(fits, seeds, listed), same.start):
                    tied[i] = found is None
                    place[i] = here[found or 0]
        elsewhere = np.logical_or(
            *(distance > pairing.REACH for distance in self._distances(eta[place], phi[place]))
        )
        return _Pairing(place, there, {ELSEWHERE: elsewhere & ~tied, TIED: tied})

    def _direction(self, axis: str, falling: str | None) -> NDArray[np.float64]:
        """eta or phi [N] of what is sorted by ``falling``, as it is listed; NaN where it is not told."""
        direction = np.full(len(self.owner), np.nan)
        for quantity in self.task.kinematics:
            if quantity.name.lower().endswith(axis):
                for source in self.layout.kinematics.get(quantity.name, ()):
                    if source.falling == falling:
                        found, there = self._as_listed(quantity.name, source)
                        open_ = np.isnan(direction) & there & np.isfinite(found)
                        direction[open_] = found[open_]
        return direction

    def _listed(self, branch: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of a branch as they are listed [N], and whether their event has one for each seed [N]."""
        return self._flat(self._lists(branch))

    def _flat(self, lists: ak.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        fits = ak.to_numpy(ak.num(lists)) == self.seeds
        values = np.full(len(self.owner), np.nan, np.float32)
        there = fits[self.owner]
        with np.errstate(over="ignore"):  # of doubles: infinite, and so null
            values[there] = ak.to_numpy(ak.flatten(lists[fits]))
        return values, there

    def _complete(self, branch: str | None) -> NDArray[np.bool_]:
        """Whether the event of an object lost none of those in ``branch``, as far as it is told [N]."""
        if branch is None or branch not in self.tree:
            return np.ones(len(self.owner), bool)
        found = ak.to_numpy(ak.num(self._lists(branch)))
        return ((found == self.seeds) | (found == 0))[self.owner]

    def _labelled(self, label: str) -> NDArray[np.float32]:
        return np.full(len(self.owner), self.task.classes.index(label), np.float32)

    def _target(self) -> NDArray[np.float32]:
        truth = self.layout.truth
        target = np.full(len(self.owner), np.nan, np.float32)
        if truth is None:
            return target
        values, there = self._listed(truth.branch)
        if missing := np.count_nonzero(~there):
            self.counts[f"truth of events where {truth.branch} has not one number for each seed"] += missing
        complete = self._complete(truth.complete)
        if lost := np.count_nonzero(there & ~complete):
            self.counts[
                f"truth of events where {truth.complete} has not as many objects as there are seeds"
            ] += lost
        values[~complete] = np.nan
        pairs = self._pairing(truth.falling)
        values, there = values[pairs.place], there & pairs.there
        for reason, objects in pairs.unfit.items():
            self._lose(reason, objects & there & np.isfinite(values))
        values[~pairs.known] = np.nan
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
        """A quantity [N], NaN where no way of finding it gives a finite number for the seed."""
        values = np.full(len(self.owner), np.nan, np.float32)
        open_ = np.ones(len(self.owner), bool)
        unfit: dict[str, NDArray[np.bool_]] = {}
        for source in self.layout.kinematics.get(name, ()):
            found, there = self._as_listed(name, source)
            pairs = self._pairing(source.falling)
            there &= self._complete(source.complete)
            found, there = found[pairs.place], there[pairs.place] & pairs.there
            for reason, objects in pairs.unfit.items():
                unfit[reason] = unfit.get(reason, False) | (objects & there)
            there &= pairs.known
            values[open_ & there] = found[open_ & there]
            open_ &= ~there
        for reason, objects in unfit.items():
            self._lose(reason, objects & open_)
        if bad := np.count_nonzero(~open_ & ~np.isfinite(values)):
            self.counts[f"{name} that is not finite"] += bad
        values[~np.isfinite(values)] = np.nan
        return values

    def _as_listed(self, name: str, source: Source) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values [N] by one way of finding a quantity, as they are listed, and where it gives any [N]."""
        if source.kind == "branch":
            return self._listed(source.branches[0])
        if source.kind == "momentum":
            found = [self._listed(branch) for branch in source.branches]
        elif source.kind == "sum":
            found = [self._flat(ak.sum(self._lists(branch), axis=-1)) for branch in source.branches]
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


@dataclass(frozen=True, eq=False)
class _Pairing:
    """Of all that is sorted alike: the place [N] of what belongs to each seed among what is listed.

    ``there`` [N]: whether an event can be sorted. ``unfit``: reasons, of the objects [N] whose seed what is
    listed does not fit.
    """

    place: NDArray[np.int64]
    there: NDArray[np.bool_]
    unfit: dict[str, NDArray[np.bool_]]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether what is listed can be told to be the seed's [N]."""
        return ~np.logical_or.reduce(list(self.unfit.values()))


def _eta(px: NDArray, py: NDArray, pz: NDArray) -> NDArray:
    return np.arcsinh(pz / np.hypot(px, py))
