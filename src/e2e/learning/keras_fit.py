"""Training of a network of Keras by Keras, as ``e2e.learning.fit`` does it in PyTorch.

Objects, their order, weights and reflections, loss, optimiser, learning rates and the average of the weights
are the same, so that the two frameworks can be compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from e2e.errors import E2EError
from e2e.files import whole
from e2e.learning import batches
from e2e.learning.loop import (
    CLIP,
    Job,
    Settings,
    Stopwatch,
    average_decay,
    epoch_seed,
    one_cycle,
    progress_bar,
    require_finite,
)
from e2e.learning.methods import Method
from e2e.learning.methods.supervised import Supervised
from e2e.models.tensorflow import load_keras
from e2e.typed import build, parse

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

PACKAGES = ("keras", "tensorflow")  # whose versions a model tells


def fit(
    method: Method, training: batches.Objects, validation: batches.Objects, job: Job
) -> tuple[int, float]:
    """Give a classifier the averaged weights of lowest validation loss; returns their epoch and that loss.

    Epochs count from 1. What happens after a kill is that of ``e2e.learning.train.train``. Raises E2EError
    for another method than the supervised one, for more than one device, for an accelerator other than the
    CPU, and for a loss that is not finite.
    """
    settings = job.settings
    if not isinstance(method, Supervised):
        raise E2EError("Keras learns from targets alone here; choose the method supervised, or PyTorch")
    if settings.devices != 1:
        raise E2EError(f"trainer.devices = {settings.devices}, but Keras trains on one CPU here; set it to 1")
    if job.accelerator not in ("auto", "cpu"):
        raise E2EError(f"accelerator {job.accelerator!r}, but Keras trains on the CPU here")
    order = batches.Batches(training.stream, settings.batch_size, shuffle=True, seed=settings.seed)
    rates = learning_rates(settings, settings.epochs * len(order))
    model, averaged = method.network.model, method.result().model
    optimizer = adamw(model, settings)
    state = State(model, averaged, optimizer, job.stopwatch)
    checkpoint = job.checkpoints / "last.npz"
    state.resume(checkpoint, job.fingerprint)
    step = stepper(model, averaged, optimizer, method.task.goal.outputs)
    for epoch in range(len(state.rows), settings.epochs):
        # Random numbers depend on seed and epoch alone, so a resumed run draws the same ones.
        torch.manual_seed(epoch_seed(settings.seed, epoch))
        order.set_epoch(epoch)
        with progress_bar(epoch, settings, len(order)) as bar:
            losses = []
            for frames, target, weight, _ in loaded(training, order):
                done = epoch * len(order) + len(losses)
                optimizer.learning_rate = rate = rates[done]
                views = method.views(frames)
                loss = step(views.numpy(), target.numpy(), weight.numpy(), average_decay(done))
                losses.append(float(loss))
                require_finite(losses[-1], epoch, settings)
                bar.update(len(target))
            measured = measure(method, validation, epoch, settings)
            bar.set_postfix({name: f"{value:.4f}" for name, value in measured.items()})
        row = {"epoch": epoch + 1, "learning_rate": rate, "training_loss": float(np.mean(losses)), **measured}
        state.add(row)
        with whole(job.history) as scratch:
            pd.DataFrame(state.rows).to_csv(scratch, index=False)
        state.save(checkpoint, job.fingerprint)
        if job.report:
            job.report(epoch + 1, row["validation_loss"])
    averaged.set_weights(state.best)
    return state.best_epoch, state.rows[state.best_epoch - 1]["validation_loss"]


def loaded(objects: batches.Objects, order: batches.Batches) -> Iterator[batches.Batch]:
    """Batches with their frames."""
    for packed in batches.Loader(objects, order):
        yield packed.unpacked(objects.stream.shape)


def learning_rates(settings: Settings, steps: int) -> list[float]:
    """The learning rate of each step, from PyTorch's own schedule."""
    optimizer = torch.optim.SGD([torch.zeros(1)])
    schedule = one_cycle(optimizer, settings, steps)
    rates = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return rates


