"""How good a classifier is: figures of merit of logits, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from e2e import tasks
from e2e.data.scores import kinematics
from e2e.data.store import Samples
from e2e.data.stream import Stream
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
        "auc_reference": float(theirs.auc(weight[None])[0]),
        "difference": difference.summary(),
        "p_value": difference.p_value(),
    }


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
        low, high = np.quantile(found["background"].replicas, (0.16, 0.84), axis=0)
        content[name] = {
            "auc": float(found["auc"].value),
            "standard_error": float(found["auc"].replicas.std()),
            "background_efficiency": found["background"].value.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
    return {"signal_efficiency": CURVE.tolist(), "curves": content}


def auc_alone(objects: pd.DataFrame, discriminant: NDArray, weight: NDArray) -> dict[str, Any]:
    """AUC of a discriminant, with its intervals and its standard error."""
    roc = Roc(discriminant, objects["target"].to_numpy())
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, weight)
    estimate = bootstrap.estimate({"auc": roc.auc})["auc"]
    return {**estimate.summary(), "standard_error": float(estimate.replicas.std())}


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
    ``contributions`` [n, C, H, W].
    """
    chosen = []
    for target in reversed(range(len(stream.classes))):
        positions = np.flatnonzero(stream.target == target)
        order = positions[np.argsort(logit[positions], kind="stable")]
        chosen += [order[int(quantile * (len(order) - 1))] for quantile in SHOWN]
    shown = stream.samples(np.array(chosen))
    frames = shown.images()
    contributions = integrated_gradients(network, frames) / np.float32(temperature)
    return {"target": shown.target, "frames": frames, "contributions": contributions}
