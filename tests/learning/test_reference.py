"""The reference sees the crop alone; what the reconstructed jet would add is told apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from e2e.data.scores import read_scores
from e2e.files import read_json
from e2e.learning.reference import _fit, _with_reconstruction, reference
from e2e.learning.statistics import Roc
from e2e.tasks import task
from e2e.tasks.tau import TASK as TAU


@pytest.fixture(autouse=True)
def one_thread():
    """Trees so small are grown fastest so: threads that wait for a busy core take seconds."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def few_trees(monkeypatch):
    """At most 60 trees, which end 5 after the best of them."""
    monkeypatch.setattr("e2e.learning.reference.ITERATIONS", 60)
    monkeypatch.setattr("e2e.learning.reference.PATIENCE", 5)


def part(objects: int, seed: int) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Objects that only the mass of the reconstructed jet tells apart, which some of them lack."""
    generator = np.random.default_rng(seed)
    target = (generator.random(objects) < 0.5).astype(np.float32)
    mass = np.where(generator.random(objects) < 0.1, np.nan, generator.normal(5 + 2 * target, 1))
    kinematics = {"jetPt": generator.exponential(30, objects), "jetEta": 0.0, "jetM": mass}
    shapes = pd.DataFrame({"multiplicity": generator.integers(0, 9, objects).astype(float)})
    objects_of_it = pd.DataFrame({"target": target, **kinematics})
    return SimpleNamespace(objects=objects_of_it, target=target, weight=np.ones(objects)), shapes


def test_trees_with_the_reconstructed_jet_see_its_mass():
    made = {name: part(2000, seed) for seed, name in enumerate(("train", "validation", "test"))}
    parts, tables = ({name: pair[i] for name, pair in made.items()} for i in (0, 1))

    def auc(answers):
        return Roc(answers, parts["test"].target).auc(np.ones((1, len(answers))))[0]

    assert auc(_with_reconstruction(parts, tables, TAU, seed=1)) > 0.85
    trees = _fit(parts, tables, TAU, seed=1)
    assert abs(auc(trees.decision_function(tables["test"])) - 0.5) < 0.05
    assert list(tables["test"]) == ["multiplicity"]


def labelled(target: np.ndarray, **features: np.ndarray) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Objects of these targets and features."""
    target = target.astype(np.float32)
    objects = pd.DataFrame({"target": target})
    return SimpleNamespace(objects=objects, target=target, weight=np.ones(len(target))), pd.DataFrame(
        features
    )


def split_up(made: dict[str, tuple[SimpleNamespace, pd.DataFrame]]) -> tuple[dict, dict]:
    return {name: pair[0] for name, pair in made.items()}, {name: pair[1] for name, pair in made.items()}


def test_trees_are_trained_with_weights():
    """Without them the reference would use the kinematics that a network may not, and look better."""
    target = np.arange(4000) % 4 == 0  # one in four is signal, and weighs five times as much
    parts, tables = split_up(
        dict.fromkeys(("train", "validation", "test"), labelled(target, nothing=np.zeros(len(target))))
    )
    parts["train"].weight = np.where(target, 5.0, 1.0)
    trees = _fit(parts, tables, TAU, seed=1)
    assert np.exp(trees.decision_function(tables["test"])) == pytest.approx(5 / 3, rel=1e-3)


def test_trees_stop_by_the_weights_of_the_validation_part(few_trees):
    """Of a validation part that says two things, that half counts which has weight."""
    generator = np.random.default_rng(1)
    value = generator.uniform(-1, 1, 4000)
    agrees = np.arange(4000) % 2 == 0
    made = {
        "train": labelled(value > 0, value=value),
        "validation": labelled(np.where(agrees, value > 0, value < 0), value=value),
    }
    parts, tables = split_up(made | {"test": made["train"]})

    def trained(counted: bool) -> int:
        parts["validation"].weight = np.where(agrees == counted, 1.0, 1e-6)
        return _fit(parts, tables, TAU, seed=1).n_iter_

    assert trained(True) > 2 * trained(False)


def test_trees_stop_on_the_validation_part(few_trees):
    """Stopped on the test part they would be chosen for what they are measured on."""
    generator = np.random.default_rng(1)
    value = generator.uniform(-1, 1, 4000)
    right, wrong = labelled(value > 0, value=value), labelled(value < 0, value=value)
    stopped = {}
    for name, validation, test in (("right", right, wrong), ("wrong", wrong, right)):
        parts, tables = split_up({"train": right, "validation": validation, "test": test})
        stopped[name] = _fit(parts, tables, TAU, seed=1).n_iter_
    assert stopped["right"] > 2 * stopped["wrong"]


def test_masses_of_the_reference_are_masses(make_jets, tmp_path):
    """Trees are trained on logarithms: taken as masses, or masses as logarithms, all answers are absurd."""
    toy = make_jets(task("mass_regression", 4))
    outputs = (tmp_path / name for name in ("scores.parquet", "metrics.json", "model.joblib"))
    reference(toy.stores, toy.split, *outputs, threads=1)
    scores = read_scores(tmp_path / "scores.parquet")
    for name in ("mass", "mean"):
        assert scores[name].between(3, 16).all()  # of true masses between 4 and 14 GeV
        assert scores[name].mean() == pytest.approx(scores["target"].mean(), rel=0.15)
    metrics = read_json(tmp_path / "metrics.json")
    error = np.abs(scores["mass"] - scores["target"]).mean()
    assert metrics["mean_absolute_error"]["value"] == pytest.approx(error, rel=1e-5)
    assert metrics["with_reconstruction"]["value"] < 3