def adamw(model: keras.Model, settings: Settings) -> keras.optimizers.Optimizer:
    """PyTorch's AdamW with clipped gradients; biases and normalisations do not decay."""
    optimizer = load_keras().optimizers.AdamW(
        settings.learning_rate, settings.weight_decay, epsilon=1e-8, global_clipnorm=CLIP
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    return optimizer


def stepper(
    model: keras.Model, averaged: keras.Model, optimizer: keras.optimizers.Optimizer, outputs: int
) -> Callable[[NDArray, NDArray, NDArray, float], tf.Tensor]:
    """A function that trains on one batch of frames, targets and weights, and returns its loss.

    The weights of ``averaged``, those of batch normalisation included, keep of themselves what its last
    argument says, and take the rest from ``model``.
    """
    import tensorflow as tf

    ops = load_keras().ops
    numbers = tf.TensorSpec([None])

    def step(frames: tf.Tensor, target: tf.Tensor, weight: tf.Tensor, decay: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(frames, training=True)
            if outputs == 1:
                losses = ops.binary_crossentropy(target, logits, from_logits=True)
            else:
                losses = ops.sparse_categorical_crossentropy(target, logits, from_logits=True)
            loss = ops.mean(weight * losses)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        for average, found in zip(averaged.weights, model.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * found)
        return loss

    return tf.function(step, [tf.TensorSpec(model.input.shape), numbers, numbers, tf.TensorSpec([])])


def measure(
    method: Supervised, validation: batches.Objects, epoch: int, settings: Settings
) -> dict[str, float]:
    """Loss of the validation part, and what the method watches there."""
    losses, counts = [], []
    with torch.inference_mode():
        order = batches.Batches(validation.stream, settings.batch_size, shuffle=False)
        for batch in loaded(validation, order):
            losses.append(float(method.validation_loss(batch)))
            counts.append(len(batch.frames))
            require_finite(losses[-1], epoch, settings)
    watched = {f"validation_{name}": float(metric.compute()) for name, metric in method.watched.items()}
    for metric in method.watched.values():
        metric.reset()
    return {"validation_loss": float(np.average(losses, weights=counts)), **watched}


@dataclass(frozen=True)
class _Header:
    """What a checkpoint says in JSON."""

    fingerprint: str
    rows: list[dict[str, Any]]  # of numbers; whole ones stay whole
    seconds: float


class State:
    """What a killed training needs to go on: variables, ``rows`` of the history, time.

    And ``best``, the averaged weights of the epoch that is to be kept.
    """

    def __init__(
        self,
        model: keras.Model,
        averaged: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        stopwatch: Stopwatch,
    ):
        self.averaged, self.stopwatch = averaged, stopwatch
        self.variables = [*model.weights, *averaged.weights, *optimizer.variables]
        self.rows: list[dict[str, float]] = []
        self.best: list[NDArray] = []

    @property
    def best_epoch(self) -> int:
        """That of the lowest validation loss, from 1; 0 before the first."""
        return 1 + int(np.argmin([row["validation_loss"] for row in self.rows])) if self.rows else 0

    def add(self, row: dict[str, float]) -> None:
        """The row of an epoch that has just been trained."""
        self.rows.append(row)
        if self.best_epoch == len(self.rows):
            self.best = self.averaged.get_weights()

    def save(self, path: Path, fingerprint: str) -> None:
        arrays = {f"variable {i}": variable.numpy() for i, variable in enumerate(self.variables)}
        arrays |= {f"best {i}": weight for i, weight in enumerate(self.best)}
        header = json.dumps({"fingerprint": fingerprint, "rows": self.rows, "seconds": self.stopwatch()})
        with whole(path) as scratch:
            np.savez(scratch, header=header, **arrays)

    def resume(self, path: Path, fingerprint: str) -> None:
        """Go on from ``path`` if it exists and belongs to this training; says what it found."""
        if not path.exists():
            return
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            header = build(_Header, parse(str(arrays["header"])))
            if not all(type(number) in (int, float) for row in header.rows for number in row.values()):
                raise ValueError("a row of the history is not of numbers")
            best = [arrays[f"best {i}"] for i in range(len(self.averaged.weights))]
            variables = [arrays[f"variable {i}"] for i in range(len(self.variables))]
            if not all(isinstance(array, np.ndarray) for array in (*best, *variables)):
                raise ValueError("a record that is no array")
        except (BadZipFile, OSError, ValueError, KeyError, EOFError, RuntimeError, TypeError, MemoryError):
            print(f"{path}: cannot be read; training starts afresh", file=sys.stderr)
            return
        if header.fingerprint != fingerprint:
            print(f"{path}: of other settings, data or code; training starts afresh", file=sys.stderr)
            return
        self.rows = header.rows
        self.stopwatch.earlier = header.seconds
        self.best = best
        for variable, value in zip(self.variables, variables, strict=True):
            variable.assign(value)
        print(f"{path}: training goes on after epoch {len(self.rows)}", file=sys.stderr)
