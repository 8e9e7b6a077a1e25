"""How good a classifier is, on the test part only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from e2e import tasks
from e2e.data.split import PARTS
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.files import whole, write_json
from e2e.learning import data, model
from e2e.learning.attribution import integrated_gradients
from e2e.learning.statistics import Calibration, Estimate, EventBootstrap, Roc, auc, events
from e2e.plots import evaluation

SIGNAL_EFFICIENCIES = (0.5, 0.7, 0.9)
CURVE = np.linspace(0.02, 1.0, 99)  # signal efficiencies at which the ROC curve is drawn
REPLICAS = 1000
CURVE_REPLICAS = 200  # enough for a band
BOOTSTRAP_SEED = 20_240_701  # the same for all classifiers: they are compared on the same resampled events
BINS = 6  # of each kinematic quantity, of equal numbers of objects
BATCH = 512
SHOWN = (
    0.1,
    0.5,
    0.9,
)  # quantiles of the logit at which an object of each class is shown with its attribution


def evaluate(
    stores: Sequence[str | Path],
    split: str | Path,
    model_pt: str | Path,
    reference: str | Path,
    scores: str | Path,
    metrics: str | Path,
    roc: str | Path,
    figures: str | Path,
    threads: int | None = None,
) -> None:
    """Measure the network ``model_pt`` on the test part, beside the scores of the ``reference``.

    Writes ``scores`` (parquet: identity, target, score, logit, kinematics), ``metrics`` (JSON: see
    ``measure`` and ``compare``), the figure ``roc`` (.pdf) and a folder ``figures`` of others (.png).
    The network runs on the CPU in float32, whatever it was trained on, since its scores are what
    other frameworks must agree with. Raises E2EError where the test part is not that of the
    reference, or the network's outputs are not finite.
    """
    if threads:
        torch.set_num_threads(threads)
    network, info = model.load(model_pt)
    task = tasks.task(info["task"])
    parts = {part: len(data.read(stores, split, part, task.name)) for part in PARTS[:2]}
    samples = data.read(stores, split, PARTS[2], task.name)
    logit = logits(network, samples)
    if not np.all(np.isfinite(logit)):
        raise E2EError(f"{model_pt}: logits of the test part are not all finite; train it again")
    write_scores(scores, samples, logit)

    other = _reference_logits(reference, samples)
    content = {
        "model": info["architecture"],
        "seed": info["trainer"]["seed"],
        "epoch": info["epoch"],
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "training_data": info["training_data"],
        "objects": {**parts, PARTS[2]: len(samples)},
        **measure(samples, logit),
        "versus_bdt": compare(samples, logit, other),
    }
    write_json(metrics, content)

    simulation = info["training_data"]["simulation"]
    discriminants = {
        info["architecture"]: logit,
        "BDT on shower shapes": other,
        "total energy": total_energy(samples),
    }
    curves = {name: _curve(samples, discriminant) for name, discriminant in discriminants.items()}
    shown = samples[_examples(samples, logit)]
    frames = shown.images()
    with whole(figures) as folder:
        folder.mkdir()
        evaluation.roc(folder / "roc.png", CURVE, curves, simulation)
        evaluation.scores(folder / "scores.png", samples.target, sigmoid(logit), samples.classes, simulation)
        evaluation.calibration(folder / "calibration.png", content["calibration"], simulation)
        evaluation.dependence(folder / "kinematics.png", content["dependence"], task.kinematics, simulation)
        contributions = integrated_gradients(network, frames)
        evaluation.attribution(
            folder / "attribution.png", shown, frames, contributions, task.crop, simulation
        )
    evaluation.roc(roc, CURVE, curves, simulation)


def sigmoid(logit: NDArray) -> NDArray:
    """P(target 1) of a logit, in its precision, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))


def logits(network: nn.Module, samples: Samples) -> NDArray[np.float32]:
    """Logits [N] of all samples, on the device of the network."""
    device = next(network.parameters()).device
    pieces = []
    with torch.inference_mode():
        for start in range(0, len(samples), BATCH):
            frames = torch.from_numpy(samples.images(slice(start, start + BATCH)))
            pieces.append(network(frames.to(device)).float().cpu().numpy())
    return np.concatenate(pieces)


def write_scores(path: str | Path, samples: Samples, logit: NDArray[np.float32]) -> None:
    """Write sample, run, lumi, event, object, target, score, logit and the kinematics, a row an object."""
    columns = {
        **samples.identity(),
        "target": samples.target,
        "score": sigmoid(logit),
        "logit": logit,
        **samples.kinematics,
    }
    table = pa.table({name: pa.array(np.asarray(column)) for name, column in columns.items()})
    with whole(path) as scratch:
        pq.write_table(table, scratch, compression="zstd", use_dictionary=False)


