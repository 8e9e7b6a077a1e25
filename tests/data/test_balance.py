from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from e2e.data import balance
from e2e.errors import E2EError
from e2e.learning.calibration import temperature
from e2e.learning.reference import _control
from e2e.learning.statistics import Roc
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON


def jets(objects: int, seed: int) -> pd.DataFrame:
    """Jets of which quarks are fewer, harder and more forward."""
    generator = np.random.default_rng(seed)
    target = (generator.random(objects) < 0.3).astype(np.float32)
    return pd.DataFrame(
        {
            "target": target,
            "jetPt": 70 + generator.exponential(60 + 40 * target),
            "jetEta": generator.normal(0, 0.6 + 0.3 * target),
        }
    )


def test_weighted_classes_have_equal_numbers_and_kinematics():
    weighting = balance.fit(jets(80_000, 1), QUARK_GLUON)
    test = jets(80_000, 2)
    weight = weighting(test)
    target = test["target"].to_numpy()
    assert weight[target == 1].sum() == pytest.approx(weight[target == 0].sum(), rel=0.02)
    assert weight.mean() == pytest.approx(1.0, abs=0.05)
    for discriminant in (test["jetPt"], np.abs(test["jetEta"])):
        roc = Roc(discriminant.to_numpy(), target)
        assert roc.auc(np.ones((1, len(test))))[0] > 0.57
        assert roc.auc(weight[None])[0] == pytest.approx(0.5, abs=0.006)


def test_unknown_and_infinite_kinematics_are_survived():
    """They get weights among themselves, and hide no ranges that do not overlap."""
    objects = jets(4_000, 1)
    objects.loc[::7, "jetPt"] = np.nan
    objects.loc[::11, "jetPt"] = np.inf
    objects.loc[::13, "jetEta"] = -np.inf
    weight = balance.fit(objects, QUARK_GLUON)(objects)
    assert np.isfinite(weight).all()
    assert (weight > 0).all()
    known = np.isfinite(objects["jetPt"])
    apart = objects.assign(jetPt=objects["jetPt"].where(~known, 50 + 50 * objects["target"]))
    with pytest.raises(E2EError, match="no two objects of different classes are alike in jetPt"):
        balance.fit(apart, QUARK_GLUON)
    unknown = objects.assign(jetPt=objects["jetPt"].where(objects["target"] == 0))
    assert np.isfinite(balance.fit(unknown, QUARK_GLUON)(unknown)).all()


def test_trees_on_kinematics_alone_find_little_with_the_weights():
    parts = {
        part: SimpleNamespace(objects=(objects := jets(count, seed)), target=objects["target"].to_numpy())
        for seed, (part, count) in enumerate((("train", 8_000), ("validation", 2_000), ("test", 6_000)))
    }
    test = parts["test"].objects
    test[["sample", "run", "lumi"]] = "qcd", 1, 1
    test["event"] = np.arange(len(test)) // 2

    def control(weighting):
        for part in parts.values():
            part.weight = weighting(part.objects)
        return _control(parts, QUARK_GLUON, seed=1)["kinematics_alone"]

    weighted = control(balance.fit(parts["train"].objects, QUARK_GLUON))
    assert abs(weighted["value"] - 0.5) < 3 * weighted["standard_error"]
    assert weighted["standard_error"] < 0.01
    alike = control(lambda objects: np.ones(len(objects), np.float32))
    assert alike["interval_95"][0] > 0.6


def test_objects_beyond_the_other_class_count_for_nothing():
    """Gluons below 120 GeV, quarks above 80: they are compared between."""
    pt = np.linspace(0, 160, 16_000, endpoint=False)
    table = pd.DataFrame({"jetPt": np.tile(pt, 2), "jetEta": 0.0, "target": np.repeat([0.0, 1.0], len(pt))})
    table = table[np.where(table["target"] == 1, table["jetPt"] > 80, table["jetPt"] < 120)]
    weight = balance.fit(table, QUARK_GLUON)(table)
    between = weight[(table["jetPt"] > 90) & (table["jetPt"] < 110)]
    assert weight[(table["jetPt"] < 65) | (table["jetPt"] > 135)].max() < 0.05 * between.min()


def test_weights_far_beyond_the_training_part_stay_finite():
    weighting = balance.fit(jets(4_000, 1), QUARK_GLUON)
    far = jets(8, 2).assign(jetPt=[1e-3, 1e6] * 4, jetEta=5.0, target=[0.0, 0.0, 1.0, 1.0] * 2)
    assert np.isfinite(weighting(far)).all()
    assert (weighting(far) >= 0).all()


def test_classes_without_common_kinematics_are_an_error():
    pt = np.linspace(10, 160, 1_000)
    table = pd.DataFrame({"jetPt": pt, "jetEta": 0.0, "target": (pt > 85).astype(float)})
    with pytest.raises(E2EError, match=r"alike in jetPt and jetEta: .* take samples whose ranges overlap"):
        balance.fit(table, QUARK_GLUON)


def test_unknown_kinematics_leave_equal_numbers():
    table = jets(1_000, 4).assign(jetEta=np.nan, jetPt=np.nan)
    weight = balance.fit(table, QUARK_GLUON)(table)
    target = table["target"].to_numpy()
    assert weight[target == 1].sum() == pytest.approx(weight[target == 0].sum(), rel=1e-5)


def test_a_task_that_balances_nothing_has_weights_of_one():
    weighting = balance.fit(pd.DataFrame({"target": [0.0, 1.0]}), replace(QUARK_GLUON, balance=()))
    np.testing.assert_array_equal(weighting(pd.DataFrame({"target": [1.0, 1.0, 0.0]})), 1)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found(true):
    generator = np.random.default_rng(5)
    logit = generator.normal(0, 2, 40_000)
    target = generator.random(len(logit)) < 1 / (1 + np.exp(-logit))
    assert temperature(true * logit, target, np.ones(len(logit))) == pytest.approx(true, rel=0.05)


def test_temperature_looks_at_weights():
    logit = np.array([2.0, 2.0, -2.0, -2.0])
    target = np.array([1, 0, 0, 1])
    sure = temperature(logit, target, np.array([9.0, 1.0, 9.0, 1.0]))
    unsure = temperature(logit, target, np.array([6.0, 4.0, 6.0, 4.0]))
    assert sure == pytest.approx(2 / np.log(9), rel=1e-3)
    assert unsure == pytest.approx(2 / np.log(1.5), rel=1e-3)
