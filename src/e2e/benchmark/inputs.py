"""Real, varied inputs for every method of running a model: the same objects, in the same batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from e2e.data import ntuple, scalars, store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, Sparse, write_ntuple
from e2e.data.split import EVENT
from e2e.deploy.contract import Contract
from e2e.errors import E2EError
from e2e.tasks import SEED_ETA, Task

# Objects of one measurement: larger batches take fewer events, so that none takes much longer than another.
CALLED_OBJECTS = 1000
RUN_OBJECTS = 4000
LEAST_EVENTS = 20
# cmsRun takes a second to start, and an event well below a millisecond: it needs more of them.
RUN_FACTOR = 10


@dataclass(frozen=True)
class Batch:
    """``events`` events of ``size`` objects in an ntuple for cmsRun, the first ``calls`` as crops for Python.

    The ntuple has run 1, lumi 1, and events from 1 on. ``frames`` is a .npy file, float32
    [calls, size, C, H, W], and so are the ``scalars`` [calls, size, S] that the model takes beside them, None
    where it takes none; ``values`` [events, size] of the model's first ``output`` are the reference's.
    """

    size: int
    calls: int
    events: int
    ntuple: Path
    frames: Path
    output: str
    values: np.ndarray
    scalars: Path | None = None

    @property
    def inputs(self) -> list[Path]:
        """The files of what the model takes."""
        return [self.frames] if self.scalars is None else [self.frames, self.scalars]


@dataclass(frozen=True)
class TestEvent:
    """Hits of an event, branches of those of its objects that the reference has, and its values for them.

    The branches are the seeds', and those of the scalars that the reference's model takes, if it takes any.
    """

    frames: dict[str, Sparse]
    objects: dict[str, np.ndarray]
    values: np.ndarray

    def with_objects(self, number: int, rows: slice | np.ndarray) -> Event:
        """The event under another number, with the objects ``rows``."""
        return Event(1, 1, number, self.frames, {name: values[rows] for name, values in self.objects.items()})


def prepare(
    contract: Contract,
    ntuples: Mapping[str | Path, str],
    reference: pd.DataFrame,
    sizes: Sequence[int],
    calls: int,
    folder: Path,
    own_columns: bool = False,
) -> list[Batch]:
    """Write the inputs of each batch size, ascending, to ``folder``.

    The events are those of ``reference`` (a scores table), taken evenly from all of ``ntuples``, which are
    files by name with their samples; at most ``calls`` different ones, repeated in turn where more are
    needed. To fill a batch, the seeds of the event's own objects are repeated. ``own_columns``: see
    ``convert``; what is written here has towers in the columns of the ECAL.

    Raises:
        E2EError: no event of ``reference`` is in ``ntuples``.
    """
    task, output = contract.task, contract.numbers[0].name
    reference = reference.rename(columns={output: "value"})
    found = list(islice(scored_events(task, ntuples, reference, calls, own_columns), calls))
    if not found:
        first = next(iter(ntuples))
        raise E2EError(f"none of the {len(reference)} scored objects is in the ntuples ({first}, ...)")
    source = folder / "events.root"
    write_ntuple(source, (event.with_objects(i, slice(None)) for i, event in enumerate(found, 1)), task=task)
    convert(task, source, source.with_suffix(".parquet"), progress=False)
    images, *beside = scalars.inputs(store.read(source.with_suffix(".parquet")), task)
    first = np.cumsum([0, *(len(event.values) for event in found)])  # image of each event's first object

    batches = []
    for size in sorted(sizes):
        of_call, of_run = (
            max(min(objects // size, most), LEAST_EVENTS)
            for objects, most in ((CALLED_OBJECTS, calls), (RUN_OBJECTS, RUN_FACTOR * calls))
        )
        chosen = np.arange(of_run) % len(found)
        rows = [np.arange(size) % len(event.values) for event in found]
        path = folder / f"batch_{size}.root"
        called = [first[i] + rows[i] for i in chosen[:of_call]]
        events = (found[i].with_objects(n + 1, rows[i]) for n, i in enumerate(chosen))
        write_ntuple(path, events, task=task, repeats=True)
        np.save(path.with_suffix(".npy"), np.stack([images[objects] for objects in called]))
        values = np.stack([found[i].values[rows[i]] for i in chosen])
        batch = Batch(size, of_call, of_run, path, path.with_suffix(".npy"), output, values)
        if beside:
            batch = replace(batch, scalars=folder / f"batch_{size}_scalars.npy")
            np.save(batch.scalars, np.stack([beside[0][objects] for objects in called]))
        batches.append(batch)
    return batches


def scored_events(
    task: Task,
    ntuples: Mapping[str | Path, str],
    reference: pd.DataFrame,
    most: int,
    own_columns: bool = False,
) -> Iterator[TestEvent]:
    """Events of the ntuples that are in ``reference``, in equal shares from each file.

    The scalars of the task that a seed does not tell are the reference's, under the names of the kinematics.
    """
    named = [scalar.name for scalar in task.scalars if scalar != SEED_ETA]
    scored = dict(iter(reference.groupby(EVENT)[["object", "value", *named]]))
    share = -(-most // len(ntuples))
    for path, sample in ntuples.items():
        layout = ntuple.check(path, task, own_columns).layout
        images = [layout.images[channel.name] for channel in task.channels]
        with ntuple.open_tree(path) as tree:
            identity = zip(
                *(tree[name].array(library="np").tolist() for name in ntuple.IDENTITY), strict=True
            )
            keys = ((sample, *numbers) for numbers in identity)
            entries = ((entry, key) for entry, key in enumerate(keys) if key in scored)
            for entry, key in islice(entries, share):
                branches = tree.arrays(
                    [*(image.branch for image in images), *layout.seeds],
                    entry_start=entry,
                    entry_stop=entry + 1,
                    library="np",
                )
                rows = scored[key]["object"].to_numpy()
                yield TestEvent(
                    {
                        channel.name: _hits(branches[image.branch][0], task.frame_shape(channel), image.shift)
                        for channel, image in zip(task.channels, images, strict=True)
                    },
                    {name: branches[name][0][rows] for name in layout.seeds}
                    | {name: scored[key][name].to_numpy() for name in named},
                    scored[key]["value"].to_numpy(),
                )


def _hits(frame: np.ndarray, shape: tuple[int, int], shift: int) -> Sparse:
    """Cells with a hit of a frame that lies ``shift`` columns too far to the left, and their values."""
    frame = np.roll(frame.reshape(shape), shift, axis=1).ravel()
    index = np.flatnonzero(frame).astype(np.uint32)
    return index, frame[index]
