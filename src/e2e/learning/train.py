"""Training of a network: data, method, loop, and the file that is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from e2e import models
from e2e.data import domain
from e2e.data.parts import PARTS, Labels
from e2e.errors import E2EError
from e2e.learning import batches, methods
from e2e.learning.loop import Job, Report, Settings, Stopwatch
from e2e.models import saved
from e2e.tasks import Task

WRITTEN = ("best.ckpt", "last.ckpt", "last.npz")  # to the folder of checkpoints, by any trainer


@dataclass(frozen=True)
class Entry:
    """What is trained, and how: an entry of the configuration.

    ``network`` holds hyperparameters of the ``architecture``, ``trainer`` those of ``Settings``, ``method``
    the name of one of ``methods`` and its hyperparameters. The trunk begins as that of the file ``init``
    (``saved.take_trunk``), if there is one, and stays as it began with ``freeze``. ``scalars`` names what the
    network takes beside frames, of what the task offers. ``labels`` is the share of the events whose targets
    are known, in the ``subset`` of that number (``data.parts.Labels``), of the validation part, too.
    """

    architecture: str
    network: Mapping[str, Any]
    trainer: Mapping[str, Any]
    method: Mapping[str, Any] = field(default_factory=lambda: {"name": "supervised"})
    init: str | Path | None = None
    freeze: bool = False
    scalars: Sequence[str] = ()
    labels: float = 1.0
    subset: int = 0


def train(
    stores: Sequence[str | Path],
    split: str | Path,
    output: str | Path,
    history: str | Path,
    *,
    checkpoints: str | Path,
    task: Task,
    threads: int | None = None,
    code: str = "",
    accelerator: str = "auto",
    report: Report | None = None,
    **entry: Any,
) -> dict[str, Any]:
    """Train a network on the training part and write the one of lowest validation loss to ``output``.

    ``entry`` are the fields of ``Entry``. ``history`` (CSV) gets a row an epoch. ``checkpoints`` is a folder
    that exists while training does: after a kill, the same call goes on from the last finished epoch, and on
    a CPU ends with the weights of an uninterrupted run; a checkpoint of other settings, data or ``code`` (any
    text that changes with the library) is left aside. Equal settings, data, seed and ``threads`` (CPU threads
    a device) give equal weights on a CPU. Where a method learns from targets, objects are weighted as the
    ``split`` says, and its file says what ``Method.conclude`` found, too.

    ``report`` is called after each epoch with its number (from 1) and its validation loss; what it raises
    ends the training.

    Several GPUs train by DistributedDataParallel: the calling script is then run once a device.

    Returns the information in ``output``, and ``training_s``: the wall time in s, that of killed attempts up
    to their last finished epochs included. Raises E2EError for unsuitable data or
    hyperparameters, and for a loss that is not finite.
    """
    stopwatch = Stopwatch()
    given = Entry(**entry)
    settings = Settings(**given.trainer)
    if threads:
        torch.set_num_threads(threads)
    name, hyperparameters = given.method["name"], {k: v for k, v in given.method.items() if k != "name"}
    task = task.oriented(batches.orientation(stores)).given(given.scalars)
    labels = Labels(given.labels, given.subset)
    training, validation = _objects(stores, split, task, methods.labelled(name), labels)
    torch.manual_seed(settings.seed)
    network, origin = _network(given, task)
    if training.scalars is not None:
        network.set_scalar_range(training.scalars)
    method = methods.build(name, network, training, task, **hyperparameters)
    method.augmentation = settings.augmentation
    # Not imported before: one framework needs nothing of the other, and a training not the other's loop.
    loop = import_module(f"e2e.learning.{models.loop_of(given.architecture)}")
    info = {
        "task": task.name,
        "channels": len(task.channels),
        "scalars": [quantity.name for quantity in task.scalars],
        "architecture": given.architecture,
        "hyperparameters": dict(given.network),
        "method": dict(given.method),
        "init": origin,
        "freeze": given.freeze,
        "labels": given.labels,
        "subset": given.subset,
        "training_data": batches.identity(stores, len(training)),
        "trainer": asdict(settings),
        "versions": {name: str(import_module(name).__version__) for name in ("e2e", *loop.PACKAGES)},
    }
    fingerprint = hashlib.sha256(json.dumps([info, code], sort_keys=True).encode()).hexdigest()
    job = Job(settings, Path(history), Path(checkpoints), fingerprint, stopwatch, report, accelerator)
    best = loop.fit(method, training, validation, job)
    if best is not None:
        info |= {"epoch": best[0], "validation_loss": best[1]} | method.conclude(validation, settings)
        info["domain"] = domain.learned(training.stream, task).to_json()
        saved.save(output, method.result(), info)
        for name in WRITTEN:
            Path(checkpoints, name).unlink(missing_ok=True)
        with suppress(OSError):  # it holds something else
            Path(checkpoints).rmdir()
        info["training_s"] = stopwatch()
    return info


def _network(entry: Entry, task: Task) -> tuple[nn.Module, dict[str, Any] | None]:
    """The network that a training begins with, and where its trunk comes from; None from scratch."""
    network, origin = models.build(entry.architecture, task, **entry.network), None
    if task.scalars and not models.takes(network):
        raise E2EError(
            f"scalars: networks of architecture {entry.architecture!r} take frames alone; leave out"
            f" {', '.join(entry.scalars)}, or choose another architecture"
        )
    if entry.init:
        origin = saved.take_trunk(network, entry.init, task, entry.architecture, entry.network)
    if entry.freeze:
        if not hasattr(network, "freeze"):
            raise E2EError(f"freeze: networks of architecture {entry.architecture!r} have no trunk to freeze")
        network.freeze()
    return network, origin


def _objects(
    stores: Sequence[str | Path], split: str | Path, task: Task, labelled: bool, labels: Labels
) -> list[batches.Objects]:
    """Training and validation part; without labels all objects, of events that are in no other part."""
    if not labelled:
        batches.apart(stores, split)
    return [
        batches.Objects(batches.stream(stores, split, part, task, labelled, labels), task)
        for part in PARTS[:2]
    ]
