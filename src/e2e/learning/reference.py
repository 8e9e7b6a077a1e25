"""The reference that a network must beat: the best that is learned from what an analysis computes by hand.

Plain boosted trees stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from e2e.learning.measures import CHUNK, measures
from e2e.learning.tabular import MISSING, Mean, careful, trees
from e2e.tasks import Task

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
    """Train on the training part, choose on the validation part, and measure on the test part.

    Writes ``model``, which ``load`` reads, and ``scores`` and ``metrics`` as ``e2e.learning.evaluation`` does
    for a network; ``choices`` says what was chosen (``tabular.careful``). The latter two also hold what
    stands beside, by the columns of ``others`` of the goal's measures: plain ``trees``; of jets the same
    reference ``with_reconstruction``, which sees the pT, eta and mass of the reconstructed jet, too, that
    come from more than the crop; of a mass two simpler answers (``mean``, ``calorimetric``). All else sees
    what can be computed from the crop, as a network does; of jets the eta, too, in two masses. ``versus`` has
    the paired difference to each. Where kinds of objects are told apart, ``tracks_found`` says how many
    tracks each shows. ``kinematics_alone`` is how good plain trees are with pT and eta alone, where these are
    known. Raises E2EError for a part that is empty or lacks a class.
    """
    metadata = store.read_metadata(stores[0])
    task = tasks.task(metadata.task, len(metadata.channels))
    parts = {part: batches.stream(stores, split, part, task) for part in PARTS}
    tables = {part: _table(stream, task) for part, stream in parts.items()}
    known, test = measures(task), parts["test"]
    with threadpool_limits(threads):
        found = careful(parts, tables, task, seed)
        prediction = found.best.answer(tables["test"])
        others = {"trees": known.answer(found.trees, tables["test"])}
        if set(RECONSTRUCTED) <= set(test.objects):
            informed = _informed(parts, tables)
            best = careful(parts, informed, task, seed).best
            others["with_reconstruction"] = best.answer(informed["test"])
        others |= known.simpler(parts)
        content = {
            "model": f"trees and networks on {task.features}",
            "seed": seed,
            "choices": found.choices,
            "features": list(tables["train"].columns),
            "training_data": batches.identity(stores, len(parts["train"])),
            "objects": {part: len(stream) for part, stream in parts.items()},
        }
        content |= known.measure(test, prediction, test.weight)
        content |= known.working_points(parts, lambda: found.best.answer(tables["validation"]), prediction)
        content |= known.tracks_found(test)
        content["versus"] = {
            known.others[column]: known.compare(test.objects, prediction, each, test.weight)
            for column, each in others.items()
        }
        content["others"] = {
            column: known.measure(test, each, test.weight) for column, each in others.items()
        }
        content |= _control(parts, task, seed)
    outputs = known.columns(prediction.astype(np.float32), test.weight)
    for column, each in others.items():
        outputs |= dict(zip(known.spread(column), np.atleast_2d(each.astype(np.float32).T), strict=True))
    write_scores(scores, test.objects, **outputs)
    with whole(model) as scratch:
        joblib.dump({"task": task.name, "channels": len(task.channels), "best": found.best}, scratch)
    write_json(metrics, content)


@dataclass(frozen=True)
class Reference:
    """A trained reference: what is ``best`` on the features of a ``task``."""

    task: Task
    best: Mean

    def predictions(self, chunks: Iterable[Samples]) -> NDArray[np.float64]:
        """Logits, or masses in GeV, of the objects of ``chunks``, as networks give them."""
        return self.best.answer(_features(chunks, self.task))


def load(path: str | Path) -> Reference:
    """The reference that ``reference`` wrote as its ``model``; raises E2EError for another file.

    It is a file of this run: whatever a pickle says is done.
    """
    try:
        content = joblib.load(path)
        return Reference(tasks.task(content["task"], content["channels"]), content["best"])
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
    return _complete(pd.concat(map(pd.DataFrame, tables), ignore_index=True))


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    return table.replace([np.inf, -np.inf], np.nan).fillna(MISSING)


def _control(parts: Mapping[str, Stream], task: Task, seed: int) -> dict[str, Any]:
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
    known, grown = measures(task), trees(parts, tables, task, seed)
    prediction = known.answer(grown, tables["test"])
    return {"kinematics_alone": known.merit(parts["test"], prediction, parts["test"].weight)}


def _informed(parts: Mapping[str, Stream], tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The ``tables`` with what is known of the reconstructed jet, too."""
    return {
        part: table.assign(**_complete(parts[part].objects[list(RECONSTRUCTED)]))
        for part, table in tables.items()
    }
