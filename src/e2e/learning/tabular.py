"""What a careful analysis learns from tables of features on a laptop: trees, small networks, and their mean.

All that is chosen (how many trees, how they grow, how long and how hard the networks are trained, and what
share they have) is chosen by the loss of the validation part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.learning.measures import Measures, Networks, Trees, measures
from e2e.tasks import Task

MISSING = -99.0  # of a feature that an object lacks
# Up to 2000 trees of 31 leaves; the validation part decides how many.
ITERATIONS = 2000
PATIENCE = 50
PLAIN = {"learning_rate": 0.04, "min_samples_leaf": 40, "l2_regularization": 1.0, "max_features": 0.5}
CAREFUL = {
    "learning_rate": 0.02,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 100,
    "l2_regularization": 10.0,
    "max_features": 0.3,
}
HIDDEN = (128, 64, 32)
NETWORKS = 3
SEEDS_APART = 1000  # those of the networks of one seed, so that other seeds have other networks
BATCH = 256
PENALTIES = (1.0, 5.0)  # of the squares of weights, in a batch
EPOCHS = 60
NETWORK_PATIENCE = 10  # epochs
AVERAGED = 0.2  # share of an epoch's weights in their moving mean
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the networks in the mean with the trees
QUANTILES = 200

Parts = Mapping[str, Stream]
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Mean:
    """Trees and small networks on the same features: their mean, in which the networks have a ``share``."""

    task: Task
    trees: Trees
    networks: tuple[Networks, ...]
    prepare: Pipeline  # of features for networks
    share: float

    def answer(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """The prediction for objects with these features."""
        known = measures(self.task)
        learned = _mean(known, self.networks, _prepared(self.prepare, features))
        return (1 - self.share) * known.answer(self.trees, features) + self.share * learned


@dataclass(frozen=True)
class Found:
    """Plain ``trees``, the ``best`` that was found, and what was chosen of it."""

    trees: Trees
    best: Mean
    choices: dict[str, Any]


def careful(parts: Parts, tables: Tables, task: Task, seed: int) -> Found:
    """Plain trees, and the mean of trees and of ``NETWORKS`` small networks with least validation loss."""
    known, validation = measures(task), parts["validation"]

    def loss(prediction: NDArray) -> float:
        return known.loss(prediction, validation.target, validation.weight)

    grown = {
        name: trees(parts, tables, task, seed, **settings)
        for name, settings in (("plain", PLAIN), ("careful", CAREFUL))
    }
    by_trees = {name: known.answer(each, tables["validation"]) for name, each in grown.items()}
    tree = min(by_trees, key=lambda name: loss(by_trees[name]))

    prepare = _preparation(tables["train"], seed)
    inputs = {part: _prepared(prepare, tables[part]) for part in ("train", "validation")}
    tried = {penalty: network(parts, inputs, task, penalty, seed) for penalty in PENALTIES}
    penalty = min(tried, key=lambda penalty: loss(known.answer(tried[penalty], inputs["validation"])))
    others = (network(parts, inputs, task, penalty, seed + SEEDS_APART * i) for i in range(1, NETWORKS))
    networks = (tried[penalty], *others)
    by_networks = _mean(known, networks, inputs["validation"])

    def mixed(share: float) -> float:
        return loss((1 - share) * by_trees[tree] + share * by_networks)

    share = min(SHARES, key=mixed)
    return Found(
        grown["plain"],
        Mean(task, grown[tree], networks, prepare, share),
        {
            "trees": tree,
            "iterations": int(grown[tree].n_iter_),
            "penalty": penalty,
            "share_of_networks": share,
            "validation_loss": {"trees": mixed(0.0), "networks": mixed(1.0), "mean": mixed(share)},
        },
    )


def trees(parts: Parts, tables: Tables, task: Task, seed: int, **settings: float) -> Trees:
    """Trees for what the measures of the task say is learned: the class, or the logarithm of the mass."""
    known = measures(task)
    grown = known.trees(
        max_iter=ITERATIONS,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
        **settings or PLAIN,
    )
    target = {part: known.learned(stream.target) for part, stream in parts.items()}
    return grown.fit(
        tables["train"],
        target["train"],
        sample_weight=parts["train"].weight,
        X_val=tables["validation"],
        y_val=target["validation"],
        sample_weight_val=parts["validation"].weight,
    )


def _preparation(table: pd.DataFrame, seed: int) -> Pipeline:
    """Makes features what networks take: of normal distribution, with flags of those that are missing."""
    quantiles = QuantileTransformer(
        n_quantiles=min(QUANTILES, len(table)), output_distribution="normal", random_state=seed
    )
    imputer = SimpleImputer(
        missing_values=MISSING, strategy="median", add_indicator=True, keep_empty_features=True
    )
    return make_pipeline(imputer, quantiles, StandardScaler()).fit(table.to_numpy())


def _prepared(prepare: Pipeline, table: pd.DataFrame) -> NDArray[np.float32]:
    return prepare.transform(table.to_numpy()).astype(np.float32)


def _mean(known: Measures, networks: Sequence[Networks], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of the predictions of ``networks``."""
    with threadpool_limits(1, "blas"):
        return np.mean([known.answer(each, inputs) for each in networks], axis=0)


def network(
    parts: Parts, inputs: Mapping[str, NDArray[np.float32]], task: Task, penalty: float, seed: int
) -> Networks:
    """A small network, of the moving mean of weights, at the epoch with the least validation loss.

    The mean over epochs takes the place of a falling learning rate (arXiv 1803.05407). One thread, so that
    the number of cores changes nothing; such small products gain nothing from more.
    """
    known, train, validation = measures(task), parts["train"], parts["validation"]
    target, weight = known.learned(train.target).astype(np.float32), train.weight.astype(np.float32)
    told = {"classes": np.arange(len(task.classes))} if task.classes else {}
    model = known.networks(
        hidden_layer_sizes=HIDDEN, alpha=penalty, batch_size=min(BATCH, len(target)), random_state=seed
    )
    averaged, best, least, kept = None, None, np.inf, 0
    with threadpool_limits(1, "blas"):
        for epoch in range(EPOCHS):
            model.partial_fit(inputs["train"], target, sample_weight=weight, **told)
            if averaged is None:
                averaged = deepcopy(model)
            share = max(AVERAGED, 1 / (epoch + 1))
            for mean, step in zip(_weights(averaged), _weights(model), strict=True):
                mean += share * (step - mean)
            loss = known.loss(
                known.answer(averaged, inputs["validation"]), validation.target, validation.weight
            )
            if loss < least:
                best, least, kept = deepcopy(averaged), loss, epoch
            if epoch - kept >= NETWORK_PATIENCE:
                break
    if best is None:
        raise E2EError(
            "a small network of the reference has no finite loss: look at the features of the stores"
        )
    return best


def _weights(model: Networks) -> list[NDArray]:
    return [*model.coefs_, *model.intercepts_]
