"""Converts RHTree ntuples to the sample store: cuts a crop around each object, keeps its hits.

The event loop is coffea's, over chunks of events, so that any of its executors can run it. coffea reads
run, lumi and event; the frames, a thousand times larger, are read basket by basket.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from itertools import pairwise
from multiprocessing import resource_tracker
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot
from coffea import processor
from coffea.nanoevents import BaseSchema
from coffea.processor.executor import WorkItem
from tqdm import tqdm

from e2e.data import baskets, crops, ntuple, objects, root_file, store
from e2e.data.layouts import Layout
from e2e.data.objects import Objects
from e2e.data.store import Metadata, Samples
from e2e.errors import E2EError
from e2e.files import sha256, temporary_folder
from e2e.geometry import middle
from e2e.tasks import ECAL, Channel, Task

if TYPE_CHECKING:
    from distributed import LocalCluster

CHUNK = 2000  # events; for each chunk the file is opened anew, which takes as long as some 50 events
MOST_HITS = 1 << 23  # of the objects of a chunk that are cut at once: 64 MiB; full crops hold far more
EDGE = "detector_edge"


def convert(task: Task, source: str | Path, output: str | Path, **options: Any) -> Metadata:
    """Write the objects of the ntuple ``source`` to the store file ``output``, whole or not at all.

    ``options`` are those of ``samples``, which raises E2EError; bytes do not depend on the executor.
    """
    metadata, found = samples(task, source, **options)
    store.write(output, found, metadata)
    return metadata


def samples(
    task: Task,
    source: str | Path,
    sample: str | None = None,
    progress: bool = True,
    quarter_endcaps: bool = False,
    executor: processor.executor.ExecutorBase | None = None,
    own_columns: bool = False,
    label: str | None = None,
) -> tuple[Metadata, Iterator[Samples]]:
    """What the ntuple ``source`` holds for a task, and its objects, read chunk after chunk when asked for.

    An object is kept when its crop lies inside the detector along the rows (ieta); the others are
    counted in the metadata. Columns (iphi) wrap around. Crops are turned as the task's ``Crop`` says. A hit
    is a value that is not 0.
    Targets come from the truth of the mode that the ntuple was written in, or are all ``label``, the name of
    a class, for a sample that is a class; null where there is none, as are kinematics that a source lacks.
    ``sample`` defaults to the name of ``source`` without suffix. ``quarter_endcaps`` gives the ECAL endcaps
    the fault of the public jet files (``crops.quarter_endcaps``); ``own_columns`` reads an ntuple of this
    project from before HBHE_energy came in the columns of the ECAL.

    Chunks of ``CHUNK`` events are run by ``executor`` (default: one after the other, here), a few at a
    time, so that memory does not grow with the file; one whose objects have more than ``MOST_HITS`` hits
    comes in pieces.

    Raises E2EError, naming file and branch, for a file that is no whole ROOT file, an analyzer or mode that
    cannot be used, a missing branch, seeds outside the detector or without energy, objects that
    cannot be told to belong to their seeds, a frame of another size, or a value that is not finite in a crop.
    """
    source = Path(source)
    checked = ntuple.check(source, task, own_columns)
    if quarter_endcaps and ECAL not in task.channels:
        raise E2EError(f"task {task.name} has no {ECAL.name}, so no endcaps; convert without quartering them")
    _check_label(source, task, checked.layout, label)
    with ntuple.open_tree(source) as tree:
        found = objects.read(source, tree, task, checked.layout, label)
    cutter = CropCutter(task, checked, found, sample or source.stem, quarter_endcaps)
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
        origin=checked.origin,
        tracks=checked.layout.tracks,
        orientation=task.crop.orientation,
        rejected={
            EDGE: int(np.count_nonzero(~_inside(task, found.row))),
            **({objects.TWICE: found.twice} if found.twice else {}),
        },
        notes={
            **checked.notes,
            **found.notes,
            **_about_target(task, checked, found, label),
            **({"endcaps": "quartered"} if quarter_endcaps else {}),
        },
    )
    executor = executor or processor.IterativeExecutor(status=False, retries=0)
    return metadata, _run(cutter, checked, executor, progress)


def _check_label(source: Path, task: Task, layout: Layout, label: str | None) -> None:
    """Raises E2EError where the objects of a file cannot all be of the class ``label``."""
    if label is None:
        return
    if label not in task.classes:
        raise E2EError(
            f"{source}: task {task.name} has no class {label}; it has {', '.join(task.classes) or 'none'}"
        )
    if layout.truth is not None:
        raise E2EError(
            f"{source}: tells the class of each object in {layout.truth.branch}; convert it without a class"
        )
    if label not in layout.classes:
        raise E2EError(
            f"{source}: holds {layout.holds} (mode {layout.mode}), none of which is known to be a {label} of "
            f"task {task.name}; convert it without a class"
        )


def _about_target(task: Task, checked: ntuple.Ntuple, found: Objects, label: str | None) -> dict[str, str]:
    """What has to be said of targets: where they come from, if not from the file, or why there are none."""
    layout = checked.layout
    if label:
        told = f": {layout.holds}" if layout.holds else f"; mode {layout.mode} does not tell"
        return {"target": f"{label}, as the sample is{told}"}
    if not len(found.target) or np.isfinite(found.target).any():
        return {}
    if layout.truth:
        why = f"none of the {len(found.target)} objects has one in {layout.truth.branch}"
    else:
        why = f"mode {layout.mode} has no truth for task {task.name} that can be read"
        why += f"; it holds {layout.holds}" if layout.holds else ""
    use = "the objects can be scored (e2e predict, cmsRun), not be trained on or measured with"
    said = " or ".join(name for name in layout.classes if name in task.classes)
    return {"target": f"none: {why}; {use}" + (f", unless all are of class {said} (--class)" if said else "")}


@contextmanager
def cluster(workers: int | None = None, scheduler: str | None = None) -> Iterator[processor.DaskExecutor]:
    """An executor for ``convert`` on Dask: ``workers`` processes here, or the cluster behind ``scheduler``.

    ``scheduler`` is an address such as tcp://host:8786; its workers need to see the ntuples under the same
    path. Raises E2EError when nobody answers there, and for less than one process.
    """
    if workers is not None and workers < 1:
        raise E2EError(f"{workers} processes cannot convert anything; give 1 or more (--workers)")
    from distributed import Client

    with nullcontext(scheduler) if scheduler else _own_cluster(workers) as address:
        try:
            client = Client(address)
        except (OSError, ValueError) as error:
            raise E2EError(
                f"{scheduler}: no Dask scheduler answers ({error}); start one, or convert here"
            ) from None
        with client:
            yield processor.DaskExecutor(client=client, status=False, retries=0)


@contextmanager
def _own_cluster(workers: int | None) -> Iterator[LocalCluster]:
    """A Dask cluster of ``workers`` processes here, which leaves nothing."""
    import dask
    from distributed import LocalCluster

    with temporary_folder() as folder, dask.config.set({"temporary-directory": str(folder)}):
        # Ctrl-C reaches all processes of a terminal. The workers inherit that it is blocked, and leave it to
        # us; to start the tracker of their resources would unblock it.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            own = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                # Without a dashboard it still has a page of its own, whose usual port may be another Dask's.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,  # since what a chunk fails of comes back as an error
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with own:
            yield own


def _run(
    cutter: CropCutter, checked: ntuple.Ntuple, executor: processor.executor.ExecutorBase, progress: bool
) -> Iterator[Samples]:
    """Samples of an ntuple, chunk after chunk."""
    if not checked.entries:
        return
    path = str(checked.path.resolve())
    runner = processor.Runner(executor=executor, schema=BaseSchema)
    branches = list(ntuple.IDENTITY)
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

    def run(items: list[WorkItem]) -> list[tuple[int, Samples, int | None]]:
        with redirect_stdout(StringIO()):  # where coffea draws bars, asked to or not
            return sorted(runner.run(items, cutter, **options)["out"], key=itemgetter(0))

    bar = tqdm(
        total=checked.entries, desc=f"Converting {checked.path.name}", unit="event", disable=not progress
    )
    with bar, _one_error(checked.path):
        at_once = _at_once(executor)
        for first in range(0, len(chunks), at_once):
            window = chunks[first : first + at_once]
            for chunk, (_, samples, rest) in zip(window, run(window), strict=True):
                yield samples
                while rest is not None:
                    start = int(cutter.found.entry[rest])
                    ((_, samples, rest),) = run([replace(chunk, entrystart=start, usermeta={"object": rest})])
                    yield samples
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
        raise root_file.damaged(path, error.__cause__ or error) from None


class CropCutter(processor.ProcessorABC):
    """coffea processor: events of an ntuple in, ``[(first entry, Samples, rest)]`` out.

    The objects are those from number ``object`` of the metadata on, if it is there; ``rest`` is the number of
    the one to go on with, None after the last.
    """

    def __init__(
        self, task: Task, checked: ntuple.Ntuple, found: Objects, sample: str, quarter_endcaps: bool = False
    ) -> None:
        self.task = task
        self.source = checked.path
        self.layout = checked.layout
        self.found = found
        self.sample = sample
        self.quarter_endcaps = quarter_endcaps

    def process(self, events: ak.Array) -> list[tuple[int, Samples, int | None]]:
        first = events.metadata["entrystart"]
        with ntuple.open_tree(events.metadata["filename"]) as tree:
            return [(first, *self._samples(events, tree, first, events.metadata.get("object", 0)))]

    def postprocess(self, accumulator: list) -> list:
        return accumulator

    def _samples(
        self, events: ak.Array, tree: uproot.TTree, first: int, begin: int
    ) -> tuple[Samples, int | None]:
        task, found = self.task, self.found
        with ntuple.reading(self.source):
            identity = {
                name: self._identity(events, branch, first)
                for name, branch in zip(("run", "lumi", "event"), ntuple.IDENTITY, strict=True)
            }
        all_here = found.between(first, first + len(events))
        begin = max(begin, all_here.start)
        here = slice(begin, all_here.stop)
        objects = _Crops(
            range(first, first + len(events)),
            found.entry[here],
            found.row[here],
            found.column[here],
            _inside(task, found.row[here]),
        )
        cutters: list[crops.Cutter] = []
        room = np.full(np.count_nonzero(objects.kept), MOST_HITS)
        for channel in task.channels:
            cutters.append(self._cut(tree, channel, objects, room))
            objects = objects.first(cutters[-1].done)
            for cutter in cutters:
                cutter.keep(cutters[-1].done)
            counts = cutters[-1].counts
            room = room[: len(counts)] - (np.cumsum(counts) - counts)
        offsets, index, value = crops.interleave(cutters, task.crop)
        here = slice(begin, begin + len(objects.entry))
        kept, owner = objects.kept, objects.entry[objects.kept] - first
        samples = Samples(
            sample=np.full(len(owner), self.sample),
            **{name: numbers[owner] for name, numbers in identity.items()},
            object=found.number[here][kept],
            target=found.target[here][kept],
            kinematics={name: column[here][kept] for name, column in found.kinematics.items()},
            offsets=offsets,
            index=index,
            value=value,
            channels=task.channels,
            classes=task.classes,
            shape=task.shape,
            seed_row=middle(found.row[here][kept], task.seed_cell).astype(np.float32),
            seed_column=middle(found.column[here][kept], task.seed_cell).astype(np.float32),
        )
        return samples, here.stop if here.stop < all_here.stop else None

    def _cut(self, tree: uproot.TTree, channel: Channel, objects: _Crops, room: np.ndarray) -> crops.Cutter:
        """Cut the objects whose crop lies in the detector out of one channel, as long as there is room."""
        task, image = self.task, self.layout.images[channel.name]
        kept = objects.kept
        seeds = (middle(column[kept], task.seed_cell) for column in (objects.row, objects.column))
        top, left, turned = crops.windows(task, *seeds)
        cutter = crops.Cutter(task, channel, objects.entry[kept], top, left, turned, room, image.shift)
        hottest = image.branch == self.layout.hottest
        entries = objects.entry if hottest else cutter.entries  # every seed is looked at
        before = np.concatenate([[0], np.cumsum(kept)]) if hottest else np.arange(len(entries) + 1)
        for records, first, start, stop in baskets.records(
            self.source, tree, image.branch, cutter.frame, entries, objects.events
        ):
            if hottest:
                self._check_seeds(tree, records, first, objects, slice(start, stop))
            if self.quarter_endcaps and channel == ECAL:
                records = crops.quarter_endcaps(records, task.detector)
            if not cutter.cut(records, first, before[stop]):
                break
        index, value = cutter.hits()
        if not np.isfinite(value).all():
            bad = np.flatnonzero(~np.isfinite(value))[0]
            number = np.searchsorted(np.cumsum(cutter.counts), bad, side="right")
            place = task.crop.rows * task.crop.columns - 1 - index[bad] if turned[number] else index[bad]
            i, j = divmod(int(place), task.crop.columns)
            row = (top[number] + i) // channel.cell
            column = ((left[number] + j) // channel.cell - image.shift) % cutter.frame[1]
            message = (
                f"{image.branch} is {value[bad]} at row {row}, column {column}; a cell without a hit is 0"
            )
            raise self._error(tree, cutter.entries[number], message)
        return cutter

    def _check_seeds(
        self, tree: uproot.TTree, records: np.ndarray, first: int, objects: _Crops, here: slice
    ) -> None:
        """Raises E2EError where a seed of the objects ``here`` is no crystal with energy."""
        rows, columns = self.task.detector
        row, column, entry = objects.row[here], objects.column[here], objects.entry[here]
        energy = crops.to_values(records, rows * columns)[entry - first, row * columns + column]
        for i in np.flatnonzero(~(energy > 0))[:1]:
            raise self._error(
                tree,
                entry[i],
                f"{self.layout.hottest} is {energy[i]:g} at the seed in row {row[i]}, column "
                f"{column[i]}, which is the "
                f"hottest crystal of its object: {self.layout.seeds[0]} counts otherwise (one fork "
                "counts in the "
                "280 rows of ECAL_energy, 55 more), or the image is of other events",
            )

    def _error(self, tree: uproot.TTree, entry: int, message: str) -> E2EError:
        return E2EError(f"{self.source}: event {ntuple.event_name(tree, entry)}: {message}")

    def _identity(self, events: ak.Array, branch: str, first: int) -> np.ndarray:
        name = dict(zip(ntuple.IDENTITY, ("run", "lumi", "event"), strict=True))[branch]
        numbers = ak.to_numpy(events[branch])
        kind = store.IDENTITY[name]
        largest = int(np.iinfo(kind).max)
        for i in np.flatnonzero((numbers < 1) | (numbers > largest))[:1]:
            raise E2EError(
                f"{self.source}: {branch} of entry {first + i} is {numbers[i]}; CMSSW numbers from 1 "
                f"to {largest}"
            )
        return numbers.astype(kind)


@dataclass(frozen=True, eq=False)
class _Crops:
    """Entry, seed, and whether the crop lies in the detector, of N objects of ``events``."""

    events: range
    entry: np.ndarray
    row: np.ndarray
    column: np.ndarray
    kept: np.ndarray

    def first(self, count: int) -> _Crops:
        """The objects before the one whose crop follows the first ``count``; all where none does."""
        places = np.flatnonzero(self.kept)
        if count == len(places):
            return self
        stop = places[count]
        columns = (column[:stop] for column in (self.entry, self.row, self.column, self.kept))
        return _Crops(range(self.events.start, int(self.entry[stop]) + 1), *columns)


def _inside(task: Task, seed_rows: np.ndarray) -> np.ndarray:
    """Whether the crops around seeds in these rows lie in the detector."""
    top, _, _ = crops.windows(task, middle(seed_rows, task.seed_cell), np.zeros_like(seed_rows))
    return (top >= 0) & (top + task.crop.rows <= task.detector[0])
