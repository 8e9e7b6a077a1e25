"""What frozen features know: linear probes and nearest neighbours, with few labels and with many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from e2e.data.parts import ALL, PARTS, Labels
from e2e.data.stream import Stream
from e2e.files import write_json
from e2e.learning import batches
from e2e.learning.calibration import cross_entropy
from e2e.learning.measures import measures
from e2e.models import saved
from e2e.models.trunk import Trunk
from e2e.tasks import Task

SHARES = (0.01, 0.1, 1.0)  # of the events that have labels
PENALTIES = tuple(10.0**power for power in range(-1, 6))  # of squared weights, of which validation chooses
NEIGHBOURS, TEMPERATURE = 200, 0.1  # of cosines; as arXiv 1805.01978, section 3.4, and users of it have them
BATCH = 512


def probe(
    stores: Sequence[str | Path],
    split: str | Path,
    trunk_pt: str | Path,
    output: str | Path,
    threads: int | None = None,
) -> None:
    """Write how good simple answers from the frozen features of ``trunk_pt`` are on the test part (JSON).

    For each of the ``SHARES`` of labels, of subset 0: a linear probe (logistic regression of classes, a ridge
    regression of logarithms of masses; the penalty is chosen on the validation part, which shrinks with the
    labels) and nearest neighbours; ``random`` has the same of the trunk as it is before any training. Each is
    the figure of merit of the task with its intervals over events (see ``measures``). A share of which a part
    lacks a class is left out. Raises E2EError for a file without a trunk.
    """
    if threads:
        torch.set_num_threads(threads)
    trunk, random, task, info = saved.load_trunk(trunk_pt)
    streams = {part: batches.stream(stores, split, part, task) for part in PARTS}
    features = {name: _features(each, streams) for name, each in (("learned", trunk), ("random", random))}
    rows = []
    with threadpool_limits(threads):
        for share in SHARES:
            labels = Labels(share)
            chosen = {part: _labelled(streams[part], labels if part != "test" else ALL) for part in PARTS}
            if any(_too_few(streams[part].target[chosen[part]], task) for part in PARTS[:2]):
                continue
            found = {name: _probes(task, streams, each, chosen) for name, each in features.items()}
            objects = {part: int(mask.sum()) for part, mask in chosen.items()}
            rows.append({"labels": share, "objects": objects, **found["learned"], "random": found["random"]})
    write_json(output, {"method": info["method"], "task": task.name, "shares": rows})


def _features(trunk: Trunk, streams: dict[str, Stream]) -> dict[str, NDArray[np.float32]]:
    """Features [N, F] of the objects of each part."""
    found = {}
    with torch.inference_mode():
        for part, stream in streams.items():
            chunks = (torch.from_numpy(samples.images()) for samples in stream.chunks(BATCH))
            found[part] = np.concatenate([trunk(frames).numpy() for frames in chunks])
    return found


def _labelled(stream: Stream, labels: Labels) -> NDArray[np.bool_]:
    objects = stream.objects
    return labels.of(*(objects[name].to_numpy() for name in batches.EVENT))


def _too_few(target: NDArray[np.float32], task: Task) -> bool:
    """Whether a part lacks a class, or all objects."""
    return len(target) == 0 or len(np.unique(target)) < len(task.classes)


def _probes(
    task: Task,
    streams: dict[str, Stream],
    features: dict[str, NDArray[np.float32]],
    chosen: dict[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    """The figure of merit of both answers."""
    known, test = measures(task), streams["test"]
    given = {
        part: (
            features[part][mask],
            known.learned(streams[part].target[mask]),
            streams[part].weight[mask] if task.classes else np.ones(mask.sum(), np.float32),
        )
        for part, mask in chosen.items()
    }
    linear = _linear(task, given["train"], given["validation"])
    found = {
        "linear": (linear.decision_function if task.classes else linear.predict)(features["test"]),
        "nearest": nearest(task, given["train"], features["test"]),
    }
    if not task.classes:
        found = {name: np.exp(mass) for name, mass in found.items()}
    return {name: known.merit(test, answer, test.weight) for name, answer in found.items()}


Given = tuple[NDArray[np.float32], NDArray, NDArray[np.float32]]  # features, targets, weights


def _linear(task: Task, training: Given, validation: Given) -> Pipeline:
    """The linear probe whose loss on the validation part is the lowest."""
    features, target, weight = training
    losses, fitted = [], []
    for penalty in PENALTIES:
        last = LogisticRegression(C=1.0 / penalty, max_iter=500) if task.classes else Ridge(penalty)
        name = type(last).__name__.lower()
        model = make_pipeline(StandardScaler(), last)
        model.fit(features, target, **{f"{name}__sample_weight": weight})
        fitted.append(model)
        losses.append(_loss(task, model, validation))
    return fitted[int(np.argmin(losses))]


def _loss(task: Task, model: Pipeline, validation: Given) -> float:
    features, target, weight = validation
    if not task.classes:
        return float(np.average((model.predict(features) - target) ** 2, weights=weight))
    return cross_entropy(model.decision_function(features), target, weight)


def nearest(task: Task, training: Given, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the nearest training objects of each object say, by the cosine of features.

    Each of the ``NEIGHBOURS`` counts by its weight and exp(cosine / ``TEMPERATURE``). Logits of the share of
    each class, or a mean of targets.
    """
    known, target, weight = training
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-6
    known, asked = (_directions((each - mean) / spread) for each in (known, features))
    number = min(NEIGHBOURS, len(known))
    votes = np.eye(len(task.classes))[target.astype(int)] if task.classes else target[:, None]
    said = []
    for block in np.array_split(asked, max(len(asked) // BATCH, 1)):
        cosines = block @ known.T
        neighbours = np.argpartition(-cosines, number - 1, axis=1)[:, :number]
        counts = weight[neighbours] * np.exp(np.take_along_axis(cosines, neighbours, axis=1) / TEMPERATURE)
        said.append(np.einsum("nk,nkc->nc", counts, votes[neighbours]) / counts.sum(axis=1, keepdims=True))
    shares = np.concatenate(said)
    if not task.classes:
        return shares[:, 0]
    logarithms = np.log(np.clip(shares, 1e-6, None))
    return logarithms[:, 1] - logarithms[:, 0] if len(task.classes) == 2 else logarithms


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
