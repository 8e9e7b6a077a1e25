"""The reference sees the crop alone; what the reconstructed jet would add is told apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from e2e.learning.reference import _fit, _with_reconstruction
from e2e.learning.statistics import Roc
from e2e.tasks import TAU


def part(objects: int, seed: int) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Objects that only the mass of the reconstructed jet tells apart, which some of them lack."""
    generator = np.random.default_rng(seed)
    target = (generator.random(objects) < 0.5).astype(np.float32)
    mass = np.where(generator.random(objects) < 0.1, np.nan, generator.normal(5 + 2 * target, 1))
    kinematics = {"jetPt": generator.exponential(30, objects), "jetEta": 0.0, "jetM": mass}
    shapes = pd.DataFrame({"multiplicity": generator.integers(0, 9, objects).astype(float)})
    return SimpleNamespace(objects=pd.DataFrame({"target": target, **kinematics}), target=target), shapes


def test_trees_with_the_reconstructed_jet_see_its_mass():
    made = {name: part(2000, seed) for seed, name in enumerate(("train", "validation", "test"))}
    parts, tables = ({name: pair[i] for name, pair in made.items()} for i in (0, 1))

    def weighting(objects):
        return np.ones(len(objects), np.float32)

    def auc(answers):
        return Roc(answers, parts["test"].target).auc(np.ones((1, len(answers))))[0]

    assert auc(_with_reconstruction(parts, tables, TAU, weighting, seed=1)) > 0.85
    trees = _fit(parts, tables, TAU, weighting, seed=1)
    assert abs(auc(trees.decision_function(tables["test"])) - 0.5) < 0.05
    assert list(tables["test"]) == ["multiplicity"]
