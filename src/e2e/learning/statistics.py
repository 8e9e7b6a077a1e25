"""Figures of merit of a binary classifier, with intervals from a bootstrap over events.

Objects of one event share it, so events are resampled, not objects. All functions take scores, targets
(1 = signal) and object weights; a resampling is a set of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

REPLICAS = 1000  # of an interval
BOOTSTRAP_SEED = 20_240_701  # the same for all models: they are compared on the same resampled events
CHUNK = 100  # replicas held in memory at a time
BINS = 15  # of the reliability curve, of equal numbers of objects


@dataclass(frozen=True)
class Estimate:
    """A value [...] and its replicas [R, ...] under resampling."""

    value: NDArray
    replicas: NDArray

    def __getitem__(self, index: int) -> Estimate:
        """One component of an array of values."""
        return Estimate(self.value[index], self.replicas[:, index])

    def inverse(self) -> Estimate:
        with np.errstate(divide="ignore"):
            return Estimate(1 / self.value, 1 / self.replicas)

    def centred(self) -> Estimate:
        """With the replicas moved to have the value as mean, and none below 0.

        Noise makes a distance from the truth larger, and a resampling has it twice: its replicas lie above.
        """
        moved = self.replicas - self.replicas.mean(axis=0) + self.value
        return Estimate(self.value, np.maximum(moved, 0.0))

    def summary(self) -> dict[str, float | list[float | None] | None]:
        """Value with percentile intervals at 68 % and 95 %; what is infinite or undefined becomes null.

        Resamplings in which it is undefined, as they lack a class, do not count.
        """
        defined = self._defined
        low, high, lowest, highest = (
            _finite(np.quantile(defined, q, method="nearest")) if len(defined) else None
            for q in (0.16, 0.84, 0.025, 0.975)
        )
        return {"value": _finite(self.value), "interval_68": [low, high], "interval_95": [lowest, highest]}

    def of_seeds(self, side: int = 0) -> Estimate:
        """Mean of values [S], one a training; where they are several, replicas hold what seeds do, too.

        To each replica of the mean is added how far the mean of so many trainings may be from that of all:
        its standard error times a draw of Student's t with S - 1 degrees of freedom (Student, Biometrika 6,
        1908, 1). So the interval has both sources of variance (arXiv 2103.03098, "Accounting for variance in
        machine learning benchmarks"). ``side`` has draws of its own: two of a difference are independent.
        """
        replicas, number = self.replicas.mean(axis=1), len(self.value)
        if number > 1:
            error = self.value.std(ddof=1) / np.sqrt(number)
            generator = np.random.default_rng([BOOTSTRAP_SEED, side])
            replicas = replicas + error * generator.standard_t(number - 1, len(replicas))
        return Estimate(self.value.mean(), replicas)

    def __sub__(self, other: Estimate) -> Estimate:
        """Difference on the same resamplings."""
        return Estimate(self.value - other.value, self.replicas - other.replicas)

    def p_value(self) -> float:
        """Two-sided p-value of "the value is zero": twice the smaller part of the replicas on a side of it.

        One more replica is counted on each side, so that it is never 0 (Davison and Hinkley, Bootstrap
        Methods and their Application, 1997, eq. 4.11).
        """
        below, above = np.sum(self._defined <= 0) + 1, np.sum(self._defined >= 0) + 1
        return float(min(1.0, 2 * min(below, above) / (len(self._defined) + 1)))

    def least_p_value(self) -> float:
        """The smallest that so many replicas can give; one like it is an upper bound."""
        return 2 / (len(self._defined) + 1)

    @property
    def _defined(self) -> NDArray:
        return self.replicas[~np.isnan(self.replicas)]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


class EventBootstrap:
    """Resamplings of events with replacement, the same ones each time they are asked for.

    Two classifiers measured on the same objects are thereby compared on the same resampled events.
    """

    def __init__(self, event: NDArray[np.integer], replicas: int, seed: int, weight: NDArray | None = None):
        """``event`` [N] numbers the event of each object from 0; ``weight`` [N] are their weights (1)."""
        self.event = event
        self.events = int(event.max()) + 1
        self.replicas = replicas
        self.seed = seed
        self.weight = np.ones(len(event), np.float32) if weight is None else weight.astype(np.float32)

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Weights [replicas of the chunk, N]: the objects' own, as often as their event was drawn."""
        generator = np.random.default_rng(self.seed)
        events = self.events
        for start in range(0, self.replicas, CHUNK):
            size = min(CHUNK, self.replicas - start)
            drawn = generator.integers(events, size=(size, events))
            drawn += np.arange(size)[:, None] * events
            counts = np.bincount(drawn.ravel(), minlength=size * events).reshape(size, events)
            yield counts.astype(np.float32)[:, self.event] * self.weight

    def estimate(self, measures: Mapping[str, Callable[[NDArray], NDArray]]) -> dict[str, Estimate]:
        """Each measure (weights [R, N] -> values [R, ...]) of the sample itself and of all resamplings."""
        values = {name: measure(self.weight[None])[0] for name, measure in measures.items()}
        pieces = [{name: measure(w) for name, measure in measures.items()} for w in self.chunks()]
        return {
            name: Estimate(value, np.concatenate([piece[name] for piece in pieces]))
            for name, value in values.items()
        }


def events(identity: pd.DataFrame) -> NDArray[np.integer]:
    """Number from 0 of the event of each object, from columns sample, run, lumi, event."""
    return identity.groupby(["sample", "run", "lumi", "event"], sort=False).ngroup().to_numpy()


class Roc:
    """ROC curve of fixed scores [N] and targets [N] for many sets of weights."""

    def __init__(self, score: NDArray, target: NDArray):
        order = np.argsort(-score, kind="stable")
        self.order = order
        self.signal = (target[order] == 1).astype(np.float32)
        # Objects of equal score are one step of the curve.
        self.steps = np.flatnonzero(np.diff(score[order], append=-np.inf))

    def efficiencies(self, weights: NDArray) -> tuple[NDArray, NDArray]:
        """Signal and background efficiency [R, steps + 1], from (0, 0) to (1, 1), for weights [R, N]."""
        weights = weights[:, self.order]
        curves = []
        for kind in (self.signal, 1.0 - self.signal):
            total = np.cumsum(weights * kind, axis=1, dtype=np.float64)[:, self.steps]
            with np.errstate(invalid="ignore"):  # a resampling without this class has no efficiency: NaN
                curves.append(np.pad(total / total[:, -1:], ((0, 0), (1, 0))))
        return curves[0], curves[1]

    def auc(self, weights: NDArray) -> NDArray:
        """Area under the curve [R]: trapezoids, that is, ties count one half (Mann-Whitney)."""
        signal, background = self.efficiencies(weights)
        return np.sum(np.diff(background) * (signal[:, 1:] + signal[:, :-1]) / 2, axis=1)

    def background(self, weights: NDArray, signal_efficiencies: Sequence[float]) -> NDArray:
        """Background efficiencies [R, n] at n signal efficiencies, interpolated linearly along the curve."""
        curves = zip(*self.efficiencies(weights), strict=True)
        return np.array([np.interp(signal_efficiencies, signal, other) for signal, other in curves])


def auc(score: NDArray, target: NDArray) -> float:
    """Area under the ROC curve of one sample: P(signal > background) + P(equal) / 2."""
    return float(Roc(score, target).auc(np.ones((1, len(score)), np.float32))[0])


class Calibration:
    """Reliability of scores [N] as probabilities of target 1, in ``BINS`` bins of equal size."""

    def __init__(self, score: NDArray, target: NDArray):
        self.score, self.target = score.astype(np.float64), target.astype(np.float64)
        rank = np.argsort(np.argsort(score, kind="stable"), kind="stable")
        self.bins = np.minimum(BINS, len(score))
        self.membership = np.eye(self.bins)[rank * self.bins // len(score)]

    def curve(self, weights: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Weight, mean score and fraction of signal [R, bins] for weights [R, N]."""
        total = weights @ self.membership
        with np.errstate(invalid="ignore"):
            mean = (weights * self.score) @ self.membership / total
            fraction = (weights * self.target) @ self.membership / total
        return total, mean, fraction

    def error(self, weights: NDArray) -> NDArray:
        """Expected calibration error [R]: mean |fraction - score| over bins, weighted by objects."""
        total, mean, fraction = self.curve(weights)
        return np.nansum(total * np.abs(fraction - mean), axis=1) / total.sum(axis=1)

    def floor(self, weight: NDArray, replicas: int, seed: int) -> float:
        """The same error, on average, if the scores were exact probabilities: what finite numbers leave."""
        generator = np.random.default_rng(seed)
        errors = []
        for _ in range(replicas):
            truth = generator.random(len(self.score)) < self.score
            difference = (weight * (truth - self.score)) @ self.membership
            errors.append(np.abs(difference).sum() / weight.sum())
        return float(np.mean(errors))
