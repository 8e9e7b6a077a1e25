"""The statistics of measuring: medians and bands of samples, percentiles with their uncertainty, lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_RESAMPLINGS = 500


def band(samples: ArrayLike) -> dict[str, float]:
    """Median and central 68 % range of samples, and their number."""
    low, median, high = np.percentile(samples, (16, 50, 84))
    return {"median": float(median), "p16": float(low), "p84": float(high), "n": int(np.size(samples))}


def percentiles(samples: ArrayLike, seed: int = 0) -> dict[str, dict[str, float]]:
    """The 50th, 90th and 99th percentile, each with the 16-84 % range of its bootstrap distribution."""
    samples = np.asarray(samples, float)
    levels = (50, 90, 99)
    drawn = np.random.default_rng(seed).choice(samples, (_RESAMPLINGS, len(samples)))
    low, high = np.percentile(np.percentile(drawn, levels, axis=1), (16, 84), axis=1)
    return {
        f"p{level}": {"value": float(value), "p16": float(a), "p84": float(b)}
        for level, value, a, b in zip(levels, np.percentile(samples, levels), low, high, strict=True)
    }


def line(x: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Slope of the straight line of least squares, the slope's standard error, and the intercept.

    The error comes from the scatter about the line. What a run takes before the first of its events
    (start, loading, warm-up) goes into the intercept. At least three points are needed, at two
    different ``x`` or more.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    distance = x - x.mean()
    spread = (distance**2).sum()
    slope = (distance * y).sum() / spread
    intercept = y.mean() - slope * x.mean()
    residuals = y - slope * x - intercept
    error = np.sqrt((residuals**2).sum() / (len(x) - 2) / spread)
    return float(slope), float(error), float(intercept)
