import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.learning.regression import _quantile, compare, measure


@pytest.fixture
def objects():
    """Masses of 2,000 objects, two an event."""
    generator = np.random.default_rng(1)
    number = np.arange(2000)
    return pd.DataFrame(
        {
            "sample": "a",
            "run": 1,
            "lumi": 1,
            "event": number // 2,
            "object": number % 2,
            "target": generator.uniform(4, 14, 2000).astype(np.float32),
            "a_pt": generator.uniform(30, 180, 2000).astype(np.float32),
        }
    )


def test_error_and_bias_of_a_gaussian(objects):
    target = objects["target"].to_numpy(float)
    ratio = np.random.default_rng(2).normal(1.1, 0.22, len(target))
    measured = measure(objects, target * ratio)
    assert measured["relative_error_68"]["value"] == pytest.approx(
        np.quantile(np.abs(ratio - 1), 0.68), rel=0.02
    )
    assert measured["bias"]["value"] == pytest.approx(0.1, abs=0.015)
    assert measured["mean_relative_error"]["value"] == pytest.approx(np.abs(ratio - 1).mean())
    assert measured["mean_absolute_error"]["value"] == pytest.approx(np.abs(target * (ratio - 1)).mean())
    for name in ("relative_error_68", "bias", "mean_absolute_error"):
        low, high = measured[name]["interval_95"]
        assert low < measured[name]["value"] < high
    assert json.dumps(measured, allow_nan=False)


def test_an_answer_that_is_always_the_same_looks_best_only_where_it_is_true(objects):
    target = objects["target"].to_numpy(float)
    ratio = np.random.default_rng(2).normal(1.0, 0.1, len(target))
    good, constant = measure(objects, target * ratio), measure(objects, np.full(len(target), target.mean()))
    for name, better in (
        ("mass", 6),
        ("transverse_momentum", 8),
    ):  # of 8 bins, the mean is in one or at an edge
        pairs = zip(good["dependence"][name], constant["dependence"][name], strict=True)
        won = [
            one["relative_error_68"]["value"] < other["relative_error_68"]["value"] for one, other in pairs
        ]
        assert sum(won) >= better
    assert good["relative_error_68"]["value"] < 0.5 * constant["relative_error_68"]["value"]


def test_bins_hold_all_objects_and_follow_the_truth(objects):
    target = objects["target"].to_numpy(float)
    measured = measure(objects, target + 1.0)  # a constant shift: its share falls with the mass
    for name in ("mass", "transverse_momentum"):
        assert sum(entry["objects"] for entry in measured["dependence"][name]) == len(objects)
    biases = [entry["bias"]["value"] for entry in measured["dependence"]["mass"]]
    assert biases == sorted(biases, reverse=True)
    middle = [(entry["low"] + entry["high"]) / 2 for entry in measured["dependence"]["mass"]]
    np.testing.assert_allclose(biases, 1 / np.array(middle), rtol=0.1)


def test_unknown_momenta_have_no_bins(objects):
    measured = measure(objects.assign(a_pt=np.float32(np.nan)), objects["target"].to_numpy(float))
    assert list(measured["dependence"]) == ["mass"]


def test_difference_is_paired(objects):
    target = objects["target"].to_numpy(float)
    generator = np.random.default_rng(3)
    common = generator.normal(0, 1, len(target))
    better, worse = target + common, target + common * 1.05
    versus = compare(objects, better, worse)
    assert versus["difference"]["interval_95"][1] < 0
    expected = np.abs(better - target).mean() - np.abs(worse - target).mean()
    assert versus["difference"]["value"] == pytest.approx(expected)
    assert compare(objects, better, better)["difference"]["interval_95"] == [0, 0]


def test_events_are_resampled_and_not_objects(objects):
    """Every object twice in its event tells nothing new; objects resampled one by one would seem to."""
    single = objects[objects["object"] == 0].reset_index(drop=True)
    twice = single.loc[single.index.repeat(2)].assign(object=np.tile([0, 1], len(single)))
    generator = np.random.default_rng(4)
    mass, other = (single["target"] * generator.normal(1, 0.2, len(single)) for _ in range(2))
    masses = [column.to_numpy(float) for column in (mass, other)]
    doubled = [column.repeat(2) for column in masses]
    assert compare(single, *masses)["difference"] == {
        name: pytest.approx(value) for name, value in compare(twice, *doubled)["difference"].items()
    }
    for name in ("mean_absolute_error", "relative_error_68", "bias"):
        value, expected = (
            measure(table, column)[name]["interval_95"]
            for table, column in ((single, masses[0]), (twice, doubled[0]))
        )
        assert value == pytest.approx(expected)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9).filter(any), st.sampled_from([0.1, 0.5, 0.68, 1.0])
)
def test_quantiles_of_a_resampling_are_those_of_its_objects(draws, level):
    values = np.random.default_rng(len(draws)).permutation(len(draws)).astype(float)
    expected = np.quantile(np.repeat(values, draws), level, method="inverted_cdf")
    assert _quantile(values, level)(np.array([draws])).tolist() == [expected]


def test_slope_and_calibrated_resolution_see_an_answer_that_stays_near_the_mean(objects):
    """Halfway to the mean, masses look twice as precise; calibrated, they are as precise as they are."""
    target = objects["target"].to_numpy(float)
    honest = target * np.random.default_rng(2).normal(1.0, 0.1, len(target))
    shy = target.mean() + 0.5 * (honest - target.mean())
    one, other = measure(objects, honest), measure(objects, shy)
    assert one["slope"]["value"] == pytest.approx(np.polyfit(target, honest, 1)[0])
    assert one["slope"]["value"] == pytest.approx(1.0, abs=0.03)
    assert other["slope"]["value"] == pytest.approx(0.5 * one["slope"]["value"])
    assert one["resolution"]["value"] == pytest.approx(0.1, abs=0.005)
    assert other["resolution"]["value"] == pytest.approx(one["resolution"]["value"])
    for honest_bin, shy_bin in zip(one["dependence"]["mass"], other["dependence"]["mass"], strict=True):
        assert honest_bin["resolution"]["value"] == pytest.approx(0.1, abs=0.02)
        assert shy_bin["resolution"]["value"] == pytest.approx(honest_bin["resolution"]["value"])
    first, *_, last = (entry["bias"]["value"] for entry in other["dependence"]["mass"])
    assert first > 0.3  # what the bias of all objects hides
    assert last < -0.1
    assert abs(other["bias"]["value"]) < 0.05
    low, high = one["slope"]["interval_95"]
    assert low < one["slope"]["value"] < high


def test_an_answer_that_is_always_the_same_has_no_resolution(objects):
    measured = measure(objects, np.full(len(objects), 8.0))
    assert measured["slope"]["value"] == 0.0
    assert measured["resolution"] == {"value": None, "interval_68": [None, None], "interval_95": [None, None]}
    assert json.dumps(measured, allow_nan=False)


def test_coverage_is_the_part_within_the_width(objects):
    target = objects["target"].to_numpy(float)
    mass = target + np.random.default_rng(2).normal(0.0, 1.0, len(target))
    measured = measure(objects, mass, np.ones(len(target)))
    assert measured["coverage"]["value"] == pytest.approx(0.683, abs=0.03)
    assert measured["coverage"]["value"] == pytest.approx(np.mean(np.abs(mass - target) <= 1))
    each = [entry["coverage"]["value"] * entry["objects"] for entry in measured["dependence"]["mass"]]
    assert sum(each) / len(target) == pytest.approx(measured["coverage"]["value"])
    assert "coverage" not in measure(objects, mass)
