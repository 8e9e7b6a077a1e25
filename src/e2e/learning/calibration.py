"""Temperature scaling: one number that makes a network's scores probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

RANGE = (0.05, 20.0)


def temperature(logit: NDArray, target: NDArray, weight: NDArray) -> float:
    """The number T for which the scores of logit / T have the least cross-entropy.

    Logits [N] (of two classes) or [N, K], targets (0, 1, ...) and weights [N] are those of the validation
    part. The order of an object's scores stays as it is, and so does the ROC curve of two classes. Guo et
    al., "On calibration of modern neural networks", arXiv 1706.04599.
    """
    if logit.ndim == 1:
        signed = np.where(target == 1, logit, -logit).astype(np.float64)

        def losses(inverse: float) -> NDArray:
            return np.logaddexp(0.0, -signed * inverse)
    else:
        own = np.take_along_axis(logit, target.astype(np.int64)[:, None], axis=1)
        ahead = (logit - own).astype(np.float64)

        def losses(inverse: float) -> NDArray:
            return logsumexp(ahead * inverse, axis=1)

    def loss(logarithm: float) -> float:
        return float(np.average(losses(np.exp(-logarithm)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))
