"""How good a network is, on the test part only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from e2e.data.parts import ALL, PARTS, Labels
from e2e.data.scores import write_scores
from e2e.errors import E2EError
from e2e.files import whole, write_json
from e2e.learning import batches
from e2e.learning.measures import measures
from e2e.models import saved

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
    ``metrics`` (JSON: figures of merit as ``measures`` of the goal say, at the ``working_points`` of the task
    if it has any, and ``versus`` each reference the paired difference) and ``explained`` (.npz: of a few
    objects what their cells add to the output, see ``classification.explained``; empty for a regression).
    Objects of classes are weighted as in the training (see ``split``); logits are divided by their
    temperature. The network runs on the CPU in float32, whatever it was trained on, since its scores are what
    other frameworks must agree with. Raises E2EError where the test part is not that of the reference, or the
    network's outputs are not finite.
    """
    if threads:
        torch.set_num_threads(threads)
    network, info = saved.load(model_pt)
    task = saved.task_of(info)
    labels = Labels(info.get("labels", 1.0), info.get("subset", 0))  # a model of before knew all labels
    streams = {
        part: batches.stream(stores, split, part, task, labels=ALL if part == "test" else labels)
        for part in PARTS
    }
    test, known = streams["test"], measures(task)

    def predict(part: str) -> NDArray[np.float32]:
        outputs = saved.predictions(network, streams[part].chunks(BATCH))
        if not np.all(np.isfinite(outputs)):
            raise E2EError(f"{model_pt}: outputs of the {part} part are not all finite; train it again")
        return outputs / np.float32(info["temperature"]) if "temperature" in info else outputs

    prediction = predict("test")
    others = known.references(reference, test.objects)
    content = {
        "model": info["architecture"],
        "seed": info["trainer"]["seed"],
        "epoch": info["epoch"],
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        "training_data": info["training_data"],
        "objects": {part: len(stream) for part, stream in streams.items()},
    }
    content |= {name: info[name] for name in ("temperature", "width_scale") if name in info}
    content |= known.beside(test, prediction, test.weight, others, info["architecture"])
    content |= known.working_points(streams, lambda: predict("validation"), prediction)
    shown = known.explained(network, test, prediction, info.get("temperature", 1.0))
    write_scores(scores, test.objects, **known.columns(prediction, test.weight))
    write_json(metrics, content)
    with whole(explained) as scratch, scratch.open("wb") as file:
        np.savez_compressed(file, **shown)
