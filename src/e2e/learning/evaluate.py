"""How good a classifier is, on the test part only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray

from e2e import tasks
from e2e.data import parquet
from e2e.data.scores import read_scores
from e2e.data.split import PARTS
from e2e.data.store import IDENTITY, Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import write_json
from e2e.learning import data, model, weights
from e2e.learning.attribution import integrated_gradients
from e2e.learning.statistics import Calibration, Estimate, EventBootstrap, Roc, events
from e2e.plots import evaluation, side_by_side, style

SIGNAL_EFFICIENCIES = (0.5, 0.7, 0.9)
CURVE = np.linspace(0.02, 1.0, 99)  # signal efficiencies at which the ROC curve is drawn
REPLICAS = 1000
CURVE_REPLICAS = 200  # enough for a band
BOOTSTRAP_SEED = 20_240_701  # the same for all classifiers: they are compared on the same resampled events
BINS = 6  # of each kinematic quantity, of equal numbers of objects
BATCH = 512  # objects in memory as frames
SHAPES = {1: "shower shapes", 5: "jet shapes"}  # of the reference, by the cells of a seed
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

    Writes ``scores`` (parquet: identity, target, score, logit, weight, kinematics), ``metrics`` (JSON: see
    ``measure`` and ``compare``), the figure ``roc`` (.pdf) and a folder ``figures`` of others (.png).
    Objects are weighted as in the training (``weights.fit``); logits are divided by its temperature.
    The network runs on the CPU in float32, whatever it was trained on, since its scores are what
    other frameworks must agree with. Raises E2EError where the test part is not that of the
    reference, or the network's outputs are not finite.
    """
    if threads:
        torch.set_num_threads(threads)
    network, info = model.load(model_pt)
    task = tasks.task(info["task"], info["channels"])
    streams = {part: data.stream(stores, split, part, task) for part in PARTS}
    test = streams["test"]
    weight = weights.fit(streams["train"].objects, task)(test.objects)
    logit = model.answers(network, test.chunks(BATCH)) / np.float32(info["temperature"])
    if not np.all(np.isfinite(logit)):
        raise E2EError(f"{model_pt}: logits of the test part are not all finite; train it again")
    other = reference_answers(reference, test.objects, "logit")
    write_scores(scores, test.objects, score=sigmoid(logit), logit=logit, weight=weight)

    energy = total_energy(test.chunks(BATCH))
    content = {
        "model": info["architecture"],
        "seed": info["trainer"]["seed"],
        "epoch": info["epoch"],
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        "training_data": info["training_data"],
        "objects": {part: len(stream) for part, stream in streams.items()},
        "temperature": info["temperature"],
        **measure(test.objects, logit, energy, weight),
        "versus_bdt": compare(test.objects, logit, other, weight),
    }
    write_json(metrics, content)

    name, origin = info["architecture"], info["training_data"]["origin"]
    discriminants = {
        name: logit,
        f"BDT on {SHAPES[task.seed_cell]}": other,
        "total energy": either_way(energy, test.target, weight),
    }
    curves = {name: curve(test.objects, each, weight) for name, each in discriminants.items()}
    shown = test.samples(_examples(test, logit))
    frames = shown.images()
    contributions = integrated_gradients(network, frames) / np.float32(info["temperature"])
    measured = {name: content}
    drawn = {
        "roc": evaluation.roc(CURVE, curves, task.classes, origin),
        "scores": side_by_side.scores(test.target, {name: sigmoid(logit)}, weight, task.classes, origin),
        "calibration": side_by_side.calibrations(measured, task.classes[1], origin),
        "kinematics": side_by_side.dependences(measured, task.kinematics, origin),
        "attribution": evaluation.attribution(shown, frames, contributions, task.crop, origin),
    }
    style.save(drawn["roc"], roc)
    style.save_all(drawn, figures)


