"""Real, varied inputs for every way of running a model: the same objects, in the same batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from e2e.data import ntuple, store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.errors import E2EError
from e2e.tasks import Task

OBJECTS = 1000  # of a run; larger batches have fewer events, so that no batch size takes much longer
LEAST_EVENTS = 20


@dataclass(frozen=True)
class Batch:
    """``events`` events with ``size`` objects each: an ntuple for cmsRun, its crops for Python.

    The ntuple has run 1, lumi 1, events from 1 on. ``frames`` is a .npy file, float32
    [events, size, C, H, W]; ``scores`` [events, size] are those of the reference.
    """

    size: int
    events: int
    ntuple: Path
    frames: Path
    scores: np.ndarray


@dataclass(frozen=True)
class TestEvent:
    """Frames of an event, branches of its objects and their reference scores."""

    frames: dict[str, np.ndarray]
    objects: dict[str, np.ndarray]
    scores: np.ndarray


def prepare(
    task: Task,
    ntuples: Sequence[str | Path],
    reference: pd.DataFrame,
    sizes: Sequence[int],
    events: int,
    folder: Path,
) -> list[Batch]:
    """Write the inputs of each batch size, ascending, to ``folder``.

    The events are those of ``reference`` (a scores table), taken evenly from all of ``ntuples``, at
    most ``events`` of them. To fill a batch, the seeds of the event's own objects are repeated; where
    there are too few events, these are.

    Raises:
        E2EError: no event of ``reference`` is in ``ntuples``.
    """
    found = list(_test_events(task, ntuples, reference, events))
    if not found:
        raise E2EError(f"none of the {len(reference)} scored objects is in the ntuples ({ntuples[0]}, ...)")
    batches = []
    for size in sorted(sizes):
        chosen = list(islice(cycle(found), min(max(OBJECTS // size, LEAST_EVENTS), events)))
        own = [np.resize(np.arange(len(event.scores)), size) for event in chosen]
        path = folder / f"batch_{size}.root"
        write_ntuple(
            path,
            (
                Event(1, 1, i + 1, event.frames, {name: v[rows] for name, v in event.objects.items()})
                for i, (event, rows) in enumerate(zip(chosen, own, strict=True))
            ),
            task=task,
        )
        convert(task, path, path.with_suffix(".parquet"), progress=False)
        images = store.read(path.with_suffix(".parquet")).images()
        np.save(path.with_suffix(".npy"), images.reshape(len(chosen), size, *task.shape))
        scores = np.stack([event.scores[rows] for event, rows in zip(chosen, own, strict=True)])
        batches.append(Batch(size, len(chosen), path, path.with_suffix(".npy"), scores))
    return batches


def _test_events(
    task: Task, ntuples: Sequence[str | Path], reference: pd.DataFrame, most: int
) -> Iterator[TestEvent]:
    """Events of the ntuples that ``reference`` scored, in equal shares from each file."""
    scored = dict(iter(reference.groupby(["run", "lumi", "event"])[["object", "score"]]))
    share = -(-most // len(ntuples))
    for path in ntuples:
        ntuple.check(path, task)
        with ntuple.open_tree(path) as tree:
            identity = zip(
                *(tree[name].array(library="np").tolist() for name in ntuple.IDENTITY), strict=True
            )
            entries = {i: key for i, key in enumerate(identity) if key in scored}
            for entry, key in islice(entries.items(), share):
                branches = tree.arrays(
                    ntuple.vector_branches(task), entry_start=entry, entry_stop=entry + 1, library="np"
                )
                frames = {channel.name: branches.pop(channel.name)[0] for channel in task.channels}
                rows = scored[key]["object"].to_numpy()
                yield TestEvent(
                    {name: frame.reshape(task.detector) for name, frame in frames.items()},
                    {name: values[0][rows] for name, values in branches.items()},
                    scored[key]["score"].to_numpy(),
                )