def measure(samples: Samples, logit: NDArray[np.float32]) -> dict[str, Any]:
    """Figures of merit of logits [N] of a test part, each with 68 % and 95 % intervals.

    AUC; background efficiency and rejection at fixed signal efficiencies; calibration; AUC in bins of
    the kinematics; and the AUC of the crop's total energy alone, which shows how much a trivial
    difference between the samples would give away.
    """
    bootstrap = EventBootstrap(events(samples.identity()), REPLICAS, BOOTSTRAP_SEED)
    roc = Roc(logit, samples.target)
    calibration = Calibration(sigmoid(logit), samples.target)
    energy = Roc(total_energy(samples), samples.target)
    bins = {name: _bins(column, samples.target) for name, column in samples.kinematics.items()}
    estimates = bootstrap.estimate(
        {
            "auc": roc.auc,
            "background": lambda weights: roc.background(weights, SIGNAL_EFFICIENCIES),
            "calibration": calibration.error,
            "signal fraction": lambda weights: calibration.curve(weights)[2],
            "total energy": lambda weights: _either_way(energy.auc(weights)),
            **{
                f"{name} {i}": _auc_within(inside, logit, samples.target)
                for name, entries in bins.items()
                for i, (_, _, inside) in enumerate(entries)
            },
        }
    )
    objects, mean, _ = (values[0] for values in calibration.curve(np.ones((1, len(samples)))))
    return {
        "auc": estimates["auc"].summary(),
        "background_rejection": [
            {
                "signal_efficiency": efficiency,
                "background_efficiency": estimates["background"][i].summary(),
                "rejection": estimates["background"][i].inverse().summary(),
            }
            for i, efficiency in enumerate(SIGNAL_EFFICIENCIES)
        ],
        "calibration": {
            "expected_calibration_error": estimates["calibration"].summary(),
            "error_if_perfect": calibration.floor(200, BOOTSTRAP_SEED),
            "bins": [
                {
                    "objects": int(objects[i]),
                    "mean_score": float(mean[i]),
                    "signal_fraction": estimates["signal fraction"][i].summary(),
                }
                for i in range(len(objects))
            ],
        },
        "dependence": {
            name: [
                {
                    "low": low,
                    "high": high,
                    "objects": int(inside.sum()),
                    "auc": estimates[f"{name} {i}"].summary(),
                }
                for i, (low, high, inside) in enumerate(entries)
            ]
            for name, entries in bins.items()
        },
        "total_energy_alone": estimates["total energy"].summary(),
        "bootstrap": {"replicas": REPLICAS, "resampled": "events", "events": bootstrap.events},
    }


def compare(samples: Samples, logit: NDArray, reference: NDArray) -> dict[str, Any]:
    """AUC(logit) - AUC(reference), by a paired bootstrap: both on the same resampled events."""
    bootstrap = EventBootstrap(events(samples.identity()), REPLICAS, BOOTSTRAP_SEED)
    ours, theirs = Roc(logit, samples.target), Roc(reference, samples.target)
    difference = bootstrap.estimate({"auc": lambda weights: ours.auc(weights) - theirs.auc(weights)})["auc"]
    return {
        "auc": auc(logit, samples.target),
        "auc_bdt": auc(reference, samples.target),
        "difference": difference.summary(),
        "p_value": difference.p_value(),
    }


def _curve(samples: Samples, discriminant: NDArray) -> dict[str, Estimate]:
    """AUC, and background efficiency at the signal efficiencies ``CURVE``."""
    roc = Roc(discriminant, samples.target)
    bootstrap = EventBootstrap(events(samples.identity()), CURVE_REPLICAS, BOOTSTRAP_SEED)
    return bootstrap.estimate({"auc": roc.auc, "background": lambda weights: roc.background(weights, CURVE)})


def total_energy(samples: Samples) -> NDArray[np.float64]:
    """Sum [N] of the first channel (GeV) over the crop."""
    cells = samples.shape[1] * samples.shape[2]
    hits = np.concatenate(
        [[0.0], np.cumsum(np.where(samples.index < cells, samples.value, 0.0), dtype=float)]
    )
    return hits[samples.offsets[1:]] - hits[samples.offsets[:-1]]


def _either_way(area: NDArray) -> NDArray:
    """AUC of a discriminant of which it is not known which way round it separates."""
    return np.maximum(area, 1 - area)


def _bins(column: NDArray, target: NDArray) -> list[tuple[float, float, NDArray[np.bool_]]]:
    """Edges and objects of ``BINS`` bins of equal numbers, without those that lack a class."""
    edges = np.quantile(column, np.linspace(0, 1, BINS + 1))
    number = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, BINS - 1)
    bins = [(float(edges[i]), float(edges[i + 1]), number == i) for i in range(BINS)]
    return [entry for entry in bins if len(np.unique(target[entry[2]])) == 2]


def _auc_within(inside: NDArray, logit: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
    roc = Roc(logit[inside], target[inside])
    return lambda weights: roc.auc(weights[:, inside])


def _reference_logits(path: str | Path, samples: Samples) -> NDArray[np.float64]:
    """Logits of the scores file ``path`` in the order of ``samples``."""
    key = list(samples.identity().columns)
    table = pd.read_parquet(path)
    if len(table) != len(samples) or table.duplicated(key).any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    merged = samples.identity().merge(table, on=key, how="left", validate="one_to_one")
    if merged["logit"].isna().any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    return merged["logit"].to_numpy()


def _examples(samples: Samples, logit: NDArray) -> NDArray[np.integer]:
    """Positions of objects of each class whose logits are at the quantiles ``SHOWN`` of their class."""
    chosen = []
    for target in reversed(range(len(samples.classes))):
        positions = np.flatnonzero(samples.target == target)
        order = positions[np.argsort(logit[positions], kind="stable")]
        chosen += [order[int(quantile * (len(order) - 1))] for quantile in SHOWN]
    return np.array(chosen)
