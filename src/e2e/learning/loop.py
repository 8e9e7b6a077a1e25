"""What training is made of in every framework: its settings, learning rates, and what it says."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from e2e.errors import E2EError

CLIP = 1.0  # largest norm of the gradients of a step
WARM_UP = 0.15  # part of the steps in which the learning rate rises to its maximum
Report = Callable[[int, float], None]  # takes an epoch, from 1, and its validation loss


class LossError(E2EError):
    """A training whose loss is not finite."""


@dataclass(frozen=True)
class Settings:
    """How a network is trained.

    ``epochs`` is the length of the learning-rate cycle, to the end of which every training goes: only where
    the rate is low does a network become precise. ``batch_size`` is that of all ``devices`` (GPUs, or CPU
    processes where there is no GPU) together. ``augmentation`` has the largest changes of the detector that
    training objects go through, by name (``augmentation.CHANGES``); one that is not named is not made.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    devices: int
    seed: int
    augmentation: Mapping[str, float] = field(default_factory=dict)


class Stopwatch:
    """Seconds that a training has taken: with ``earlier``, those of attempts of it that were killed."""

    def __init__(self) -> None:
        self.earlier = 0.0
        self._start = time.perf_counter()

    def __call__(self) -> float:
        return self.earlier + time.perf_counter() - self._start


@dataclass(frozen=True)
class Job:
    """One training: its settings, what it keeps on disk, and who hears of it.

    ``history`` (CSV) gets a row an epoch. ``checkpoints`` is a folder that exists while training does; one of
    another ``fingerprint`` is left aside. ``report`` is called after each epoch; what it raises ends the
    training. ``accelerator`` is one of Lightning's.
    """

    settings: Settings
    history: Path
    checkpoints: Path
    fingerprint: str
    stopwatch: Stopwatch
    report: Report | None = None
    accelerator: str = "auto"


def one_cycle(
    optimizer: torch.optim.Optimizer, settings: Settings, steps: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """The learning rate rises during ``WARM_UP``, then falls to nothing (arXiv 1708.07120)."""
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False
    )


def average_decay(updates: int) -> float:
    """What a moving average of weights keeps of itself when those of a step join those of ``updates`` before.

    The rule by which TensorFlow's ``ExponentialMovingAverage`` warms up. With it a step n counts as n^8: the
    average spans about the last tenth of all steps so far, however many, and forgets where it began. Such
    power functions, here of relative width 0.09, are those of arXiv 2312.02696.
    """
    return updates / (updates + 9)


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of the random numbers of an epoch (from 0); those of different trainings never meet."""
    return seed * 2**20 + epoch


def require_finite(loss: float, epoch: int, settings: Settings) -> None:
    """Raise LossError for a loss that is not finite; ``epoch`` counts from 0."""
    if not math.isfinite(loss):
        raise LossError(
            f"the loss is {loss} in epoch {epoch + 1}: lower trainer.learning_rate (now"
            f" {settings.learning_rate}), and look for values that are not finite in the stores with"
            " `e2e inspect`"
        )


def progress_bar(epoch: int, settings: Settings, batches: int, shown: bool = True) -> tqdm:
    """The bar of an epoch (from 0; shown from 1, as in the history), in images a second."""
    return tqdm(
        total=batches * settings.batch_size,
        desc=f"epoch {epoch + 1}/{settings.epochs}",
        unit=" images",
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        disable=not shown,
    )