def sigmoid(logit: NDArray) -> NDArray:
    """P(target 1) of a logit, in its precision, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))


def write_scores(path: str | Path, objects: pd.DataFrame, **answers: NDArray[np.float32]) -> None:
    """Write sample, run, lumi, event, object, target, the ``answers`` and the kinematics, a row an object."""
    columns = {**objects[[*IDENTITY, "target"]], **answers, **_kinematics(objects)}
    table = pa.table({name: pa.array(np.asarray(column)) for name, column in columns.items()})
    parquet.write_table(path, table)


def measure(
    objects: pd.DataFrame, logit: NDArray[np.float32], energy: NDArray[np.float64], weight: NDArray
) -> dict[str, Any]:
    """Figures of merit of logits [N] of a test part, each with 68 % and 95 % intervals.

    ``objects`` is the table of its stream, ``energy`` their ``total_energy``, ``weight`` their weights.

    AUC; background efficiency and rejection at fixed signal efficiencies; calibration; AUC in bins of
    the kinematics, where these are known; and the AUC of the crop's total energy alone, which shows how
    much a trivial difference between the samples would give away.
    """
    target = objects["target"].to_numpy()
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    roc = Roc(logit, target)
    calibration = Calibration(sigmoid(logit), target)
    alone = Roc(either_way(energy, target, weight), target)
    bins = {name: _bins(column.to_numpy(), target) for name, column in _kinematics(objects).items()}
    estimates = bootstrap.estimate(
        {
            "auc": roc.auc,
            "background": lambda draws: roc.background(draws, SIGNAL_EFFICIENCIES),
            "calibration": calibration.error,
            "signal fraction": lambda draws: calibration.curve(draws)[2],
            "total energy": alone.auc,
            **{
                f"{name} {i}": _auc_within(inside, logit, target)
                for name, entries in bins.items()
                for i, (_, _, inside) in enumerate(entries)
            },
        }
    )
    counts = calibration.membership.sum(axis=0)
    mean = calibration.curve(weight[None])[1][0]
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
            "expected_calibration_error": estimates["calibration"].centred().summary(),
            "error_if_perfect": calibration.floor(weight, 200, BOOTSTRAP_SEED),
            "bins": [
                {
                    "objects": int(counts[i]),
                    "mean_score": float(mean[i]),
                    "signal_fraction": estimates["signal fraction"][i].summary(),
                }
                for i in range(len(counts))
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


def compare(objects: pd.DataFrame, logit: NDArray, reference: NDArray, weight: NDArray) -> dict[str, Any]:
    """AUC(logit) - AUC(reference), by a paired bootstrap: both on the same resampled events.

    ``objects`` holds their identities and targets, ``weight`` [N] their weights.
    """
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    target = objects["target"].to_numpy()
    ours, theirs = Roc(logit, target), Roc(reference, target)
    difference = bootstrap.estimate({"auc": lambda draws: ours.auc(draws) - theirs.auc(draws)})["auc"]
    return {
        "auc": float(ours.auc(weight[None])[0]),
        "auc_bdt": float(theirs.auc(weight[None])[0]),
        "difference": difference.summary(),
        "p_value": difference.p_value(),
    }


def auc_alone(objects: pd.DataFrame, discriminant: NDArray, weight: NDArray) -> dict[str, Any]:
    """AUC of a discriminant, with its intervals and its standard error."""
    roc = Roc(discriminant, objects["target"].to_numpy())
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    estimate = bootstrap.estimate({"auc": roc.auc})["auc"]
    return {**estimate.summary(), "standard_error": float(estimate.replicas.std())}


def curve(objects: pd.DataFrame, discriminant: NDArray, weight: NDArray) -> dict[str, Estimate]:
    """AUC, and background efficiency at the signal efficiencies ``CURVE``, with a bootstrap over events."""
    roc = Roc(discriminant, objects["target"].to_numpy())
    bootstrap = EventBootstrap(events(objects), CURVE_REPLICAS, BOOTSTRAP_SEED, weight)
    return bootstrap.estimate({"auc": roc.auc, "background": lambda draws: roc.background(draws, CURVE)})


def total_energy(chunks: Iterable[Samples]) -> NDArray[np.float64]:
    """Sum [N] of the calorimeters' energies (GeV) over the crop, of all objects of ``chunks``."""
    sums = []
    for samples in chunks:
        owner = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
        energies = np.array(
            [channel.unit == "GeV" and channel != tasks.TRACK_PT for channel in samples.channels]
        )
        counted = energies[samples.index // (samples.shape[1] * samples.shape[2])]
        sums.append(np.bincount(owner[counted], samples.value[counted], minlength=len(samples)))
    return np.concatenate(sums)


def _kinematics(objects: pd.DataFrame) -> pd.DataFrame:
    """What a table holds besides identity and target."""
    return objects.drop(columns=[*IDENTITY, "target"])


def either_way(discriminant: NDArray, target: NDArray, weight: NDArray) -> NDArray:
    """The discriminant [N], or minus it, whichever is larger for the signal: its AUC is at least 1/2."""
    return discriminant if Roc(discriminant, target).auc(weight[None])[0] >= 0.5 else -discriminant


def _bins(column: NDArray, target: NDArray) -> list[tuple[float, float, NDArray[np.bool_]]]:
    """Edges and objects of ``BINS`` bins of equal numbers, without those that lack a class.

    Objects of unknown value (NaN) are in none.
    """
    known = np.isfinite(column)
    if not known.any():
        return []
    edges = np.quantile(column[known], np.linspace(0, 1, BINS + 1))
    number = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, BINS - 1)
    bins = [(float(edges[i]), float(edges[i + 1]), known & (number == i)) for i in range(BINS)]
    return [entry for entry in bins if len(np.unique(target[entry[2]])) == 2]


def _auc_within(inside: NDArray, logit: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
    roc = Roc(logit[inside], target[inside])
    return lambda draws: roc.auc(draws[:, inside])


def reference_answers(path: str | Path, objects: pd.DataFrame, answer: str) -> NDArray[np.float64]:
    """The column ``answer`` of the scores file ``path`` in the order of ``objects``."""
    key = list(IDENTITY)
    table = read_scores(path, [answer])
    if len(table) != len(objects) or table.duplicated(key).any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    merged = objects[key].merge(table, on=key, how="left", validate="one_to_one")
    if merged[answer].isna().any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    return merged[answer].to_numpy()


def _examples(stream: Stream, logit: NDArray) -> NDArray[np.integer]:
    """Positions of objects of each class whose logits are at the quantiles ``SHOWN`` of their class."""
    chosen = []
    for target in reversed(range(len(stream.classes))):
        positions = np.flatnonzero(stream.target == target)
        order = positions[np.argsort(logit[positions], kind="stable")]
        chosen += [order[int(quantile * (len(order) - 1))] for quantile in SHOWN]
    return np.array(chosen)
