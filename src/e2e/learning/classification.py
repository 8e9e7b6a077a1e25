"""How good a classifier is: figures of merit of logits, each with its interval.

More than two classes are measured as each of them against all others together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from torch import Tensor, nn

from e2e import models, tasks
from e2e.data.scalars import inputs
from e2e.data.scores import kinematics
from e2e.data.store import Samples
from e2e.data.stream import Stream
from e2e.geometry import row_eta
from e2e.learning.attribution import integrated_gradients
from e2e.learning.statistics import (
    BOOTSTRAP_SEED,
    REPLICAS,
    Calibration,
    EventBootstrap,
    Roc,
    events,
)

SIGNAL_EFFICIENCIES = (0.5, 0.7, 0.9)
CURVE = np.linspace(0.02, 1.0, 99)  # signal efficiencies at which the ROC curve is drawn
CURVE_REPLICAS = 200  # enough for a band
BINS = 6  # of each kinematic quantity, of equal numbers of objects
SHOWN = (0.1, 0.5, 0.9)  # quantiles of the logit at which an object of each class is explained


def sigmoid(logit: NDArray) -> NDArray:
    """P(target 1) of a logit, in its precision, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))


def scores(logit: NDArray) -> NDArray:
    """Probabilities of logits, in their precision: [N] of target 1, or [N, K] of each of K classes."""
    return sigmoid(logit) if logit.ndim == 1 else softmax(logit, axis=1)


def against_rest(logit: NDArray) -> NDArray:
    """Logits [N, K] of each class against all others together: their sigmoid is the class's ``scores``."""
    others = [logsumexp(np.delete(logit, i, axis=1), axis=1) for i in range(logit.shape[1])]
    return logit - np.stack(others, axis=1)


def each_class(objects: pd.DataFrame, classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Of each class the table of objects with targets 1, that class, and 0, all others."""
    return {
        name: objects.assign(target=(objects["target"] == i).astype(np.float32))
        for i, name in enumerate(classes)
    }


def measure(
    objects: pd.DataFrame, logit: NDArray[np.float32], energy: NDArray[np.float64], weight: NDArray
) -> dict[str, Any]:
    """Figures of merit of logits [N] of a test part, each with 68 % and 95 % intervals.

    ``objects`` is the table of its stream, ``energy`` their ``transverse_energy``, ``weight`` their weights.

    AUC, also without the weights; background efficiency and rejection at fixed signal efficiencies;
    calibration; AUC in bins of the kinematics, where these are known; and the AUC of the crop's transverse
    energy alone, which shows how much a trivial difference between the samples would give away.
    """
    target = objects["target"].to_numpy()
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    roc = Roc(logit, target)
    calibration = Calibration(sigmoid(logit), target)
    alone = Roc(either_way(energy, target, weight), target)
    bins = {name: _bins(column.to_numpy(), target) for name, column in kinematics(objects).items()}
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
        "auc_unweighted": _unweighted(objects, roc.auc),
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

    ``objects`` holds their identities and targets, ``weight`` [N] their weights. Of logits [N, K] the area is
    the mean of those of each class against all others.
    """
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    target = objects["target"].to_numpy()
    ours, theirs = area(logit, target), area(reference, target)
    difference = bootstrap.estimate({"auc": lambda draws: ours(draws) - theirs(draws)})["auc"]
    return {
        "auc": float(ours(weight[None])[0]),
        "auc_reference": float(theirs(weight[None])[0]),
        "difference": difference.summary(),
        "p_value": difference.p_value(),
        "least_p_value": difference.least_p_value(),
    }


def measure_classes(
    objects: pd.DataFrame,
    logit: NDArray,
    energy: NDArray,
    weight: NDArray,
    classes: Sequence[str],
    others: Mapping[str, NDArray],
    name: str,
) -> dict[str, Any]:
    """Figures of merit of logits [N, K] of more than two ``classes``, and of ``others`` like them.

    ``auc``, ``auc_unweighted`` and ``total_energy_alone`` are means of the areas of each class against all
    others; ``accuracy`` is the weighted share of objects whose own class is the likeliest, ``confusion``
    [true][likeliest] such shares of each class. Of each class, ``classes`` holds what ``measure``,
    ``compare`` and ``curves`` say of it against all others, the latter of the network called
    ``name`` and all else.
    """
    target = objects["target"].to_numpy().astype(np.int64)
    likeliest, weights = logit.argmax(axis=1), weight.astype(np.float64)
    confusion = np.zeros((len(classes), len(classes)))
    np.add.at(confusion, (target, likeliest), weights)
    confusion /= confusion.sum(axis=1, keepdims=True)
    odds, odds_of = against_rest(logit), {other: against_rest(values) for other, values in others.items()}
    records, alone = {}, []
    for i, (label, table) in enumerate(each_class(objects, classes).items()):
        alone.append(either_way(energy, table["target"].to_numpy(), weight))
        rest = {other: values[:, i] for other, values in odds_of.items()}
        discriminants = {name: odds[:, i], **rest, "transverse energy": alone[-1]}
        records[label] = {
            **measure(table, odds[:, i], energy, weight),
            "versus": {other: compare(table, odds[:, i], values, weight) for other, values in rest.items()},
            "roc": curves(table, discriminants, weight),
        }
    right, mean_auc = (target == likeliest).astype(np.float64), _mean_auc(odds, target)
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    estimates = bootstrap.estimate(
        {
            "auc": mean_auc,
            "accuracy": lambda draws: draws @ right / draws.sum(axis=1),
            "total energy": _mean_auc(np.stack(alone, axis=1), target),
        }
    )
    return {
        "auc": estimates["auc"].summary(),
        "auc_unweighted": _unweighted(objects, mean_auc),
        "accuracy": estimates["accuracy"].summary(),
        "confusion": confusion.tolist(),
        "total_energy_alone": estimates["total energy"].summary(),
        "bootstrap": {"replicas": REPLICAS, "resampled": "events", "events": bootstrap.events},
        "classes": records,
    }


def _unweighted(objects: pd.DataFrame, auc: Callable[[NDArray], NDArray]) -> dict[str, Any]:
    """The area where every object counts the same, so that kinematics may help, with its intervals."""
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED)
    return bootstrap.estimate({"auc": auc})["auc"].summary()


