"""Converts RHTree ntuples to the sample store: cuts a crop around each object, keeps its hits.

The event loop is coffea's, over chunks of events. All branches of a chunk are preloaded in one read:
left to its virtual arrays, coffea decompresses a frame branch once for the offsets and once for the
content, unless uproot's cache holds it, and then that cache is what fills the memory.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from coffea import processor
from coffea.nanoevents import BaseSchema

from e2e.data import ntuple, store
from e2e.data.store import Metadata, Samples
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.tasks import Task

CHUNK = 100  # events; their frames (0.5 MB an event) bound the memory
EDGE = "barrel_edge"


def convert(
    task: Task, source: str | Path, output: str | Path, sample: str | None = None, progress: bool = True
) -> Metadata:
    """Write the objects of the ntuple ``source`` to the store file ``output``, whole or not at all.

    An object is kept when its crop lies inside the detector along the rows (ieta); the others are
    counted in the returned metadata. Columns (iphi) wrap around. A hit is a value that is not 0.
    Targets come from the matched generator particle (``gen_pdgId``), null where there is none.
    ``sample`` defaults to the name of ``source`` without suffix. Events are read ``CHUNK`` at a time;
    their hits, about 1 kB an object, stay in memory until they are written.

    Raises E2EError, naming file and branch, for a file that is no whole ROOT file, a missing branch,
    a vector of the wrong length, a value that is not finite, or a seed that is no crystal.
    """
    source = Path(source)
    checked = ntuple.check(source, task)
    cutter = CropCutter(task, source, sample or source.stem)
    found = _run(cutter, checked, progress) if checked.entries else {"samples": [], "rejected": {EDGE: 0}}
    metadata = Metadata(
        task=task.name,
        sample=cutter.sample,
        channels=task.channels,
        rows=task.crop.rows,
        columns=task.crop.columns,
        kinematics=task.kinematics,
        classes=task.classes,
        source=source.name,
        source_sha256=sha256(source),
        simulation=checked.simulation,
        rejected=found["rejected"],
    )
    store.write(output, found["samples"], metadata)
    return metadata


def _run(cutter: CropCutter, checked: ntuple.Ntuple, progress: bool) -> dict[str, Any]:
    runner = processor.Runner(
        executor=processor.IterativeExecutor(desc=f"Converting {checked.path.name}", retries=0),
        schema=BaseSchema,
        chunksize=CHUNK,
    )
    files = {cutter.sample: {"files": [str(checked.path)], "preload": list(checked.branches)}}
    try:
        # coffea draws its bars on the standard output, which is for results
        with redirect_stdout(sys.stderr if progress else StringIO()):
            return runner(
                files,
                cutter,
                treename=ntuple.TREE,
                uproot_options=ntuple.UPROOT_OPTIONS,
                iteritems_options={"filter_name": list(checked.branches)},
            )
    except Exception as error:  # coffea wraps whatever was raised in a bare Exception
        if isinstance(error.__cause__, E2EError):
            raise error.__cause__ from None
        if str(error).startswith("Failed processing"):
            raise
        raise E2EError(
            f"{checked.path}: damaged ROOT file ({error.__cause__ or error}); fetch or write it again"
        ) from error


class CropCutter(processor.ProcessorABC):
    """coffea processor: events of an ntuple in, ``{"samples": [Samples], "rejected": {reason: n}}`` out."""

    def __init__(self, task: Task, source: Path, sample: str) -> None:
        self.task = task
        self.source = source
        self.sample = sample

    def process(self, events: ak.Array) -> dict[str, Any]:
        task = self.task
        counts, columns = self._objects(events)
        owner = np.repeat(np.arange(len(events)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        row, column = (
            self._seeds(events, owner, branch, columns[branch], size)
            for branch, size in zip(task.seeds, task.detector, strict=True)
        )
        top, left = row - task.crop.seed_row, column - task.crop.seed_column
        kept = (top >= 0) & (top + task.crop.rows <= task.detector[0])
        owner = owner[kept]

        frames = [self._frames(events, channel.name) for channel in task.channels]
        offsets, index, value = cut(frames, task, owner, top[kept], left[kept])
        unknown = np.full(len(kept), np.nan)
        samples = Samples(
            sample=np.full(len(owner), self.sample),
            **{
                name: self._identity(events, branch, store.IDENTITY[name])[owner]
                for name, branch in zip(("run", "lumi", "event"), ntuple.IDENTITY, strict=True)
            },
            object=number[kept].astype(np.uint32),
            target=targets(columns.get(task.truth.branch), task, len(kept))[kept],
            kinematics={
                quantity.name: columns.get(quantity.name, unknown)[kept].astype(np.float32)
                for quantity in task.kinematics
            },
            offsets=offsets,
            index=index,
            value=value,
            channels=task.channels,
            classes=task.classes,
            shape=task.shape,
        )
        return {"samples": [samples], "rejected": {EDGE: int(np.count_nonzero(~kept))}}

    def postprocess(self, accumulator: dict[str, Any]) -> dict[str, Any]:
        return accumulator

    def _objects(self, events: ak.Array) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Objects per event, and the branches with one number an object, flat."""
        task = self.task
        branches = [*task.seeds, *(quantity.name for quantity in task.kinematics), task.truth.branch]
        branches = [branch for branch in branches if branch in events.fields]
        counts = {branch: ak.to_numpy(ak.num(events[branch])) for branch in branches}
        first = branches[0]
        for branch in branches:
            for i in np.flatnonzero(counts[branch] != counts[first])[:1]:
                raise self._error(
                    events,
                    i,
                    f"{branch} has {counts[branch][i]} objects, {first} {counts[first][i]}; "
                    "they need one number for each object",
                )
        return counts[first], {branch: _flat(events[branch]) for branch in branches}

    def _seeds(
        self, events: ak.Array, owner: np.ndarray, branch: str, seed: np.ndarray, size: int
    ) -> np.ndarray:
        inside = (seed >= 0) & (seed < size) & (seed == np.floor(seed))  # False for NaN
        for i in np.flatnonzero(~inside)[:1]:
            raise self._error(
                events, owner[i], f"{branch} holds a seed at {seed[i]}; crystals are numbered 0 to {size - 1}"
            )
        return seed.astype(np.int64)

    def _frames(self, events: ak.Array, branch: str) -> np.ndarray:
        """Whole-detector frames [events, rows * columns] of one channel."""
        rows, columns = self.task.detector
        counts = ak.to_numpy(ak.num(events[branch]))
        for i in np.flatnonzero(counts != rows * columns)[:1]:
            raise self._error(
                events,
                i,
                f"{branch} has {counts[i]} values; a frame of {rows} x {columns} has {rows * columns}",
            )
        frames = _flat(events[branch]).reshape(len(events), rows * columns)
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(frames.sum())  # several times faster than isfinite of each value
        if suspicious:
            for i, cell in np.argwhere(~np.isfinite(frames))[:1]:
                place = f"row {cell // columns}, column {cell % columns}"
                raise self._error(
                    events, i, f"{branch} is {frames[i, cell]} at {place}; a crystal without a hit is 0"
                )
        return frames

    def _identity(self, events: ak.Array, branch: str, kind: type) -> np.ndarray:
        number = ak.to_numpy(events[branch])
        for i in np.flatnonzero(number.astype(kind) != number)[:1]:
            raise E2EError(f"{self.source}: {branch} is {number[i]}; expected a {np.dtype(kind)}")
        return number.astype(kind)

    def _error(self, events: ak.Array, i: int, message: str) -> E2EError:
        name = ":".join(str(events[branch][i]) for branch in ntuple.IDENTITY)
        return E2EError(f"{self.source}: event {name}: {message}")


