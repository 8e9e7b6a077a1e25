"""Temperature scaling: one number that makes a network's scores probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

RANGE = (0.05, 20.0)


def temperature(logit: NDArray, target: NDArray, weight: NDArray) -> float:
    """The number T for which sigmoid(logit / T) has the least binary cross-entropy.

    Logits, targets (0 or 1) and weights [N] are those of the validation part. Ranks, and so the ROC
    curve, stay as they are. Guo et al., "On calibration of modern neural networks", arXiv 1706.04599.
    """
    signed = np.where(target == 1, logit, -logit).astype(np.float64)

    def loss(logarithm: float) -> float:
        return float(np.average(np.logaddexp(0.0, -signed * np.exp(-logarithm)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))
