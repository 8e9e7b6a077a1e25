"""How good a network is, on the test part only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from e2e import tasks
from e2e.data.scores import read_output, read_scores, write_scores
from e2e.data.split import PARTS
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import whole, write_json
from e2e.learning import balance, batches, classification, regression
from e2e.models import saved
from e2e.tasks import Task

BATCH = 512  # objects in memory as frames


def evaluate(
    stores: Sequence[str | Path],
    split: str | Path,
    model_pt: str | Path,
    reference: str | Path,
    scores: str | Path,
    metrics: str | Path,
    explained: str | Path,
    threads: int | None = None,
) -> None:
    """Measure the network ``model_pt`` on the test part, beside the scores of the ``reference``.

    Writes ``scores`` (parquet: identity, target, outputs, kinematics; of classes their weights, too),
    ``metrics`` (JSON: figures of merit as ``classification.measure`` or ``regression.measure`` say, and
    ``versus`` each reference the paired difference) and ``explained`` (.npz: of a few objects what their
    cells add to the output, see ``classification.explained``; empty for a regression). Objects of classes
    are weighted as in the training (``balance.fit``); logits are divided by their temperature. The network
    runs on the CPU in float32, whatever it was trained on, since its scores are what other frameworks must
    agree with. Raises E2EError where the test part is not that of the reference, or the network's outputs
    are not finite.
    """
    if threads:
        torch.set_num_threads(threads)
    network, info = saved.load(model_pt)
    task = tasks.task(info["task"], info["channels"])
    streams = {part: batches.stream(stores, split, part, task) for part in PARTS}
    test = streams["test"]
    prediction = saved.predictions(network, test.chunks(BATCH))
    if task.classes:
        prediction /= np.float32(info["temperature"])
    if not np.all(np.isfinite(prediction)):
        raise E2EError(f"{model_pt}: outputs of the test part are not all finite; train it again")
    others = references(reference, test, task)
    content = {
        "model": info["architecture"],
        "seed": info["trainer"]["seed"],
        "epoch": info["epoch"],
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        "training_data": info["training_data"],
        "objects": {part: len(stream) for part, stream in streams.items()},
    }
    if task.classes:
        weight = balance.fit(streams["train"].objects, task)(test.objects)
        outputs = {"score": classification.sigmoid(prediction), "logit": prediction, "weight": weight}
        content |= {"temperature": info["temperature"]}
        content |= _classes(test, prediction, weight, others, info["architecture"])
        shown = classification.explained(network, test, prediction, info["temperature"])
    else:
        outputs = {"mass": prediction}
        content |= regression.measure(test.objects, prediction)
        content["versus"] = {
            name: regression.compare(test.objects, prediction, other) for name, other in others.items()
        }
        shown = {}
    write_scores(scores, test.objects, **outputs)
    write_json(metrics, content)
    with whole(explained) as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, **shown)


def references(path: str | Path, test: Stream, task: Task) -> dict[str, NDArray[np.float64]]:
    """Logits, or masses in GeV, [N] of the test part by each reference in the scores file ``path``."""
    if task.classes:
        return {task.reference: read_output(path, test.objects, "logit")}
    found = read_scores(path)
    known = {name: column for column, name in regression.REFERENCES.items() if column in found}
    return {name: read_output(path, test.objects, column) for name, column in known.items()}


def _classes(
    test: Stream, logit: NDArray, weight: NDArray, others: dict[str, NDArray], name: str
) -> dict[str, Any]:
    """Figures of merit of a classifier, and ROC curves of it and of what it is compared with."""
    energy = classification.total_energy(test.chunks(BATCH))
    trivial = classification.either_way(energy, test.target, weight)
    discriminants = {name: logit, **others, "total energy": trivial}
    return {
        **classification.measure(test.objects, logit, energy, weight),
        "versus": {
            other: classification.compare(test.objects, logit, values, weight)
            for other, values in others.items()
        },
        "roc": classification.curves(test.objects, discriminants, weight),
    }
