"""How good a measurement of a mass is: figures of merit, each with its interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e.learning.statistics import BOOTSTRAP_SEED, REPLICAS, Estimate, EventBootstrap, events

BINS = 8  # of true mass and transverse momentum, of equal numbers of objects
CENTRAL = 0.68  # of the objects, within `relative_error_68` of the true mass
LEAST_SLOPE = 1e-3  # below it an answer cannot be calibrated


def parts(prediction: NDArray) -> tuple[NDArray, NDArray | None]:
    """Masses [N], and their widths [N] where the prediction has them: of [N, 2], or of masses alone [N]."""
    return (prediction, None) if prediction.ndim == 1 else (prediction[:, 0], prediction[:, 1])


def measure(objects: pd.DataFrame, mass: NDArray, width: NDArray | None = None) -> dict[str, Any]:
    """Figures of merit of masses [N] (GeV) of a test part, each with 68 % and 95 % intervals.

    - ``mean_absolute_error`` (GeV), and ``mean_relative_error``, the mean of |m / m_true - 1|;
    - ``relative_error_68``: the value of |m / m_true - 1| below which 68 % of the objects lie, spread and
      bias in one, so that an answer which does not depend on the object gains nothing;
    - ``bias``: the median of m / m_true minus 1;
    - ``slope`` of the straight line that fits the measured against the true mass best: 1 is perfect, 0 an
      answer that is always the same;
    - ``resolution``: half of the range of the central 68 % of m / m_true around that line, over its slope. So
      the answer is calibrated, and does not look precise by staying near the mean; null without a slope;
    - with the ``width`` [N] (GeV) that each mass is given with, ``coverage``: the part of the objects of
      which the true mass lies within it.

    ``dependence`` has the errors of 68 %, biases, resolutions and coverages in bins of true mass and of true
    transverse momentum, where that is known.
    """
    target = objects["target"].to_numpy(np.float64)
    bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED)
    bins = {"mass": _bins(target)}
    if "a_pt" in objects and np.isfinite(objects["a_pt"]).all():
        bins["transverse_momentum"] = _bins(objects["a_pt"].to_numpy(np.float64))
    everywhere = _inside(target, mass, width, np.ones(len(target), bool))
    asked = {
        "mean_absolute_error": _mean(np.abs(mass - target)),
        "mean_relative_error": _mean(np.abs(mass / target - 1.0)),
        "slope": _slope(target, mass),
        **everywhere,
    }
    for name, entries in bins.items():
        for i, (_, _, inside) in enumerate(entries):
            found = _inside(target, mass, width, inside)
            asked |= {f"{figure} {name} {i}": of for figure, of in found.items()}
    estimates = bootstrap.estimate(asked)
    for name, estimate in estimates.items():
        if name.startswith("resolution"):
            estimates[name] = _over(estimate, estimates["slope"])
    return {
        **{name: estimates[name].summary() for name in asked if " " not in name},
        "dependence": {
            name: [
                {
                    "low": low,
                    "high": high,
                    "objects": int(inside.sum()),
                    **{figure: estimates[f"{figure} {name} {i}"].summary() for figure in everywhere},
                }
                for i, (low, high, inside) in enumerate(entries)
            ]
            for name, entries in bins.items()
        },
        "bootstrap": {"replicas": REPLICAS, "resampled": "events", "events": bootstrap.events},
    }


def _inside(
    target: NDArray, mass: NDArray, width: NDArray | None, inside: NDArray
) -> dict[str, Callable[[NDArray], NDArray]]:
    """What is measured of all objects and in each bin; the resolution before it is divided by the slope."""
    ratio = mass / target - 1.0
    slope = _slope(target, mass)(np.ones((1, len(target))))[0]
    line = mass.mean() + slope * (target - target.mean())
    figures = {
        "relative_error_68": _quantile(np.abs(ratio), CENTRAL, inside),
        "bias": _quantile(ratio, 0.5, inside),
        "resolution": _half_width((mass - line) / target, inside),
    }
    if width is not None:
        figures["coverage"] = _mean(np.abs(mass - target) <= width, inside)
    return figures


def _over(estimate: Estimate, slope: Estimate) -> Estimate:
    """A width over the slope; not a number where the answer does not rise with the truth."""

    def over(width: NDArray, slope: NDArray) -> NDArray:
        return width / np.where(slope > LEAST_SLOPE, slope, np.nan)

    return Estimate(over(estimate.value, slope.value), over(estimate.replicas, slope.replicas))


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
        "mean_absolute_error": error(mass, target),
        "bias": _quantile(mass / target - 1.0, 0.5),
    }


def error(mass: NDArray, target: NDArray) -> Callable[[NDArray], NDArray]:
    """Mean absolute error (GeV) of masses [N], as a function of weights [R, N]."""
    return _mean(np.abs(mass - target))


def _mean(values: NDArray, inside: NDArray | None = None) -> Callable[[NDArray], NDArray]:
    chosen = np.arange(len(values)) if inside is None else np.flatnonzero(inside)

    def mean(draws: NDArray) -> NDArray:
        with np.errstate(invalid="ignore"):  # a resampling may have none of them
            return draws[:, chosen] @ values[chosen] / draws[:, chosen].sum(axis=1)

    return mean


def _slope(target: NDArray, mass: NDArray) -> Callable[[NDArray], NDArray]:
    """Slope [R] of the line that fits the masses against the targets with the least squares."""
    # Means near 0 keep the digits of the differences of sums.
    x, y = target - target.mean(), mass - mass.mean()
    sums = np.stack((np.ones_like(x), x, y, x * x, x * y), axis=1)

    def slope(draws: NDArray) -> NDArray:
        number, x, y, square, product = (draws.astype(np.float64) @ sums).T
        return (number * product - x * y) / (number * square - x * x)

    return slope


def _half_width(values: NDArray, inside: NDArray) -> Callable[[NDArray], NDArray]:
    """Half of the range [R] of the central 68 % of the values of the objects ``inside``."""
    low, high = (_quantile(values, level, inside) for level in (0.5 - CENTRAL / 2, 0.5 + CENTRAL / 2))
    return lambda draws: (high(draws) - low(draws)) / 2


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
