"""Whether the towers of the HCAL lie where the jets are, which their seeds tell.

The seed of a jet is the hottest tower around its axis: of genuine files 86 to 96 % of the seeds that have
energy around them lie in the hottest column there, of files whose towers lie elsewhere at most 5 %, and 28 to
36 % of files that are turned upside down. docs/ntuples.md has the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2e.data.layouts import OWN
from e2e.errors import E2EError

REACH = OWN["window"] // 2
EVENTS = 100  # read at once, or as many as a basket has


@dataclass(frozen=True, eq=False)
class Columns:
    """The hottest column around each seed with energy there, counted from the seed's [n], -3 to 3.

    ``entry`` [n] ascends; ``in_row`` [n] is whether the hottest tower lies in the seed's row. ``jets`` counts
    all seeds of events whose HCAL holds any energy. Seeds with two columns as hot as each other do not count.
    """

    entry: NDArray[np.int64]
    hottest: NDArray[np.int64]
    in_row: NDArray[np.bool_]
    jets: int

    def share(self, column: int) -> int:
        """Number of seeds whose hottest column is ``column``."""
        return int(np.count_nonzero(self.hottest == column))

    def stretch(self, column: int, expected: int) -> tuple[int, int, int]:
        """By how many ``column`` outnumbers ``expected`` where it does most; first and last entry."""
        excess = np.cumsum((self.hottest == column).astype(int) - (self.hottest == expected))
        before = np.concatenate([[0], excess[:-1]])
        rise = excess - np.minimum.accumulate(before)
        last = int(rise.argmax())
        first = int(before[: last + 1].argmin())
        return int(rise[last]), int(self.entry[first]), int(self.entry[last])


def look(tree: uproot.TTree, image: str, seeds: tuple[str, str], shape: tuple[int, int]) -> Columns:
    """The hottest columns of all events, whose HCAL is ``image`` of rows x columns (``shape``).

    Images of another size and seeds outside are left to those who read them.
    """
    pieces, jets = [], 0
    for start, stop in _pieces(tree, image):
        frames, rows, columns = (
            tree[name].array(entry_start=start, entry_stop=stop) for name in (image, *seeds)
        )
        whole = ak.to_numpy((ak.num(frames) == shape[0] * shape[1]) & (ak.num(rows) == ak.num(columns)))
        if not whole.any():
            continue
        entries = start + np.flatnonzero(whole)
        frames = ak.to_numpy(ak.flatten(frames[whole])).reshape(-1, *shape)
        lit = (frames > 0).any(axis=(1, 2))
        owner = np.repeat(np.arange(len(entries)), ak.to_numpy(ak.num(rows[whole])))
        row, column = (ak.to_numpy(ak.flatten(lists[whole])) for lists in (rows, columns))
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        owner, row, column = owner[inside], row[inside].astype(int), column[inside].astype(int)
        window = np.arange(-REACH, REACH + 1)
        above = np.pad(frames, ((0, 0), (REACH, REACH), (0, 0)))
        towers = above[
            owner[:, None, None],
            (row[:, None] + window + REACH)[:, :, None],
            ((column[:, None] + window) % shape[1])[:, None, :],
        ]
        around = towers.sum(axis=1, dtype=np.float64)
        in_row = towers[:, REACH].max(axis=1, initial=0) == towers.max(axis=(1, 2), initial=0)
        has = around.sum(axis=1) > 0
        equal = has & (np.sum(around == around.max(axis=1, keepdims=True), axis=1) > 1)  # which tell nothing
        jets += int(np.count_nonzero(lit[owner] & ~equal))
        has &= ~equal
        pieces.append((entries[owner[has]], around[has].argmax(axis=1) - REACH, in_row[has]))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
    return Columns(*(np.concatenate(each) for each in zip(nothing, *pieces, strict=True)), jets)


def _pieces(tree: uproot.TTree, image: str) -> Iterator[tuple[int, int]]:
    """Ranges of entries of whole baskets, about ``EVENTS`` each."""
    start = 0
    for stop in map(int, tree[image].entry_offsets):
        if stop - start >= EVENTS or (stop == tree.num_entries and stop > start):
            yield start, stop
            start = stop


def check(found: Columns, image: str, own: bool) -> str:
    """What is found out: towers lie in the columns of the ECAL, or (``own``) ``OWN["shift"]`` to the left.

    Raises E2EError, without the file's name, where seeds say that they lie elsewhere, or in two places.
    """
    expected = -OWN["shift"] if own else 0
    others = [column for column in range(-REACH, REACH + 1) if column != expected]
    other = max(others, key=found.share)
    seeds, here, there = len(found.hottest), found.share(expected), found.share(other)
    most = seeds >= OWN["jets"] and 2 * there >= seeds
    two = 4 * here >= seeds and (most or (seeds >= OWN["many"] and 4 * there >= seeds))
    if most and not two:
        raise E2EError(f"{image} lies {_elsewhere(other, there, seeds)}")
    if seeds and not two:
        other = max(others, key=lambda column: found.stretch(column, expected)[0])
        two = found.stretch(other, expected)[0] >= OWN["stretch"]
    if two:
        _, first, last = found.stretch(other, expected)
        raise E2EError(
            f"{image} lies in two places: of {seeds} seeds {here} have their hottest column "
            f"{_place(expected)}, {found.share(other)} {_place(other)} (most of these in entries {first} "
            f"to {last}): files of two kinds, merged into one; read each of them by itself"
        )
    # Electrons leave little in the HCAL: a few seeds that are its hottest towers tell as much as many.
    right = np.count_nonzero((found.hottest == expected) & found.in_row)
    if found.jets >= OWN["many"] and 4 * here < found.jets and (2 * right < seeds or not seeds):
        raise E2EError(
            f"{image} does not lie where the jets are: of {found.jets} jets in events with any of its "
            f"energy, {seeds} have some around their seed, and {here} most of it in the column "
            f"{_place(expected)}, as 6 of 10 or more have in genuine files; image and seeds are of other "
            "events, or one of them is turned: write the ntuple again"
        )
    where = "in the columns of the ECAL"
    if own:
        where = f"in columns of its own, {OWN['shift']} to the left of the ECAL's"
    if seeds < OWN["jets"]:
        return f"{where}, not checked: fewer than {OWN['jets']} jets with energy there"
    if found.jets >= OWN["many"] and 4 * here < found.jets:
        return (
            f"{where}, hardly checked: so {here} of {seeds} seeds say, and {found.jets - seeds} more have no "
            "energy around them, as electrons may"
        )
    if 2 * here < seeds:
        return f"{where}, hardly checked: so only {here} of {seeds} seeds say, too few to tell"
    return f"{where}: so {here} of {seeds} seeds say"


def _place(column: int) -> str:
    if column == 0:
        return "at the seed"
    side = "left" if column < 0 else "right"
    return f"{abs(column)} tower{'s' if abs(column) > 1 else ''} to the {side}"


def _elsewhere(column: int, there: int, seeds: int) -> str:
    """Where most seeds say that an image lies, who writes so, and what to do."""
    if column == 0:
        return (
            f"in the columns of the ECAL ({there} of {seeds} seeds have their hottest column at the seed), "
            "as MLAnalyzer writes it: no ntuple of this project from before it did so, too; leave out "
            "--hcal-columns own (hcalColumns=own of cmsRun)"
        )
    text = f"{_place(column)} of the jets ({there} of {seeds} seeds have their hottest column there)"
    if column == -OWN["shift"]:
        return (
            f"{text}: an ntuple of this project from before it wrote towers in the columns of the ECAL, as "
            "MLAnalyzer does; say so (--hcal-columns own; hcalColumns=own of cmsRun), or make it again"
        )
    return (
        f"{text}, where neither MLAnalyzer nor this project has written it; write the ntuple again, image "
        "and seeds by one version of MLAnalyzer"
    )
