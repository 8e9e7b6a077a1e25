"""Whether what was timed is right: its values are those of the training framework."""

from __future__ import annotations

import numpy as np

from e2e.deploy.contract import Contract
from e2e.errors import E2EError

NEAR_TIES = 0.05  # part of the calls' objects, which are few and repeated, that near-ties may make


def largest_difference(contract: Contract, values: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of a model's first number from what it has to be, in the terms of its tolerance.

    Raises E2EError where that is exceeded, by more objects than near-ties may make.
    """
    output = contract.numbers[0]
    difference = output.difference(values, expected)
    wrong = np.mean(~(difference <= output.tolerance))
    if wrong > (NEAR_TIES if contract.near_ties else 0):
        raise E2EError(f"its {output.name} differs from the reference by {difference.max():.3g}")
    return float(difference.max())
