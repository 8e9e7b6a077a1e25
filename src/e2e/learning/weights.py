"""Weights that give the classes equal numbers and equal kinematics, so that no network wins by those."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e.errors import E2EError
from e2e.tasks import Task

ETA_BINS = 6  # of equal numbers of objects, as those of the transverse momentum
OBJECTS = 40  # of a class in a bin, on average: more, wider bins would leave a network something of the pT

Weigh = Callable[[pd.DataFrame], NDArray[np.float32]]


def fit(objects: pd.DataFrame, task: Task) -> Weigh:
    """A function from a table of objects to their weights [N], on average about 1.

    ``objects`` are those of the training part, with the columns ``target`` and kinematics. With the
    weights, all classes have the same distribution of the quantities ``task.balance`` (transverse
    momentum and eta): the harmonic mean of theirs, so that no object weighs much (overlap weights, Li,
    Morgan and Zaslavsky, J. Am. Stat. Assoc. 113 (2018) 390). Where some class is missing from a bin, all
    objects weigh 0: nothing can be compared there. A quantity that the source has not is left out; a
    task that balances nothing has weights 1. Raises E2EError where the classes have no bin in common.
    """
    if not task.balance:
        return lambda objects: np.ones(len(objects), np.float32)
    numbers = max(1, len(objects) // (len(task.classes) * ETA_BINS * OBJECTS)), ETA_BINS
    edges = [
        np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1])
        for column, bins in zip(_balanced(objects, task), numbers, strict=True)
    ]

    def place(objects: pd.DataFrame) -> tuple[NDArray, ...]:
        """Class, and bin of each quantity."""
        columns = zip(edges, _balanced(objects, task), strict=True)
        bins = (np.searchsorted(edge, column, side="right") for edge, column in columns)
        return (objects["target"].to_numpy().astype(int), *bins)

    counts = np.zeros((len(task.classes), *numbers))
    np.add.at(counts, place(objects), 1.0)
    some = np.maximum(counts, 1)
    wanted = np.all(counts > 0, axis=0) / (counts.sum(axis=(1, 2), keepdims=True) / some).sum(axis=0)
    if not wanted.any():
        raise E2EError(
            f"no two objects of different classes are alike in {' and '.join(task.balance)}: they cannot be"
            " weighted to equal kinematics; take samples whose ranges overlap"
        )
    wanted *= len(objects) / len(task.classes) / wanted.sum()
    table = (wanted / some).astype(np.float32)
    return lambda objects: table[place(objects)]


def _balanced(objects: pd.DataFrame, task: Task) -> tuple[NDArray, NDArray]:
    """Transverse momentum and |eta| [N]; 0 where unknown."""
    pt, eta = (np.nan_to_num(objects[name].to_numpy()) for name in task.balance)
    return pt, np.abs(eta)
