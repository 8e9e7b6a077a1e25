"""Converts RHTree ntuples to the sample store: cuts a crop around each object, keeps its hits.

The event loop is coffea's, over chunks of events, so that any of its executors can run it. coffea reads
the branches with one number an object; the frames, a thousand times larger, are read basket by basket.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from itertools import pairwise
from operator import itemgetter
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema
from coffea.processor.executor import WorkItem
from tqdm import tqdm

from e2e.data import baskets, crops, ntuple, store
from e2e.data.store import Metadata, Samples
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.tasks import ECAL, Channel, Task

CHUNK = 2000  # events; for each chunk the file is opened anew, which takes as long as some 50 events
EDGE = "detector_edge"


def convert(
    task: Task,
    source: str | Path,
    output: str | Path,
    sample: str | None = None,
    progress: bool = True,
    quarter_endcaps: bool = False,
    executor: processor.executor.ExecutorBase | None = None,
) -> Metadata:
    """Write the objects of the ntuple ``source`` to the store file ``output``, whole or not at all.

    An object is kept when its crop lies inside the detector along the rows (ieta); the others are
    counted in the returned metadata. Columns (iphi) wrap around. A hit is a value that is not 0.
    Targets come from the task's truth branch, null where there is none; so are kinematics that a
    source may lack. ``sample`` defaults to the name of ``source`` without suffix. ``quarter_endcaps``
    gives the ECAL endcaps the fault of the public jet files (``crops.quarter_endcaps``).

    Chunks of ``CHUNK`` events are run by ``executor`` (default: one after the other, here), a few at a
    time and written before the next, so that memory does not grow with the file. The bytes written do
    not depend on the executor.

    Raises E2EError, naming file and branch, for a file that is no whole ROOT file, a missing branch,
    a vector of the wrong length, a seed outside the detector, or a value that is not finite. Frames
    are checked where an object is kept; baskets without one are not even read.
    """
    source = Path(source)
    checked = ntuple.check(source, task)
    if quarter_endcaps and ECAL not in task.channels:
        raise E2EError(f"task {task.name} has no {ECAL.name}, so no endcaps; convert without quartering them")
    cutter = CropCutter(task, source, sample or source.stem, quarter_endcaps)
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
        rejected={EDGE: int(np.count_nonzero(~_inside(task, checked.seed_rows)))},
        notes={"endcaps": "quartered"} if quarter_endcaps else {},
    )
    executor = executor or processor.IterativeExecutor(status=False, retries=0)
    store.write(output, _run(cutter, checked, executor, progress), metadata)
    return metadata


@contextmanager
def cluster(workers: int | None = None, scheduler: str | None = None) -> Iterator[processor.DaskExecutor]:
    """An executor for ``convert`` on Dask: ``workers`` processes here, or the cluster behind ``scheduler``.

    ``scheduler`` is an address such as tcp://host:8786; its workers need to see the ntuples under the same
    path. Raises E2EError when nobody answers there.
    """
    from distributed import Client, LocalCluster

    if scheduler:
        own = nullcontext(scheduler)
    else:  # silent, since what a chunk fails of comes back as an error
        own = LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        )
    with own as address:
        try:
            client = Client(address)
        except (OSError, ValueError) as error:
            raise E2EError(
                f"{scheduler}: no Dask scheduler answers ({error}); start one, or convert here"
            ) from None
        with client:
            yield processor.DaskExecutor(client=client, status=False, retries=0)


def _run(
    cutter: CropCutter, checked: ntuple.Ntuple, executor: processor.executor.ExecutorBase, progress: bool
) -> Iterator[Samples]:
    """Samples of an ntuple, chunk after chunk."""
    if not checked.entries:
        return
    path = str(checked.path.resolve())
    runner = processor.Runner(executor=executor, schema=BaseSchema)
    frames = {channel.name for channel in cutter.task.channels}
    branches = [branch for branch in checked.branches if branch not in frames]
    options = {
        "uproot_options": ntuple.UPROOT_OPTIONS,
        "iteritems_options": {"filter_name": branches},
    }
    # Not by coffea, which opens the file for it, keeps what it found when the file is replaced, and takes
    # names in ASCII only.
    chunks = [
        WorkItem("", path, ntuple.TREE, start, stop, checked.uuid, {}, frozenset(branches))
        for start, stop in pairwise(_bounds(checked.entries))
    ]
    bar = tqdm(
        total=checked.entries, desc=f"Converting {checked.path.name}", unit="event", disable=not progress
    )
    with bar, _one_error(checked.path):
        at_once = _at_once(executor)
        for first in range(0, len(chunks), at_once):
            window = chunks[first : first + at_once]
            with redirect_stdout(StringIO()):  # where coffea draws bars, asked to or not
                found = runner.run(window, cutter, **options)["out"]
            yield from (samples for _, samples in sorted(found, key=itemgetter(0)))
            bar.update(sum(map(len, window)))


def _bounds(entries: int) -> list[int]:
    """Where the chunks of ``entries`` events begin and end: about ``CHUNK`` each, and equal."""
    size = -(-entries // max(1, round(entries / CHUNK)))
    return [*range(0, entries, size), entries]


def _at_once(executor: processor.executor.ExecutorBase) -> int:
    """Number of chunks to hand to an executor together: enough that no worker waits for the next."""
    client = getattr(executor, "client", None)
    workers = sum(client.nthreads().values()) if client else executor.workers
    return max(1, 2 * workers) if workers != 1 else 1


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    """Turn what coffea or Dask raises around whatever went wrong into the error for the user."""
    try:
        yield
    except E2EError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, E2EError):
            raise error.__cause__ from None
        if "KilledWorker" in str(error):  # of Dask
            raise E2EError(
                f"{path}: the Dask workers that read it died, of too little memory perhaps; take fewer"
            ) from error
        if not str(error).startswith(("Failed to open file", "Failed creating nanoevents")):
            raise
        raise ntuple.damaged(path, error.__cause__ or error) from error


class CropCutter(processor.ProcessorABC):
    """coffea processor: events of an ntuple in, ``[(first entry, Samples)]`` out."""

    def __init__(self, task: Task, source: Path, sample: str, quarter_endcaps: bool = False) -> None:
        self.task = task
        self.source = source
        self.sample = sample
        self.quarter_endcaps = quarter_endcaps

    def process(self, events: ak.Array) -> list[tuple[int, Samples]]:
        first = events.metadata["entrystart"]
        with ntuple.open_tree(events.metadata["filename"]) as tree:
            return [(first, self._samples(events, tree, first))]

    def postprocess(self, accumulator: list) -> list:
        return accumulator

    def _samples(self, events: ak.Array, tree: uproot.TTree, first: int) -> Samples:
        task = self.task
        counts, columns = self._objects(events, tree, first)
        owner = np.repeat(np.arange(len(events)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        for branch, size in zip(task.seeds, task.detector, strict=True):
            self._check_seeds(columns[branch], size // task.seed_cell, branch, tree, first + owner)
        kept = _inside(task, columns[task.seeds[0]])
        columns = {name: column[kept] for name, column in columns.items()}
        owner, number = owner[kept], number[kept]

        cutters = [self._cut(tree, channel, first + owner, columns) for channel in task.channels]
        offsets, index, value = crops.interleave(cutters, task.crop)
        unknown = np.full(len(owner), np.nan)
        return Samples(
            sample=np.full(len(owner), self.sample),
            **{
                name: self._identity(events, branch, store.IDENTITY[name])[owner]
                for name, branch in zip(("run", "lumi", "event"), ntuple.IDENTITY, strict=True)
            },
            object=number.astype(np.uint32),
            target=targets(columns.get(task.truth.branch), task, len(owner)),
            kinematics={
                quantity.name: columns.get(quantity.name, unknown).astype(np.float32)
                for quantity in task.kinematics
            },
            offsets=offsets,
            index=index,
            value=value,
            channels=task.channels,
            classes=task.classes,
            shape=task.shape,
        )

    def _objects(
        self, events: ak.Array, tree: uproot.TTree, first: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Objects per event, and the branches with one number an object, flat."""
        task = self.task
        branches = [*task.seeds, *(quantity.name for quantity in task.kinematics), task.truth.branch]
        branches = [branch for branch in branches if branch in events.fields]
        counts = {branch: ak.to_numpy(ak.num(events[branch])) for branch in branches}
        seeds = branches[0]
        for branch in branches:
            for i in np.flatnonzero(counts[branch] != counts[seeds])[:1]:
                raise self._error(
                    tree,
                    first + i,
                    f"{branch} has {counts[branch][i]} objects, {seeds} {counts[seeds][i]}; "
                    "they need one number for each object",
                )
        return counts[seeds], {branch: _flat(events[branch]) for branch in branches}

    def _check_seeds(
        self, seeds: np.ndarray, size: int, branch: str, tree: uproot.TTree, entries: np.ndarray
    ) -> None:
        inside = (seeds >= 0) & (seeds < size) & (seeds == np.floor(seeds))  # False for NaN
        for i in np.flatnonzero(~inside)[:1]:
            cells = "crystals" if self.task.seed_cell == 1 else "towers"
            raise self._error(
                tree,
                entries[i],
                f"{branch} holds a seed at {seeds[i]}; {cells} are numbered 0 to {size - 1}",
            )

    def _cut(
        self, tree: uproot.TTree, channel: Channel, entries: np.ndarray, columns: dict[str, np.ndarray]
    ) -> crops.Cutter:
        """Cut the objects of ``columns``, which belong to ``entries``, out of one channel."""
        task = self.task
        top = first_cells(task, columns[task.seeds[0]], 0).astype(np.int64)
        left = first_cells(task, columns[task.seeds[1]], 1).astype(np.int64)
        cutter = crops.Cutter(task, channel, entries, top, left)
        frames = baskets.records(self.source, tree, channel.name, cutter.frame, entries)
        for records, first, start, stop in frames:
            if self.quarter_endcaps and channel == ECAL:
                records = crops.quarter_endcaps(records, task.detector)
            cutter.cut(records, first, start, stop)
        index, value = cutter.hits()
        if not np.isfinite(value).all():
            bad = np.flatnonzero(~np.isfinite(value))[0]
            number = np.searchsorted(np.cumsum(cutter.counts), bad, side="right")
            i, j = divmod(int(index[bad]), task.crop.columns)
            row = (top[number] + i) // channel.cell
            column = (left[number] + j - channel.shift) % task.detector[1] // channel.cell
            message = (
                f"{channel.name} is {value[bad]} at row {row}, column {column}; a cell without a hit is 0"
            )
            raise self._error(tree, entries[number], message)
        return cutter

    def _error(self, tree: uproot.TTree, entry: int, message: str) -> E2EError:
        return E2EError(f"{self.source}: event {ntuple.event_name(tree, entry)}: {message}")

    def _identity(self, events: ak.Array, branch: str, kind: type) -> np.ndarray:
        number = ak.to_numpy(events[branch])
        for i in np.flatnonzero(number.astype(kind) != number)[:1]:
            raise E2EError(f"{self.source}: {branch} is {number[i]}; expected a {np.dtype(kind)}")
        return number.astype(kind)


def first_cells(task: Task, seeds: np.ndarray, axis: int) -> np.ndarray:
    """First row (``axis`` 0) or column (1) of the crops around seeds, in cells; negative ones wrap around."""
    seed = (task.crop.seed_row, task.crop.seed_column)[axis]
    return np.asarray(seeds, float) * task.seed_cell + task.seed_cell // 2 - seed


def _inside(task: Task, seed_rows: np.ndarray) -> np.ndarray:
    """Whether the crops around seeds in these rows lie in the detector."""
    top = first_cells(task, seed_rows, 0)
    return (top >= 0) & (top + task.crop.rows <= task.detector[0])


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