def _mean_auc(odds: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
    """Mean [R] of the areas of each class [N, K] against all others."""
    rocs = [Roc(odds[:, i], target == i) for i in range(odds.shape[1])]
    return lambda draws: np.mean([roc.auc(draws) for roc in rocs], axis=0)


def area(discriminant: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
    """Area under the ROC curve [R] of a discriminant [N], or the mean of those of logits [N, K]."""
    if discriminant.ndim == 1:
        return Roc(discriminant, target).auc
    return _mean_auc(against_rest(discriminant), target)


def curves(objects: pd.DataFrame, discriminants: Mapping[str, NDArray], weight: NDArray) -> dict[str, Any]:
    """ROC curves of discriminants [N], with a bootstrap over events, as a record.

    Of each: ``auc`` with its ``standard_error``; at the ``signal_efficiency`` [n] the background
    efficiency with the ends of its 68 % interval (``low``, ``high``).
    """
    bootstrap = EventBootstrap(events(objects), CURVE_REPLICAS, BOOTSTRAP_SEED, weight)
    target = objects["target"].to_numpy()
    content = {}
    for name, discriminant in discriminants.items():
        roc = Roc(discriminant, target)
        found = bootstrap.estimate(
            {"auc": roc.auc, "background": lambda d, roc=roc: roc.background(d, CURVE)}
        )
        drawn = found["background"].replicas[np.isfinite(found["auc"].replicas)]  # with every class
        low, high = np.quantile(drawn, (0.16, 0.84), axis=0)
        content[name] = {
            "auc": float(found["auc"].value),
            "standard_error": float(known(found["auc"].replicas).std()),
            "background_efficiency": found["background"].value.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
    return {"signal_efficiency": CURVE.tolist(), "curves": content}


def known(replicas: NDArray) -> NDArray:
    """Those of resamplings that have every class."""
    return replicas[np.isfinite(replicas)]


def auc_alone(objects: pd.DataFrame, discriminant: NDArray, weight: NDArray) -> dict[str, Any]:
    """AUC of a discriminant [N] or of logits [N, K], with its intervals and its standard error."""
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    estimate = bootstrap.estimate({"auc": area(discriminant, objects["target"].to_numpy())})["auc"]
    return {**estimate.summary(), "standard_error": float(known(estimate.replicas).std())}


def passing(odds: NDArray, among: NDArray[np.bool_], cut: float) -> Callable[[NDArray], NDArray]:
    """The share [R], by weights [R, N], of the objects ``among`` [N] whose ``odds`` reach the ``cut``."""
    kept = (among & (odds >= cut)).astype(np.float64)
    counted = among.astype(np.float64)
    return lambda draws: draws @ kept / (draws @ counted)


def transverse_energy(chunks: Iterable[Samples], rows: int) -> NDArray[np.float64]:
    """E / cosh(eta) [N] (GeV), E the sum of the calorimeters' energies over the crop, of all objects.

    The eta is that of the seed in a detector of so many ``rows``, 0 where that is unknown: without, a sample
    at larger eta would have more energy at the same momentum.
    """
    sums = []
    for samples in chunks:
        owner = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
        energies = np.array(
            [channel.unit == "GeV" and channel != tasks.TRACK_PT for channel in samples.channels]
        )
        counted = energies[samples.index // (samples.shape[1] * samples.shape[2])]
        energy = np.bincount(owner[counted], samples.value[counted], minlength=len(samples))
        eta = row_eta(samples.seed_row.astype(np.float64), rows)
        sums.append(energy / np.cosh(np.nan_to_num(eta)))
    return np.concatenate(sums)


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


def explained(network: nn.Module, stream: Stream, logit: NDArray, temperature: float) -> dict[str, NDArray]:
    """Objects of each class whose logits are at the quantiles ``SHOWN`` of their class.

    Arrays ``target`` [n], ``frames`` [n, C, H, W] and what their cells add to the calibrated logit,
    ``contributions`` [n, C, H, W]; of logits [N, K], to that of the object's own class.
    """
    chosen = []
    for target in reversed(range(len(stream.classes))):
        positions = np.flatnonzero(stream.target == target)
        own = logit if logit.ndim == 1 else logit[:, target]
        order = positions[np.argsort(own[positions], kind="stable")]
        chosen += [order[int(quantile * (len(order) - 1))] for quantile in SHOWN]
    shown = stream.samples(np.array(chosen))
    frames, *beside = inputs(shown, models.takes(network))
    explained = network if logit.ndim == 1 else _Own(network, shown.target)
    contributions = integrated_gradients(explained, frames, *beside) / np.float32(temperature)
    return {"target": shown.target, "frames": frames, "contributions": contributions}


class _Own(nn.Module):
    """Frames of n objects, and their scalars -> the logit [n] of the class that each of them is."""

    def __init__(self, network: nn.Module, target: NDArray[np.float32]):
        super().__init__()
        self.network, self.target = network, torch.from_numpy(target.astype(np.int64))[:, None]

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).gather(1, self.target).squeeze(1)
