"""Numbers that a network takes beside an object's frame, of what a store says of the object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e.data import store
from e2e.data.layouts import TABLE
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.geometry import row_eta
from e2e.tasks import SEED_ETA, Quantity, Task

Columns = Mapping[str, Any] | pd.DataFrame  # of objects [N], by name: seeds and kinematics


def column(objects: Columns, quantity: Quantity, task: Task) -> NDArray[np.float32]:
    """A quantity of objects [N], NaN where it is unknown: one of the kinematics, or what the seed tells."""
    if quantity == SEED_ETA:
        return row_eta(objects["seed_row"].astype(np.float64), task.detector[0]).astype(np.float32)
    missing = np.full(len(objects["seed_row"]), np.nan)
    return np.asarray(objects.get(quantity.name, missing), np.float32)


def columns_of(samples: Samples) -> dict[str, NDArray]:
    """What samples say of their objects, by name."""
    return {name: getattr(samples, name) for name in store.SEED} | samples.kinematics


def beside(objects: Columns, task: Task) -> NDArray[np.float32]:
    """The task's scalars of objects, [N, S]."""
    return np.stack([column(objects, quantity, task) for quantity in task.scalars], axis=1)


def inputs(samples: Samples, task: Task | None) -> tuple[NDArray[np.float32], ...]:
    """What a network takes of samples: frames [N, C, H, W], and the scalars [N, S] of a task that has any."""
    frames = samples.images()
    return (frames, beside(columns_of(samples), task)) if task and task.scalars else (frames,)


def require(source: str | Path, objects: Columns, task: Task) -> None:
    """Raises E2EError, naming the ``source``, where any of its objects lacks one of the task's scalars."""
    for quantity in task.scalars:
        known = np.isfinite(column(objects, quantity, task))
        if missing := np.count_nonzero(~known):
            raise E2EError(
                f"{source}: {missing} of {len(known)} objects have no {quantity.name}, which the model takes;"
                f" {_remedy(quantity, task)}, or take a model of frames alone"
            )


def require_of_stores(stores: Sequence[str | Path], objects: pd.DataFrame, task: Task) -> None:
    """The same for the table of ``objects`` of several stores; the error names the file."""
    if not task.scalars or np.isfinite(beside(objects, task)).all():
        return
    for path in stores:
        key = list(store.IDENTITY)
        require(path, objects.merge(store.StoreFile(path).objects()[key], on=key), task)


def _remedy(quantity: Quantity, task: Task) -> str:
    if quantity == SEED_ETA:
        return "convert ntuples, or public files with the column ieta"
    sources = TABLE["objects"][task.objects]["kinematics"][quantity.name]
    return f"write the ntuple with the branch {sources[0]['branch']}"
