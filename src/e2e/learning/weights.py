"""Weights that give the classes equal numbers and equal kinematics, so that no network wins by those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BINS = (16, 6)  # of transverse momentum and of |eta|
LARGEST = 10.0  # a rarer object weighs no more, so that few of them do not rule a batch


@dataclass(frozen=True)
class Weights:
    """Weights of objects by class, transverse momentum (GeV) and |eta|.

    ``pt`` and ``eta`` are the names of the kinematics, ``pt_edges`` and ``eta_edges`` the inner edges of
    their bins, ``table`` [classes, bins of pt, bins of eta] the weights.
    """

    pt: str
    eta: str
    pt_edges: NDArray[np.float64]
    eta_edges: NDArray[np.float64]
    table: NDArray[np.float64]

    def of(self, objects: pd.DataFrame) -> NDArray[np.float32]:
        """Weights [N] of objects with the columns ``target``, ``pt`` and ``eta``; on average about 1."""
        return self.table[self._bins(objects)].astype(np.float32)

    def _bins(self, objects: pd.DataFrame) -> tuple[NDArray, NDArray, NDArray]:
        return (
            objects["target"].to_numpy().astype(int),
            np.searchsorted(self.pt_edges, objects[self.pt].to_numpy(), side="right"),
            np.searchsorted(self.eta_edges, np.abs(objects[self.eta].to_numpy()), side="right"),
        )


def fit(objects: pd.DataFrame, kinematics: Sequence[str], classes: int) -> Weights:
    """Weights with which all classes have the same distribution: the mean of theirs.

    ``objects`` (those of the training part) has the columns ``target`` and ``kinematics``, the names of
    transverse momentum and eta. Bins hold equal numbers of objects. A bin without objects of some class
    gets weight 0 for all: nothing can be compared there.
    """
    pt, eta = kinematics
    edges = [
        np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
        for values, bins in zip((objects[pt], np.abs(objects[eta])), BINS, strict=True)
    ]
    unit = Weights(pt, eta, *edges, np.ones((classes, *BINS)))
    counts = np.zeros((classes, *BINS))
    np.add.at(counts, unit._bins(objects), 1.0)
    shares = counts / counts.sum(axis=(1, 2), keepdims=True)
    compared = np.all(counts > 0, axis=0)
    wanted = shares.mean(axis=0) * compared
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.where(compared, wanted * len(objects) / classes / counts, 0.0)
    return Weights(pt, eta, *edges, np.minimum(table, LARGEST))
