"""The reference that a network must beat: boosted decision trees on shower shapes of the same crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from e2e import tasks
from e2e.data import store
from e2e.data.split import PARTS
from e2e.data.stream import Stream
from e2e.files import write_json
from e2e.learning import data
from e2e.learning.evaluate import measure, total_energy, write_scores
from e2e.learning.shower_shapes import shower_shapes
from e2e.tasks import Crop

# Up to 2000 trees of 31 leaves; the validation part decides how many.
ITERATIONS = 2000
PATIENCE = 50
LEARNING_RATE = 0.04
MISSING = -99.0
CHUNK = 1024  # frames in memory at a time


def reference(
    stores: Sequence[str | Path],
    split: str | Path,
    scores: str | Path,
    metrics: str | Path,
    threads: int | None = None,
    seed: int = 1,
) -> None:
    """Train on the training part, stop on the validation part, and measure on the test part.

    Writes ``scores`` and ``metrics`` as ``e2e.learning.evaluate`` does for a network. Raises E2EError for
    a part that is empty or lacks a class.
    """
    task = tasks.task(store.read_metadata(stores[0]).task)
    parts = {part: data.stream(stores, split, part, task.name) for part in PARTS}
    tables = {part: _table(stream, task.crop) for part, stream in parts.items()}
    classifier = HistGradientBoostingClassifier(
        max_iter=ITERATIONS,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )
    with threadpool_limits(threads):
        classifier.fit(
            tables["train"],
            parts["train"].target,
            X_val=tables["validation"],
            y_val=parts["validation"].target,
        )
        logit = classifier.decision_function(tables["test"]).astype(np.float32)
    test = parts["test"]
    write_scores(scores, test.objects, logit)
    content = {
        "model": "HistGradientBoosting on shower shapes",
        "seed": seed,
        "iterations": int(classifier.n_iter_),
        "features": list(tables["train"].columns),
        "training_data": data.identity(stores, len(parts["train"])),
        "objects": {part: len(stream) for part, stream in parts.items()},
    }
    write_json(metrics, content | measure(test.objects, logit, total_energy(test.chunks(CHUNK))))


def _table(stream: Stream, crop: Crop) -> pd.DataFrame:
    """Shower shapes of a stream, one column each; a shape that an object lacks has a value of its own."""
    tables = [pd.DataFrame(shower_shapes(samples.images(), crop)) for samples in stream.chunks(CHUNK)]
    return pd.concat(tables, ignore_index=True).fillna(MISSING)
