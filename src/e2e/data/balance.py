"""Weights that give the classes equal numbers and equal kinematics, so that no network wins by those."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import PolynomialFeatures, QuantileTransformer, SplineTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from e2e.errors import E2EError
from e2e.tasks import Task

KNOTS = 6  # of the splines of each quantity, with equal numbers of objects between them

Weighting = Callable[[pd.DataFrame], NDArray[np.float32]]


def fit(objects: pd.DataFrame, task: Task) -> Weighting:
    """A function from a table of objects to their weights [N], on average about 1.

    ``objects`` are those of the training part, with the columns ``target`` and kinematics. With the
    weights, all classes have the same distribution of the quantities ``task.balance`` (transverse
    momentum and eta): the harmonic mean of theirs, so that no object weighs much (overlap weights, Li,
    Morgan and Zaslavsky, J. Am. Stat. Assoc. 113 (2018) 390; of more than two classes Li and Li, Ann. Appl.
    Stat. 13 (2019) 2389). An object of two classes weighs what the share of the other class is at its
    transverse momentum and |eta|, by a logistic regression on splines of both and on their products.
    A quantity that the source has not counts for nothing; a task that balances nothing
    has weights 1. Raises E2EError where the ranges of the classes do not overlap.
    """
    if not task.balance:
        return lambda objects: np.ones(len(objects), np.float32)
    target = _target(objects)
    if reason := fault(objects, task):
        raise E2EError(reason)
    with threadpool_limits(1):  # the same weights on any machine's cores
        shares = _regression(len(objects)).fit(_balanced(objects, task), target)

    def overlap(objects: pd.DataFrame) -> NDArray[np.float64]:
        """Harmonic mean of the shares of all classes over that of its own [N], at an object's kinematics."""
        found, own = shares.predict_proba(_balanced(objects, task)), _target(objects)
        if found.shape[1] == 2:
            return found[np.arange(len(objects)), 1 - own]  # that of the other class
        inverse = 1.0 / found
        return inverse[np.arange(len(objects)), own] / inverse.sum(axis=1)

    # Up to the regression's slight regularisation the sums are equal already.
    scale = len(objects) / len(task.classes) / np.bincount(target, overlap(objects))
    return lambda objects: (scale[_target(objects)] * overlap(objects)).astype(np.float32)


def _regression(objects: int) -> Pipeline:
    """Of the class on [N, 2] quantities: linear at the ends, where splines of ranks are too coarse."""
    knots = np.linspace(0.0, 1.0, KNOTS)[:, None].repeat(2, axis=1)
    splines = make_pipeline(
        QuantileTransformer(n_quantiles=min(objects, 1000), subsample=None),
        SplineTransformer(knots=knots, sparse_output=True),
    )
    return make_pipeline(
        make_union(StandardScaler(), splines),
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
        LogisticRegression(max_iter=1000),
    )


def fault(objects: pd.DataFrame, task: Task) -> str | None:
    """Why classes of these objects cannot be given equal kinematics; None where they can."""
    if not task.balance:
        return None
    quantities, target = _known(objects, task), _target(objects)
    of_classes = [quantities[target == i] for i in range(len(task.classes))]
    # Of those that are known; NaN where none is, which is neither above nor below anything.
    lowest, highest = (np.array([side.reduce(one) for one in of_classes]) for side in (np.fmin, np.fmax))
    if (lowest.max(axis=0) > highest.min(axis=0)).any():
        return (
            f"no two objects of different classes are alike in {' and '.join(task.balance)}: they cannot be"
            " weighted to equal kinematics; take samples whose ranges overlap"
        )
    return None


def _known(objects: pd.DataFrame, task: Task) -> NDArray[np.float64]:
    """Transverse momentum and |eta| [N, 2]; NaN where unknown."""
    quantities = np.abs(objects.reindex(columns=list(task.balance)).to_numpy(np.float64))
    return np.where(np.isfinite(quantities), quantities, np.nan)


def _balanced(objects: pd.DataFrame, task: Task) -> NDArray[np.float64]:
    """The same, 0 where unknown, so that unknown ones are alike."""
    return np.nan_to_num(_known(objects, task))


def _target(objects: pd.DataFrame) -> NDArray[np.int64]:
    return objects["target"].to_numpy().astype(np.int64)
