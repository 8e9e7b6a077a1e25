"""The reference is chosen on the validation part; what the reconstructed jet would add is told apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from e2e.data.scores import read_scores
from e2e.files import read_json
from e2e.learning.measures import measures
from e2e.learning.reference import _informed, reference
from e2e.learning.statistics import Roc
from e2e.learning.tabular import MISSING, _preparation, _prepared, careful, network, trees
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
    monkeypatch.setattr("e2e.learning.tabular.ITERATIONS", 60)
    monkeypatch.setattr("e2e.learning.tabular.PATIENCE", 5)


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

    informed = trees(parts, _informed(parts, tables), TAU, seed=1)
    assert auc(informed.decision_function(_informed(parts, tables)["test"])) > 0.85
    grown = trees(parts, tables, TAU, seed=1)
    assert abs(auc(grown.decision_function(tables["test"])) - 0.5) < 0.05
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
    grown = trees(parts, tables, TAU, seed=1)
    assert np.exp(grown.decision_function(tables["test"])) == pytest.approx(5 / 3, rel=1e-3)


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
        return trees(parts, tables, TAU, seed=1).n_iter_

    assert trained(True) > 2 * trained(False)


def test_trees_stop_on_the_validation_part(few_trees):
    """Stopped on the test part they would be chosen for what they are measured on."""
    generator = np.random.default_rng(1)
    value = generator.uniform(-1, 1, 4000)
    right, wrong = labelled(value > 0, value=value), labelled(value < 0, value=value)
    stopped = {}
    for name, validation, test in (("right", right, wrong), ("wrong", wrong, right)):
        parts, tables = split_up({"train": right, "validation": validation, "test": test})
        stopped[name] = trees(parts, tables, TAU, seed=1).n_iter_
    assert stopped["right"] > 2 * stopped["wrong"]


@pytest.fixture
def short_trainings(few_trees, monkeypatch):
    """Networks of eight epochs."""
    monkeypatch.setattr("e2e.learning.tabular.EPOCHS", 8)


def corner(objects: int, seed: int) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Signal in a direction between all of eight features, which trees have to cut out of boxes."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(objects, 8))
    target = generator.random(objects) < 1 / (1 + np.exp(-2 * values.sum(axis=1)))
    return labelled(target, **{f"value {i}": column for i, column in enumerate(values.T)})


def auc_of(part: SimpleNamespace, answers: np.ndarray) -> float:
    return Roc(answers, part.target).auc(np.ones((1, len(answers))))[0]


def test_networks_help_where_trees_find_it_hard(short_trainings):
    """Default trees alone would be a reference that is easy to beat."""
    parts, tables = split_up(
        {name: corner(3000, i) for i, name in enumerate(("train", "validation", "test"))}
    )
    found = careful(parts, tables, TAU, seed=1)
    assert found.choices["share_of_networks"] > 0
    best = found.best.answer(tables["test"])
    plain = measures(TAU).answer(found.trees, tables["test"])
    assert auc_of(parts["test"], best) > auc_of(parts["test"], plain) + 0.005
    losses = found.choices["validation_loss"]
    assert losses["mean"] <= min(losses["trees"], losses["networks"])
    again = careful(parts, tables, TAU, seed=1)
    np.testing.assert_array_equal(again.best.answer(tables["test"]), best)


def test_all_is_chosen_on_the_validation_part(short_trainings, monkeypatch):
    """One in which the truth is the opposite leaves nothing to learn, whatever the test part says."""
    made = {name: corner(2000, i) for i, name in enumerate(("train", "validation", "test"))}
    parts, tables = split_up(made)
    monkeypatch.setattr("e2e.learning.tabular.NETWORKS", 1)

    def answers(**changed):
        return careful(parts | changed, tables, TAU, seed=1).best.answer(tables["test"])

    right = answers()
    np.testing.assert_array_equal(answers(test=opposite(parts["test"])), right)
    assert np.std(answers(validation=opposite(parts["validation"]))) < 0.5 * np.std(right)


def opposite(part: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(**vars(part) | {"target": 1 - part.target})


def test_networks_take_weights_and_what_is_missing(short_trainings):
    """A feature that only background lacks tells it; one in four is signal, and weighs three times."""
    generator = np.random.default_rng(1)
    target = np.arange(4000) % 4 == 0
    value = np.where(target | (generator.random(4000) < 0.5), 1.0, MISSING)
    parts, tables = split_up(
        dict.fromkeys(
            ("train", "validation", "test"), labelled(target, value=value, nothing=np.full(4000, MISSING))
        )
    )
    for stream in parts.values():
        stream.weight = np.where(target, 3.0, 1.0)
    inputs = dict.fromkeys(tables, _prepared(_preparation(tables["train"], seed=1), tables["train"]))
    answers = measures(TAU).answer(network(parts, inputs, TAU, penalty=0.0, seed=1), inputs["test"])
    assert np.mean(answers[value == MISSING]) < -3
    there = answers[value != MISSING]
    expected = np.log(3 * target.sum() / np.sum(~target & (value != MISSING)))
    assert np.mean(there) == pytest.approx(expected, abs=0.3)


def test_masses_of_the_reference_are_masses(make_jets, short_trainings, tmp_path):
    """Trees are trained on logarithms: taken as masses, or masses as logarithms, all answers are absurd."""
    toy = make_jets(task("mass_regression", 4))
    outputs = (tmp_path / name for name in ("scores.parquet", "metrics.json", "model.joblib"))
    reference(toy.stores, toy.split, *outputs, threads=1)
    scores = read_scores(tmp_path / "scores.parquet")
    for name in ("mass", "trees", "with_reconstruction", "mean"):
        assert scores[name].between(3, 16).all()  # of true masses between 4 and 14 GeV
        assert scores[name].mean() == pytest.approx(scores["target"].mean(), rel=0.15)
    metrics = read_json(tmp_path / "metrics.json")
    error = np.abs(scores["mass"] - scores["target"]).mean()
    assert metrics["mean_absolute_error"]["value"] == pytest.approx(error, rel=1e-5)
    assert metrics["others"]["with_reconstruction"]["mean_absolute_error"]["value"] < 3
    beside = ["trees on jet shapes", "reference on jet shapes and the reconstructed jet"]
    assert list(metrics["versus"])[:2] == beside
    error = np.abs(scores["trees"] - scores["target"]).mean()
    assert metrics["others"]["trees"]["mean_absolute_error"]["value"] == pytest.approx(error, rel=1e-5)
