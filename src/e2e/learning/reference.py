"""The reference that a network must beat: boosted decision trees on what an analysis computes by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from e2e import tasks
from e2e.data import store
from e2e.data.scores import write_scores
from e2e.data.split import PARTS
from e2e.data.store import Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import whole, write_json
from e2e.learning import batches
from e2e.learning.measures import CHUNK, Trees, measures
from e2e.tasks import Task

# Up to 2000 trees of 31 leaves; the validation part decides how many.
ITERATIONS = 2000
PATIENCE = 50
LEARNING_RATE = 0.04
MISSING = -99.0
RECONSTRUCTED = ("jetPt", "jetEta", "jetM")


def reference(
    stores: Sequence[str | Path],
    split: str | Path,
    scores: str | Path,
    metrics: str | Path,
    model: str | Path,
    threads: int | None = None,
    seed: int = 1,
) -> None:
    """Train on the training part, stop on the validation part, and measure on the test part.

    Writes ``model``, which ``load`` reads, and ``scores`` and ``metrics`` as ``e2e.learning.evaluation`` does
    for a network. Of a mass, ``scores`` also holds the answers of two simpler references (``mean``,
    ``calorimetric``). The trees see what can be computed from the crop, as a network does; of jets the eta,
    too, in two masses. Of jets, ``metrics`` also says how good they are with the pT, eta and mass of the
    reconstructed jet (``with_reconstruction``), which come from more than the crop, and where kinds of
    objects are told apart, how many tracks each shows (``tracks_found``). ``kinematics_alone`` is how good
    they are with pT and eta alone, where these are known.
    Raises E2EError for a part that is empty or lacks a class.
    """
    metadata = store.read_metadata(stores[0])
    task = tasks.task(metadata.task, len(metadata.channels))
    parts = {part: batches.stream(stores, split, part, task) for part in PARTS}
    tables = {part: _table(stream, task) for part, stream in parts.items()}
    known, test = measures(task), parts["test"]
    with threadpool_limits(threads):
        trees = _fit(parts, tables, task, seed)
        content = {
            "model": f"HistGradientBoosting on {task.features}",
            "seed": seed,
            "iterations": int(trees.n_iter_),
            "features": list(tables["train"].columns),
            "training_data": batches.identity(stores, len(parts["train"])),
            "objects": {part: len(stream) for part, stream in parts.items()},
        }
        prediction = known.of_trees(trees, tables["test"])
        simpler = known.simpler(parts)
        content |= known.measure(test, prediction, test.weight)
        content |= known.working_points(
            parts, lambda: known.of_trees(trees, tables["validation"]), prediction
        )
        content |= known.tracks_found(test)
        content |= _control(parts, task, seed)
        if set(RECONSTRUCTED) <= set(test.objects):
            informed = _with_reconstruction(parts, tables, task, seed)
            content["with_reconstruction"] = known.merit(test, informed, test.weight)
        if simpler:
            content["simpler"] = {
                name: known.measure(test, each, test.weight) for name, each in simpler.items()
            }
        outputs = known.columns(prediction.astype(np.float32), test.weight)
        outputs |= {name: each.astype(np.float32) for name, each in simpler.items()}
        write_scores(scores, test.objects, **outputs)
    with whole(model) as scratch:
        joblib.dump({"task": task.name, "channels": len(task.channels), "trees": trees}, scratch)
    write_json(metrics, content)


@dataclass(frozen=True)
class Reference:
    """A trained reference: boosted ``trees`` on the features of a ``task``."""

    task: Task
    trees: Trees

    def predictions(self, chunks: Iterable[Samples]) -> NDArray[np.float64]:
        """Logits, or masses in GeV, of the objects of ``chunks``, as networks give them."""
        return measures(self.task).of_trees(self.trees, _features(chunks, self.task))


def load(path: str | Path) -> Reference:
    """The reference that ``reference`` wrote as its ``model``; raises E2EError for another file.

    It is a file of this run: whatever a pickle says is done.
    """
    try:
        content = joblib.load(path)
        return Reference(tasks.task(content["task"], content["channels"]), content["trees"])
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; train the reference first") from None
    except E2EError:
        raise
    except Exception as error:  # of many classes, by what is damaged
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise E2EError(f"{path}: not a trained reference ({reason}); train it again") from None


def _table(stream: Stream, task: Task) -> pd.DataFrame:
    """Features of a stream."""
    return _features(stream.chunks(CHUNK), task)


def _features(chunks: Iterable[Samples], task: Task) -> pd.DataFrame:
    """Features of objects, one column each; a feature that an object lacks has a value of its own."""
    shapes = import_module(f"e2e.data.{task.features.replace(' ', '_')}").features
    tables = [shapes(samples, task.crop) for samples in chunks]
    return pd.concat(map(pd.DataFrame, tables), ignore_index=True).fillna(MISSING)


def _fit(
    parts: dict[str, Stream],
    tables: dict[str, pd.DataFrame],
    task: Task,
    seed: int,
) -> Trees:
    """Trees for what the measures of the task say they learn: the class, or the logarithm of the mass."""
    known = measures(task)
    trees = known.trees(
        max_iter=ITERATIONS,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )
    target = {part: known.learned(stream.target) for part, stream in parts.items()}
    return trees.fit(
        tables["train"],
        target["train"],
        sample_weight=parts["train"].weight,
        X_val=tables["validation"],
        y_val=target["validation"],
        sample_weight_val=parts["validation"].weight,
    )


def _control(parts: dict[str, Stream], task: Task, seed: int) -> dict[str, Any]:
    """What trees find in the kinematics alone, which the weights are meant to make equal.

    Nothing where the task balances none, or the source knows none.
    """
    train = parts["train"].objects
    if not task.balance or train[list(task.balance)].isna().all(axis=None):
        return {}
    pt, eta = task.balance
    tables = {
        part: pd.DataFrame({"pt": stream.objects[pt], "eta": np.abs(stream.objects[eta])}).fillna(MISSING)
        for part, stream in parts.items()
    }
    known, trees = measures(task), _fit(parts, tables, task, seed)
    prediction = known.of_trees(trees, tables["test"])
    return {"kinematics_alone": known.merit(parts["test"], prediction, parts["test"].weight)}


def _with_reconstruction(
    parts: dict[str, Stream],
    tables: dict[str, pd.DataFrame],
    task: Task,
    seed: int,
) -> NDArray[np.float64]:
    """Prediction for the test part by trees that see what is known of the reconstructed jet, too."""
    tables = {
        part: table.assign(**parts[part].objects[list(RECONSTRUCTED)].fillna(MISSING))
        for part, table in tables.items()
    }
    return measures(task).of_trees(_fit(parts, tables, task, seed), tables["test"])
