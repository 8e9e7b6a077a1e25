"""More than two classes: loss, temperature, balance, figures of merit, against scikit-learn and formulas."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss, roc_auc_score

from e2e.data import balance
from e2e.learning import classification
from e2e.learning.calibration import temperature
from e2e.learning.measures import ManyClasses, TwoClasses, measures
from e2e.learning.objectives import objective
from e2e.tasks import Classification
from e2e.tasks.quark_gluon import TASK

THREE = replace(TASK, goal=Classification(("a", "b", "c")))


@pytest.fixture(scope="module")
def some():
    """Table of 900 objects, their logits [N, 3] and weights."""
    generator = np.random.default_rng(3)
    target = generator.integers(3, size=900)
    logit = generator.normal(size=(900, 3)) + 1.5 * np.eye(3)[target]
    event = np.arange(900) // 2
    table = pd.DataFrame({"sample": "s", "run": 1, "lumi": 1, "event": event, "object": event % 2})
    return (
        table.assign(target=target.astype(np.float32)),
        logit,
        generator.uniform(0.5, 2, 900).astype(np.float32),
    )


def test_a_goal_has_its_measures():
    assert type(measures(TASK)) is TwoClasses
    assert type(measures(THREE)) is ManyClasses
    assert measures(THREE).spread("logit") == ("logit_0", "logit_1", "logit_2")


def test_the_loss_is_the_weighted_cross_entropy(some):
    table, logit, weight = some
    goal = objective(THREE, table["target"].to_numpy())
    tensors = (torch.tensor(values) for values in (logit, table["target"].to_numpy(), weight))
    expected = -np.log(softmax(logit, axis=1)[np.arange(900), table["target"].astype(int)])
    assert goal.loss(*tensors).item() == pytest.approx(np.mean(weight * expected), rel=1e-5)
    goal.watch(torch.tensor(logit), torch.tensor(table["target"].to_numpy()))
    area = roc_auc_score(table["target"], softmax(logit, axis=1), multi_class="ovr")
    assert float(goal.metric.compute()) == pytest.approx(area, abs=1e-3)  # of scores, not of odds


def test_the_temperature_has_the_least_cross_entropy(some):
    table, logit, weight = some
    target = table["target"].to_numpy()
    best = temperature(3 * logit, target, weight)

    def loss(value):
        return log_loss(target, softmax(3 * logit / value, axis=1), sample_weight=weight)

    assert loss(best) < min(loss(0.98 * best), loss(1.02 * best))
    assert best == pytest.approx(3 * temperature(logit, target, weight), rel=1e-3)


def test_two_classes_are_a_case_of_many(some):
    """The same objects as two logits [N, 2] have the figures of merit of their difference [N]."""
    table, logit, weight = some
    table = table.assign(target=(table["target"] == 1).astype(np.float32))
    difference, target = logit[:, 1] - logit[:, 0], table["target"].to_numpy()
    one = temperature(difference, target, weight)
    assert temperature(logit[:, :2], target, weight) == pytest.approx(one, rel=1e-4)
    np.testing.assert_allclose(classification.scores(logit[:, :2])[:, 1], classification.scores(difference))
    np.testing.assert_allclose(classification.against_rest(logit[:, :2])[:, 1], difference)
    both = classification.compare(table, logit[:, :2], logit[:, ::2], weight)
    single = classification.compare(table, difference, logit[:, 2] - logit[:, 0], weight)
    assert both["difference"]["value"] == pytest.approx(single["difference"]["value"], abs=1e-6)


def test_each_class_is_measured_against_all_others(some):
    table, logit, weight = some
    energy = np.random.default_rng(1).uniform(1, 2, len(table))
    other = np.roll(logit, 1, axis=0)
    found = classification.measure_classes(
        table, logit, energy, weight, ("a", "b", "c"), {"other": other}, "it"
    )
    score, target = softmax(logit, axis=1), table["target"].to_numpy()
    areas = [roc_auc_score(target == i, score[:, i], sample_weight=weight) for i in range(3)]
    assert found["auc"]["value"] == pytest.approx(np.mean(areas), abs=1e-5)
    unweighted = [roc_auc_score(target == i, score[:, i]) for i in range(3)]
    assert found["auc_unweighted"]["value"] == pytest.approx(np.mean(unweighted), abs=1e-5)
    low, high = found["auc"]["interval_95"]
    assert low < found["auc"]["value"] < high
    for i, (name, each) in enumerate(found["classes"].items()):
        assert each["auc"]["value"] == pytest.approx(areas[i], abs=1e-5)
        assert list(each["roc"]["curves"]) == ["it", "other", "transverse energy"], name
        assert each["versus"]["other"]["difference"]["value"] > 0.1
    assert found["accuracy"]["value"] == pytest.approx(
        np.average(logit.argmax(axis=1) == target, weights=weight)
    )
    assert np.diag(found["confusion"]).min() > 0.5


def test_classes_have_the_same_kinematics_by_their_weights():
    generator = np.random.default_rng(5)
    target = generator.integers(3, size=30_000)
    pt = generator.normal(100 + 15 * target, 30)
    table = pd.DataFrame({"target": target, "jetPt": pt, "jetEta": generator.uniform(-1, 1, len(pt))})
    weight = balance.fit(table, THREE)(table)
    sums = np.bincount(target, weight)
    np.testing.assert_allclose(sums, len(table) / 3, rtol=1e-4)
    means = np.bincount(target, weight * pt) / sums
    assert np.ptp(means) < 0.5  # GeV; without weights 30
    assert weight.max() < 5


def test_few_objects_give_numbers_or_null(some):
    """Resamplings without any object of a class have no area: they are left out, or an interval is null."""
    table, logit, weight = some
    rows = np.r_[np.flatnonzero(table["target"] < 2)[:20], np.flatnonzero(table["target"] == 2)[:1]]
    few, energy = table.iloc[rows].reset_index(drop=True), np.arange(21.0)
    others = {"other": logit[rows + 1]}
    names = ("a", "b", "c")
    found = classification.measure_classes(few, logit[rows], energy, weight[rows], names, others, "it")
    json.dumps(found, allow_nan=False)
    for each in (found, *found["classes"].values()):
        assert None not in each["auc"]["interval_68"]
    json.dumps(classification.auc_alone(few, logit[rows], weight[rows]), allow_nan=False)
