import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from e2e.learning.statistics import Calibration, Estimate, EventBootstrap, Roc, auc, events


def sample(objects: int, separation: float, seed: int = 0, ties: bool = False):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, objects).astype(np.float32)
    score = generator.normal(separation * target)
    return (np.round(score) if ties else score), target


@pytest.mark.parametrize("ties", [False, True])
def test_auc_is_that_of_scikit_learn_with_weights(ties):
    score, target = sample(500, 0.8, ties=ties)
    weights = np.random.default_rng(1).integers(0, 4, (3, 500)).astype(np.float32)
    expected = [roc_auc_score(target, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(Roc(score, target).auc(weights), expected, atol=1e-6)
    assert auc(score, target) == pytest.approx(roc_auc_score(target, score), abs=1e-6)


def test_background_efficiency_lies_on_the_curve():
    score, target = sample(2000, 1.0)
    fpr, tpr, _ = roc_curve(target, score, drop_intermediate=False)
    for efficiency in (0.5, 0.7, 0.9):
        value = Roc(score, target).background(np.ones((1, 2000)), [0.1, efficiency])[0, 1]
        assert value == pytest.approx(np.interp(efficiency, tpr, fpr), abs=1e-9)
        cut = np.quantile(score[target == 1], 1 - efficiency)
        assert value == pytest.approx(np.mean(score[target == 0] > cut), abs=3e-3)


def test_bootstrap_spread_is_that_of_repeated_experiments():
    spread = np.std([auc(*sample(400, 1.0, seed)) for seed in range(300)])
    score, target = sample(400, 1.0, seed=1000)
    replicas = (
        EventBootstrap(np.arange(400), 1000, seed=1).estimate({"auc": Roc(score, target).auc})["auc"].replicas
    )
    assert len(replicas) == 1000
    assert np.std(replicas) == pytest.approx(spread, rel=0.2)


def test_objects_of_one_event_count_as_one():
    """Every object twice in its event is no more information than once."""
    score, target = sample(400, 1.0)
    single = (
        EventBootstrap(np.arange(400), 1000, seed=1).estimate({"auc": Roc(score, target).auc})["auc"].replicas
    )
    twice = Roc(np.repeat(score, 2), np.repeat(target, 2))
    double = EventBootstrap(np.arange(800) // 2, 1000, seed=1).estimate({"auc": twice.auc})["auc"].replicas
    np.testing.assert_allclose(double, single, atol=1e-6)


def test_bootstrap_repeats_itself_and_keeps_the_number_of_events():
    bootstrap = EventBootstrap(np.arange(50), 150, seed=3)
    first, second = (np.concatenate(list(bootstrap.chunks())) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.all(first.sum(axis=1) == 50)
    assert len(np.unique(first, axis=0)) == 150


def test_event_numbers():
    table = pd.DataFrame(
        {"sample": list("aab"), "run": [1, 1, 1], "lumi": 1, "event": [5, 5, 5], "object": [0, 1, 0]}
    )
    assert events(table).tolist() == [0, 0, 1]


def test_calibrated_scores_are_at_the_floor_and_distorted_ones_above():
    generator = np.random.default_rng(0)
    score = generator.random(20_000)
    target = (generator.random(20_000) < score).astype(np.float32)
    ones = np.ones((1, 20_000))
    good, bad = Calibration(score, target), Calibration(score**2, target)
    assert good.error(ones)[0] == pytest.approx(good.floor(ones[0], 100, seed=0), rel=0.5)
    # Mean of |s - s^2| over uniform s is 1/6.
    assert bad.error(ones)[0] == pytest.approx(1 / 6, abs=0.01)
    total, mean, fraction = (values[0] for values in good.curve(ones))
    assert total.sum() == 20_000
    assert np.ptp(total) <= 1
    np.testing.assert_allclose(mean, fraction, atol=0.06)


def test_p_value():
    replicas = np.random.default_rng(0).normal(0, 1, 4000)
    assert Estimate(0.0, replicas).p_value() > 0.9
    assert Estimate(1.96, replicas + 1.96).p_value() == pytest.approx(0.05, abs=0.015)
    assert Estimate(-1.96, replicas - 1.96).p_value() == pytest.approx(0.05, abs=0.015)
    for sign in (1, -1):  # never 0, whichever is the better
        assert Estimate(10 * sign, replicas + 10 * sign).p_value() == pytest.approx(2 / 4001)
        assert Estimate(10 * sign, replicas + 10 * sign).least_p_value() == pytest.approx(2 / 4001)


def test_estimate_of_several_values():
    replicas = np.array([[1.0, 0.0], [2.0, 0.0], [4.0, 0.5], [4.0, 0.5]])
    estimate = Estimate(np.array([2.0, 0.0]), replicas)
    assert estimate[0].inverse().summary() == {
        "value": 0.5,
        "interval_68": [0.25, 1.0],
        "interval_95": [0.25, 1.0],
    }
    # What is infinite has no place in JSON.
    assert estimate[1].inverse().summary() == {
        "value": None,
        "interval_68": [2.0, None],
        "interval_95": [2.0, None],
    }


def test_intervals_hold_what_their_names_say():
    """An interval of 90 % called one of 95 % is as good as any to whoever looks at its ends alone."""
    replicas = np.random.default_rng(0).permutation(100_000) / 100_000
    summary = Estimate(np.float64(0.5), replicas).summary()
    for name, share in (("interval_68", 0.68), ("interval_95", 0.95)):
        low, high = summary[name]
        assert np.mean((replicas >= low) & (replicas <= high)) == pytest.approx(share, abs=1e-3)
        assert low == pytest.approx(1 - high, abs=1e-3)