def cut(
    frames: list[np.ndarray], task: Task, owner: np.ndarray, top: np.ndarray, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of the crops whose first cell is (``top``, ``left``) of the frames of event ``owner``, each [N].

    ``frames`` holds, per channel, an array [events, rows * columns]. Columns wrap around. Returns
    offsets [N + 1], index uint32 and value float32, as ``Samples`` has them.
    """
    rows, columns = task.detector
    row = top[:, None] + np.arange(task.crop.rows)
    column = (left[:, None] + np.arange(task.crop.columns)) % columns
    cell = ((owner[:, None] * rows + row) * columns)[:, :, None] + column[:, None, :]
    crops = np.stack([frame.reshape(-1)[cell] for frame in frames], axis=1)
    crops = crops.reshape(len(owner), int(np.prod(task.shape)))
    crop, index = np.nonzero(crops)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(crop, minlength=len(owner)))])
    return offsets, index.astype(np.uint32), crops[crop, index].astype(np.float32)


def targets(truth: np.ndarray | None, task: Task, count: int) -> np.ndarray:
    """Targets [``count``] of objects by their values of the task's truth branch; NaN where there is none."""
    target = np.full(count, np.nan, np.float32)
    if truth is None:
        return target
    if not task.truth.codes:
        return np.where(truth > 0, truth, target)
    for code, label in task.truth.codes.items():
        target[np.abs(truth) == code] = label
    return target


def _flat(lists: ak.Array) -> np.ndarray:
    return ak.to_numpy(ak.flatten(lists))
