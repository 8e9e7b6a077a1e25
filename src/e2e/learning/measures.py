"""How predictions are written, compared and measured: what a goal asks for.

A prediction is what a network, or boosted trees, say of N objects: logits [N] of two classes, logits [N, K]
of more, masses [N] in GeV.
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
from torch import nn

from e2e.data.jet_shapes import calorimetric_mass, close_tracks
from e2e.data.scores import read_output, read_scores
from e2e.data.stream import Stream
from e2e.learning import classification, regression, working_points
from e2e.tasks import TRACK_DZ, TRACK_PT, Classification, Regression, Task

CHUNK = 1024  # objects in memory at a time
EFFICIENCY = 0.9  # of a class at its working point, where it is watched under changes of the detector
Trees = HistGradientBoostingClassifier | HistGradientBoostingRegressor


@dataclass(frozen=True)
class TwoClasses:
    """Logits of the signal; sample weights count everywhere."""

    task: Task

    trees = HistGradientBoostingClassifier

    @property
    def predicted(self) -> tuple[str, ...]:
        """Columns of a table of scores that hold a prediction."""
        return ("logit",)

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        """What a table of scores holds of a prediction."""
        return {"score": classification.scores(prediction), "logit": prediction, "weight": weight}

    def read(self, path: str | Path, objects: pd.DataFrame) -> NDArray[np.float64]:
        """The prediction for ``objects`` in a table of scores; raises E2EError where it is of others."""
        return read_output(path, objects, *self.predicted)

    def weight(self, table: pd.DataFrame) -> NDArray:
        """Weights [N] of the objects of a table of scores."""
        return table["weight"].to_numpy()

    def references(self, path: str | Path, objects: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """The predictions of boosted trees, and of simpler references, in their table of scores."""
        return {self.task.reference: self.read(path, objects)}

    def compare(self, objects: pd.DataFrame, one: NDArray, other: NDArray, weight: NDArray) -> dict[str, Any]:
        """Paired difference of the figure of merit of two predictions."""
        return classification.compare(objects, one, other, weight)

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
                stream.objects, {name: prediction, **others, "total energy": trivial}, weight
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
            name: classification.working_point(
                odds, target == self.task.classes.index(name), weight, EFFICIENCY
            )
            for name, odds in self.odds(prediction).items()
        }

    def keeping(
        self, prediction: NDArray, target: NDArray, cuts: Mapping[str, float]
    ) -> dict[str, Callable[[NDArray], NDArray]]:
        """What should keep where the detector changes, as functions of weights [R, N]; the merit first."""
        kept = {"auc": classification.area(prediction, target)}
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
        """What boosted trees learn to tell of targets [N]."""
        return target

    def of_trees(self, trees: Trees, features: pd.DataFrame) -> NDArray[np.float64]:
        """The prediction of boosted trees."""
        return trees.decision_function(features)

    def simpler(self, parts: Mapping[str, Stream]) -> dict[str, NDArray[np.float64]]:
        """Predictions for the test part by less than trees, by column of the table of scores."""
        return {}

    def _objects(self, stream: Stream) -> pd.DataFrame:
        """Its table without what only tells kinds of objects apart, in which no bins are made."""
        return stream.objects.drop(columns=list(self.task.kinds), errors="ignore")

    def _energy(self, stream: Stream) -> NDArray[np.float64]:
        return classification.total_energy(stream.chunks(CHUNK))


class ManyClasses(TwoClasses):
    """Logits of each class; column ``score_i`` is the probability of ``classes[i]``."""

    @property
    def predicted(self) -> tuple[str, ...]:
        return tuple(f"logit_{i}" for i in range(self.task.goal.outputs))

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        given = {"score": classification.scores(prediction), "logit": prediction}
        columns = {f"{name}_{i}": each for name, all_ in given.items() for i, each in enumerate(all_.T)}
        return columns | {"weight": weight}

    def read(self, path: str | Path, objects: pd.DataFrame) -> NDArray[np.float64]:
        return np.stack([read_output(path, objects, name) for name in self.predicted], axis=1)

    def odds(self, prediction: NDArray) -> dict[str, NDArray]:
        return dict(zip(self.task.classes, classification.against_rest(prediction).T, strict=True))

    def measure(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return self.beside(stream, prediction.astype(np.float32), weight, {}, "BDT")

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
class Masses:
    """Masses in GeV; all objects count the same."""

    task: Task

    trees = HistGradientBoostingRegressor
    predicted = ("mass",)

    def columns(self, prediction: NDArray[np.float32], weight: NDArray) -> dict[str, NDArray]:
        return {"mass": prediction}

    def read(self, path: str | Path, objects: pd.DataFrame) -> NDArray[np.float64]:
        return read_output(path, objects, "mass")

    def weight(self, table: pd.DataFrame) -> NDArray:
        return np.ones(len(table), np.float32)

    def references(self, path: str | Path, objects: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        found = read_scores(path)
        known = {name: column for column, name in regression.REFERENCES.items() if column in found}
        return {name: read_output(path, objects, column) for name, column in known.items()}

    def compare(self, objects: pd.DataFrame, one: NDArray, other: NDArray, weight: NDArray) -> dict[str, Any]:
        return regression.compare(objects, one, other)

    def measure(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return regression.measure(stream.objects, prediction)

    def beside(
        self,
        stream: Stream,
        prediction: NDArray,
        weight: NDArray,
        others: Mapping[str, NDArray],
        name: str,
    ) -> dict[str, Any]:
        return {
            **regression.measure(stream.objects, prediction),
            "versus": {
                other: regression.compare(stream.objects, prediction, values)
                for other, values in others.items()
            },
        }

    def working_points(self, *_: Any) -> dict[str, Any]:
        return {}

    def tracks_found(self, stream: Stream) -> dict[str, Any]:
        return {}

    def merit(self, stream: Stream, prediction: NDArray, weight: NDArray) -> dict[str, Any]:
        return regression.measure(stream.objects, prediction)["mean_absolute_error"]

    def cuts(self, prediction: NDArray, target: NDArray, weight: NDArray) -> dict[str, float]:
        return {}

    def keeping(
        self, prediction: NDArray, target: NDArray, cuts: Mapping[str, float]
    ) -> dict[str, Callable[[NDArray], NDArray]]:
        return regression.keeping(target, prediction)

    def explained(
        self, network: nn.Module, stream: Stream, prediction: NDArray, temperature: float
    ) -> dict[str, NDArray]:
        return {}

    def learned(self, target: NDArray) -> NDArray:
        return np.log(target)

    def of_trees(self, trees: Trees, features: pd.DataFrame) -> NDArray[np.float64]:
        return np.exp(trees.predict(features))

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
