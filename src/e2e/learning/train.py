"""Supervised training of a network: data, weights, loop, calibration, and the file that is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from e2e import models
from e2e.data.split import PARTS
from e2e.learning import balance, batches
from e2e.learning.calibration import temperature
from e2e.learning.loop import Report, Settings, Stopwatch
from e2e.learning.objectives import objective
from e2e.models import saved, tensorflow
from e2e.tasks import Task

WRITTEN = ("best.ckpt", "last.ckpt", "last.npz")  # to the folder of checkpoints, by any trainer


def train(
    stores: Sequence[str | Path],
    split: str | Path,
    output: str | Path,
    history: str | Path,
    *,
    checkpoints: str | Path,
    task: Task,
    architecture: str,
    network: Mapping[str, Any],
    trainer: Mapping[str, Any],
    threads: int | None = None,
    code: str = "",
    accelerator: str = "auto",
    report: Report | None = None,
) -> dict[str, Any]:
    """Train a network on the training part and write the one of lowest validation loss to ``output``.

    ``network`` holds the hyperparameters of the architecture, ``trainer`` those of ``Settings``. ``history``
    (CSV) gets a row an epoch. ``checkpoints`` is a folder that exists while training
    does: after a kill, the same call goes on from the last finished epoch, and on a CPU ends with the
    weights of an uninterrupted run; a checkpoint of other settings, data or ``code`` (any text that changes
    with the library) is left aside. Equal settings, data, seed and ``threads`` (CPU threads a device) give
    equal weights on a CPU. Objects are weighted as ``balance.fit`` says; the scores of a classifier are
    calibrated on the validation part.

    ``report`` is called after each epoch with its number (from 1) and its validation loss; what it raises
    ends the training.

    Several GPUs train by DistributedDataParallel: the calling script is then run once a device.

    Returns the information in ``output``, and ``training_s``: the wall time in s, that of killed attempts up
    to their last finished epochs included. Raises E2EError for unsuitable data or
    hyperparameters, and for a loss that is not finite.
    """
    stopwatch = Stopwatch()
    settings = Settings(**trainer)
    if threads:
        torch.set_num_threads(threads)
    training, validation = (batches.stream(stores, split, part, task) for part in PARTS[:2])
    weighting = balance.fit(training.objects, task)
    objects = [batches.Objects(stream, weighting(stream.objects)) for stream in (training, validation)]
    torch.manual_seed(settings.seed)
    module = models.build(architecture, task, **network)
    # Not imported before: one framework needs nothing of the other, and a training not the other's loop.
    loop = import_module(f"e2e.learning.{tensorflow.loop_of(architecture)}")
    info = {
        "task": task.name,
        "channels": len(task.channels),
        "architecture": architecture,
        "hyperparameters": dict(network),
        "training_data": batches.identity(stores, len(training)),
        "trainer": asdict(settings),
        "versions": {name: str(import_module(name).__version__) for name in ("e2e", *loop.PACKAGES)},
    }
    fingerprint = hashlib.sha256(json.dumps([info, code], sort_keys=True).encode()).hexdigest()
    best = loop.fit(
        module,
        *objects,
        task,
        settings,
        history=history,
        checkpoints=checkpoints,
        fingerprint=fingerprint,
        stopwatch=stopwatch,
        report=report,
        accelerator=accelerator,
    )
    if best is not None:
        info |= {"epoch": best[0], "validation_loss": best[1]}
        if objective(task, training.target).calibrated:
            logit = saved.predictions(module.eval(), validation.chunks(settings.batch_size))
            info["temperature"] = temperature(logit, validation.target, weighting(validation.objects))
        saved.save(output, module, info)
        for name in WRITTEN:
            Path(checkpoints, name).unlink(missing_ok=True)
        with suppress(OSError):  # it holds something else
            Path(checkpoints).rmdir()
        info["training_s"] = stopwatch()
    return info
