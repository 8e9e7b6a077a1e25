"""How good a measurement of a mass is: figures of merit, each with its interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e.learning.statistics import BOOTSTRAP_SEED, REPLICAS, EventBootstrap, events

BINS = 8  # of true mass and transverse momentum, of equal numbers of objects
CENTRAL = 0.68  # of the objects, within `relative_error_68` of the true mass
# Columns of the reference's scores, and what is said of them.
REFERENCES = {"mass": "BDT on jet shapes", "calorimetric": "calorimetric mass", "mean": "mean mass"}


def measure(objects: pd.DataFrame, mass: NDArray) -> dict[str, Any]:
    """Figures of merit of masses [N] (GeV) of a test part, each with 68 % and 95 % intervals.

    Mean absolute error (GeV); mean of |m / m_true - 1|; the value of |m / m_true - 1| below which 68 % of the
    objects lie, spread and bias in one, so that an answer which does not depend on the object gains nothing;
    bias, the median of m / m_true minus 1; the latter two in bins of true mass and of true transverse
    momentum, where that is known, too.
    """
    target = objects["target"].to_numpy(np.float64)
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED)
    ratio = mass / target
    bins = {"mass": _bins(target)}
    if "a_pt" in objects and np.isfinite(objects["a_pt"]).all():
        bins["transverse_momentum"] = _bins(objects["a_pt"].to_numpy(np.float64))
    estimates = bootstrap.estimate(
        {
            "mae": _mean(np.abs(mass - target)),
            "relative": _mean(np.abs(ratio - 1.0)),
            "error_68": _quantile(np.abs(ratio - 1.0), CENTRAL),
            "bias": _quantile(ratio - 1.0, 0.5),
            **{
                f"{what} {name} {i}": _quantile(values, level, inside)
                for what, values, level in (
                    ("error_68", np.abs(ratio - 1.0), CENTRAL),
                    ("bias", ratio - 1.0, 0.5),
                )
                for name, entries in bins.items()
                for i, (_, _, inside) in enumerate(entries)
            },
        }
    )
    return {
        "mean_absolute_error": estimates["mae"].summary(),
        "mean_relative_error": estimates["relative"].summary(),
        "relative_error_68": estimates["error_68"].summary(),
        "bias": estimates["bias"].summary(),
        "dependence": {
            name: [
                {
                    "low": low,
                    "high": high,
                    "objects": int(inside.sum()),
                    "relative_error_68": estimates[f"error_68 {name} {i}"].summary(),
                    "bias": estimates[f"bias {name} {i}"].summary(),
                }
                for i, (low, high, inside) in enumerate(entries)
            ]
            for name, entries in bins.items()
        },
        "bootstrap": {"replicas": REPLICAS, "resampled": "events", "events": bootstrap.events},
    }


def compare(objects: pd.DataFrame, mass: NDArray, reference: NDArray) -> dict[str, Any]:
    """Difference of the mean absolute errors (GeV), by a paired bootstrap; negative is better."""
    target = objects["target"].to_numpy(np.float64)
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED)
    difference = np.abs(mass - target) - np.abs(reference - target)
    estimate = bootstrap.estimate({"difference": _mean(difference)})["difference"]
    return {
        "mean_absolute_error": float(np.abs(mass - target).mean()),
        "mean_absolute_error_reference": float(np.abs(reference - target).mean()),
        "difference": estimate.summary(),
        "p_value": estimate.p_value(),
        "least_p_value": estimate.least_p_value(),
    }


def keeping(target: NDArray, mass: NDArray) -> dict[str, Callable[[NDArray], NDArray]]:
    """Mean absolute error (GeV) and bias of masses [N], as functions of weights [R, N]."""
    return {
        "mean_absolute_error": _mean(np.abs(mass - target)),
        "bias": _quantile(mass / target - 1.0, 0.5),
    }


def _mean(values: NDArray) -> Callable[[NDArray], NDArray]:
    return lambda draws: draws @ values / draws.sum(axis=1)


def _quantile(values: NDArray, level: float, inside: NDArray | None = None) -> Callable[[NDArray], NDArray]:
    """Quantile [R] of the values of the objects ``inside``, or of all."""
    chosen = np.arange(len(values)) if inside is None else np.flatnonzero(inside)
    chosen = chosen[np.argsort(values[chosen], kind="stable")]
    ascending = values[chosen]

    def quantile(draws: NDArray) -> NDArray:
        reached = np.cumsum(draws[:, chosen], axis=1, dtype=np.float64)
        places = [np.searchsorted(row, level * row[-1]) for row in reached]
        return ascending[np.minimum(places, len(ascending) - 1)]

    return quantile


def _bins(column: NDArray) -> list[tuple[float, float, NDArray[np.bool_]]]:
    """Edges and objects of ``BINS`` bins of equal numbers."""
    edges = np.quantile(column, np.linspace(0, 1, BINS + 1))
    number = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, BINS - 1)
    return [(float(edges[i]), float(edges[i + 1]), number == i) for i in range(BINS) if np.any(number == i)]
