"""How predictions are written, compared and measured: what a goal asks for.

A prediction is what a network, or what learns from features, says of N objects: logits [N] of two classes,
logits [N, K] of more, masses [N] in GeV, or with their widths [N, 2].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from e2e.data.jet_shapes import calorimetric_mass, close_tracks
from e2e.data.scores import read_output, read_scores
from e2e.data.stream import Stream
from e2e.learning import classification, regression, working_points
from e2e.learning.calibration import cross_entropy, working_point
from e2e.tasks import TRACK_DZ, TRACK_PT, Classification, Regression, Task

CHUNK = 1024  # objects in memory at a time
EFFICIENCY = 0.9  # of a class at its working point, where it is watched under changes of the detector


class Standardised(MLPRegressor):
    """A small network that learns its target in units of the spread about the mean of the first fit."""

    def partial_fit(self, X: NDArray, y: NDArray, sample_weight: NDArray | None = None) -> Standardised:
        """Goes once through features [N, F] and targets [N]."""
        if not hasattr(self, "centre_"):
            self.centre_, self.spread_ = y.mean(), y.std()
        return super().partial_fit(X, (y - self.centre_) / self.spread_, sample_weight)

    def predict(self, X: NDArray) -> NDArray[np.floating]:
        """Targets [N] in their own units."""
        return super().predict(X) * self.spread_ + self.centre_


Trees = HistGradientBoostingClassifier | HistGradientBoostingRegressor
Networks = MLPClassifier | Standardised
LEAST = 1e-12  # probability that a small network may give


@dataclass(frozen=True)
class _Written:
    """Where a table of scores holds predictions."""

    task: Task

    column = "logit"

    @property
    def others(self) -> dict[str, str]:
        """What stands beside the reference in its table of scores: names by column, which may be absent."""
        return {
            "trees": self.task.trees,
            "with_reconstruction": f"{self.task.reference} and the reconstructed jet",
        }

    def spread(self, column: str) -> tuple[str, ...]:
        """Columns of a table of scores that hold the prediction ``column``."""
        return (column,)

    def read(self, path: str | Path, objects: pd.DataFrame, column: str | None = None) -> NDArray[np.float64]:
        """The prediction for ``objects`` in a table of scores; raises E2EError where it is of others."""
        columns = [read_output(path, objects, name) for name in self.spread(column or self.column)]
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def references(self, path: str | Path, objects: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """The predictions of the reference, and of what stands beside it, in their table of scores."""
        there = set(read_scores(path))
        beside = {
            name: self.read(path, objects, column)
            for column, name in self.others.items()
            if there.issuperset(self.spread(column))
        }
        return {self.task.reference: self.read(path, objects), **beside}


@dataclass(frozen=True)
class TwoClasses(_Written):
    """Logits of the signal; sample weights count everywhere."""

    trees, networks = HistGradientBoostingClassifier, MLPClassifier

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        """What a table of scores holds of a prediction."""
        return {"score": classification.scores(prediction), "logit": prediction, "weight": weight}

    def weight(self, table: pd.DataFrame) -> NDArray:
        """Weights [N] of the objects of a table of scores."""
        return table["weight"].to_numpy()

    def compare(self, objects: pd.DataFrame, one: NDArray, other: NDArray, weight: NDArray) -> dict[str, Any]:
        """Paired difference of the figure of merit of two predictions."""
        return classification.compare(objects, one, other, weight)

    def figure(self, prediction: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
        """The figure of merit [R] as a function of weights [R, N]."""
        return classification.area(prediction, target)

    def measure(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        """Figures of merit of a test part, of a prediction as it is written."""
        written = prediction.astype(np.float32)
        return classification.measure(self._objects(stream), written, self._energy(stream), weight)

    def beside(
        self,
        stream: Stream,
        prediction: NDArray,
        weight: NDArray,
        others: Mapping[str, NDArray],
        name: str,
    ) -> dict[str, Any]:
        """Figures of merit of the network ``name``, ``versus`` each other prediction, and ROC curves."""
        energy = self._energy(stream)
        trivial = classification.either_way(energy, stream.target, weight)
        return {
            **classification.measure(self._objects(stream), prediction, energy, weight),
            "versus": {
                other: self.compare(stream.objects, prediction, values, weight)
                for other, values in others.items()
            },
            "roc": classification.curves(
                stream.objects, {name: prediction, **others, "transverse energy": trivial}, weight
            ),
        }

    def working_points(
        self, parts: Mapping[str, Stream], validation: Callable[[], NDArray], prediction: NDArray
    ) -> dict[str, Any]:
        """What passes cuts on the ``prediction`` of the test part that are found in the ``validation`` part.

        Nothing of a task that has no working points.
        """
        if not self.task.working_points:
            return {}
        objects = parts["validation"], validation(), parts["test"], prediction
        return {"working_points": working_points.measure(self.task, *objects)}

    def tracks_found(self, stream: Stream) -> dict[str, Any]:
        """How many tracks each kind of objects shows, where the task tells kinds apart."""
        if not self.task.working_points or not {TRACK_PT, TRACK_DZ} <= set(self.task.channels):
            return {}
        count = np.concatenate([close_tracks(samples, self.task.crop) for samples in stream.chunks(CHUNK)])
        return {"tracks_found": working_points.tracks_found(self.task, stream.objects, count)}

    def merit(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        """The figure of merit alone, with its intervals."""
        return classification.auc_alone(stream.objects, prediction, weight)

    def odds(self, prediction: NDArray) -> dict[str, NDArray]:
        """Of each class that is looked for, logits [N] of it against all others."""
        return {self.task.classes[1]: prediction}

    def cuts(self, prediction: NDArray, target: NDArray, weight: NDArray) -> dict[str, float]:
        """Of each class that is looked for, the odds that ``EFFICIENCY`` of its objects reach."""
        return {
            name: working_point(odds, target == self.task.classes.index(name), weight, EFFICIENCY)
            for name, odds in self.odds(prediction).items()
        }

    def keeping(
        self, prediction: NDArray, target: NDArray, cuts: Mapping[str, float]
    ) -> dict[str, Callable[[NDArray], NDArray]]:
        """What should keep where the detector changes, as functions of weights [R, N]; the merit first."""
        kept = {"auc": self.figure(prediction, target)}
        for name, odds in self.odds(prediction).items():
            own = target == self.task.classes.index(name)
            kept[f"efficiency of {name}"] = classification.passing(odds, own, cuts[name])
            kept[f"fake rate of {name}"] = classification.passing(odds, ~own, cuts[name])
        return kept

    def explained(
        self, network: nn.Module, stream: Stream, prediction: NDArray, temperature: float
    ) -> dict[str, NDArray]:
        """What the cells of a few objects add to the prediction."""
        return classification.explained(network, stream, prediction, temperature)

    def learned(self, target: NDArray) -> NDArray:
        """What trees and networks learn to tell of targets [N] from features."""
        return target

    def answer(self, model: Trees | Networks, features: pd.DataFrame | NDArray) -> NDArray[np.float64]:
        """The prediction of trees or networks."""
        if isinstance(model, HistGradientBoostingClassifier):
            return model.decision_function(features)
        logarithm = np.log(np.maximum(model.predict_proba(features).astype(np.float64), LEAST))
        return logarithm if len(self.task.classes) > 2 else logarithm[:, 1] - logarithm[:, 0]

    def loss(self, prediction: NDArray, target: NDArray, weight: NDArray) -> float:
        """What is least for the best prediction."""
        return cross_entropy(prediction, target, weight)

    def simpler(self, parts: Mapping[str, Stream]) -> dict[str, NDArray[np.float64]]:
        """Predictions for the test part by less than trees, by their column of ``others``."""
        return {}

    def _objects(self, stream: Stream) -> pd.DataFrame:
        """Its table without what only tells kinds of objects apart, in which no bins are made."""
        return stream.objects.drop(columns=list(self.task.kinds), errors="ignore")

    def _energy(self, stream: Stream) -> NDArray[np.float64]:
        return classification.transverse_energy(stream.chunks(CHUNK), self.task.detector[0])


class ManyClasses(TwoClasses):
    """Logits of each class; column ``score_i`` is the probability of ``classes[i]``."""

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        given = {"score": classification.scores(prediction), "logit": prediction}
        columns = {f"{name}_{i}": each for name, all_ in given.items() for i, each in enumerate(all_.T)}
        return columns | {"weight": weight}

    def spread(self, column: str) -> tuple[str, ...]:
        return tuple(f"{column}_{i}" for i in range(self.task.goal.outputs))

    def odds(self, prediction: NDArray) -> dict[str, NDArray]:
        return dict(zip(self.task.classes, classification.against_rest(prediction).T, strict=True))

    def measure(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return self.beside(stream, prediction.astype(np.float32), weight, {}, self.task.reference)

    def beside(
        self,
        stream: Stream,
        prediction: NDArray,
        weight: NDArray,
        others: Mapping[str, NDArray],
        name: str,
    ) -> dict[str, Any]:
        found = classification.measure_classes(
            self._objects(stream), prediction, self._energy(stream), weight, self.task.classes, others, name
        )
        versus = {
            other: self.compare(stream.objects, prediction, values, weight)
            for other, values in others.items()
        }
        return found | {"versus": versus}


@dataclass(frozen=True)
class Masses(_Written):
    """Masses in GeV; all objects count the same."""

    trees, networks = HistGradientBoostingRegressor, Standardised
    column = "mass"

    @property
    def others(self) -> dict[str, str]:
        return super().others | {"calorimetric": "calorimetric mass", "mean": "mean mass"}

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        mass, width = regression.parts(prediction)
        return {"mass": mass} if width is None else {"mass": mass, "mass_width": width}

    def weight(self, table: pd.DataFrame) -> NDArray:
        return np.ones(len(table), np.float32)

    def compare(self, objects: pd.DataFrame, one: NDArray, other: NDArray, weight: NDArray) -> dict[str, Any]:
        (one, _), (other, _) = regression.parts(one), regression.parts(other)
        return regression.compare(objects, one, other)

    def figure(self, prediction: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
        mass, _ = regression.parts(prediction)
        return regression.error(mass, target)

    def measure(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return regression.measure(stream.objects, *regression.parts(prediction))

    def beside(
        self,
        stream: Stream,
        prediction: NDArray,
        weight: NDArray,
        others: Mapping[str, NDArray],
        name: str,
    ) -> dict[str, Any]:
        return {
            **self.measure(stream, prediction, weight),
            "versus": {
                other: self.compare(stream.objects, prediction, values, weight)
                for other, values in others.items()
            },
        }

    def working_points(self, *_: Any) -> dict[str, Any]:
        return {}

    def tracks_found(self, stream: Stream) -> dict[str, Any]:
        return {}

    def merit(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return self.measure(stream, prediction, weight)["mean_absolute_error"]

    def cuts(self, prediction: NDArray, target: NDArray, weight: NDArray) -> dict[str, float]:
        return {}

    def keeping(
        self, prediction: NDArray, target: NDArray, cuts: Mapping[str, float]
    ) -> dict[str, Callable[[NDArray], NDArray]]:
        mass, _ = regression.parts(prediction)
        return regression.keeping(target, mass)

    def explained(
        self, network: nn.Module, stream: Stream, prediction: NDArray, temperature: float
    ) -> dict[str, NDArray]:
        return {}

    def learned(self, target: NDArray) -> NDArray:
        return np.log(target)

    def answer(self, model: Trees | Networks, features: pd.DataFrame | NDArray) -> NDArray[np.float64]:
        return np.exp(model.predict(features).astype(np.float64))

    def loss(self, prediction: NDArray, target: NDArray, weight: NDArray) -> float:
        return float(np.average(np.abs(prediction - target), weights=weight))

    def simpler(self, parts: Mapping[str, Stream]) -> dict[str, NDArray[np.float64]]:
        """The mean of the training part, and the calorimetric mass.

        The latter is turned into a mass by the rising function that fits the training part best.
        """
        measured = {
            part: np.concatenate(
                [calorimetric_mass(samples, self.task.crop) for samples in parts[part].chunks(CHUNK)]
            )
            for part in ("train", "test")
        }
        target = parts["train"].target.astype(np.float64)
        predictions = {"mean": np.full(len(parts["test"]), target.mean())}
        if np.isfinite(measured["train"]).all():  # a public file does not tell where its jets lie
            fitted = IsotonicRegression(out_of_bounds="clip").fit(measured["train"], target)
            predictions["calorimetric"] = fitted.predict(measured["test"])
        return predictions


Measures = TwoClasses | Masses


def measures(task: Task) -> Measures:
    """How predictions of a task are measured."""
    match task.goal:
        case Classification(classes) if len(classes) == 2:
            return TwoClasses(task)
        case Classification():
            return ManyClasses(task)
        case Regression():
            return Masses(task)
