"""What a network is told on the validation part: temperature and working points, or a scale of its widths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

RANGE = (0.05, 20.0)
EFFICIENCIES = (0.8, 0.9, 0.95)  # of the working points, for the second class
CENTRAL = 0.68  # of the objects lie within a width


def cross_entropy(logit: NDArray, target: NDArray, weight: NDArray) -> float:
    """Mean of that of logits [N] (of two classes) or [N, K], with targets (0, 1, ...) and weights [N]."""
    if logit.ndim == 1:
        losses = np.logaddexp(0.0, np.where(target == 1, -logit, logit).astype(np.float64))
    else:
        own = np.take_along_axis(logit, target.astype(np.int64)[:, None], axis=1)
        losses = logsumexp((logit - own).astype(np.float64), axis=1)
    return float(np.average(losses, weights=weight))


def temperature(logit: NDArray, target: NDArray, weight: NDArray) -> float:
    """The number T for which the scores of logit / T have the least ``cross_entropy``.

    Logits, targets and weights are those of the validation part. The order of an object's scores stays as it
    is, and so does the ROC curve of two classes. Guo et al., "On calibration of modern neural networks",
    arXiv 1706.04599.
    """

    def loss(logarithm: float) -> float:
        return cross_entropy(logit * np.exp(-logarithm), target, weight)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))


def working_point(odds: NDArray, signal: NDArray[np.bool_], weight: NDArray, efficiency: float) -> float:
    """The cut on ``odds`` [N] that this share of the ``signal`` [N] reaches."""
    order = np.argsort(odds[signal], kind="stable")
    reached = np.cumsum(weight[signal][order], dtype=np.float64)
    return float(odds[signal][order][np.searchsorted(reached, (1.0 - efficiency) * reached[-1])])


def working_points(logit: NDArray, target: NDArray, weight: NDArray) -> list[dict[str, float]]:
    """Scores that a share of the second of two classes reaches, and what then passes of the first.

    Calibrated logits [N], targets (0, 1) and weights [N] are those of the validation part. Each entry has
    ``efficiency``, one of ``EFFICIENCIES``, the ``score`` to cut at, and ``background_efficiency``.
    """
    score = 0.5 * (1.0 + np.tanh(0.5 * logit.astype(np.float64)))
    signal = target == 1
    points = []
    for efficiency in EFFICIENCIES:
        cut = working_point(score, signal, weight, efficiency)
        passing = np.average(score[~signal] >= cut, weights=weight[~signal])
        points.append({"efficiency": efficiency, "score": cut, "background_efficiency": float(passing)})
    return points


def width_scale(answer: NDArray, target: NDArray, weight: NDArray) -> float:
    """The number by which widths are to be multiplied, so that ``CENTRAL`` of the objects lie within.

    Masses and widths [N, 2], targets (GeV) and weights [N] are those of the validation part. As of a
    temperature, it is one number for all: which object is better known than another stays as it is.
    """
    pull = np.abs(answer[:, 0] - target) / answer[:, 1]
    return working_point(pull, np.ones(len(pull), bool), weight, 1.0 - CENTRAL)
