import json

import numpy as np
import pytest

from e2e.errors import E2EError
from e2e.learning.repeats import repeats
from e2e.report.repeats import draw

DATA = {"sha256": "0" * 64, "objects": 700, "origin": "e2e simulation", "tracks": None}


def estimate(value):
    if value is None:
        return {"value": None, "interval_68": [None, None], "interval_95": [None, None]}
    return {
        "value": value,
        "interval_68": [value - 0.01, value + 0.01],
        "interval_95": [value - 0.02, value + 0.02],
    }


def classifier(seed, auc, rejection=5.0):
    return {
        "model": "resnet",
        "seed": seed,
        "training_data": DATA,
        "objects": {"train": 700, "validation": 100, "test": 200},
        "auc": estimate(auc),
        "versus": {"reference on shower shapes": {"difference": estimate(auc - 0.8)}},
        "background_rejection": [{"signal_efficiency": 0.5, "rejection": estimate(rejection)}],
        "calibration": {"expected_calibration_error": estimate(0.02)},
    }


def regression(seed, error):
    return {
        "model": "cnn",
        "seed": seed,
        "training_data": DATA,
        "objects": {"train": 700, "validation": 100, "test": 200},
        "mean_absolute_error": estimate(error),
        "mean_relative_error": estimate(0.1),
        "relative_error_68": estimate(0.1),
        "bias": estimate(0.0),
        "slope": estimate(0.9),
        "resolution": estimate(0.2),
        "coverage": estimate(0.68),
        "versus": {"mean mass": {"difference": estimate(error - 3.0)}},
    }


@pytest.fixture
def run(tmp_path):
    """Function (contents of metrics files) -> the record of their repeats."""

    def call(*contents):
        paths = [tmp_path / f"{i}.json" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(json.dumps(content))
        record = json.loads(json.dumps(repeats(paths), allow_nan=False))
        assert len(draw(record).axes) == 2
        return record

    return call


def test_mean_and_spread_of_a_classifier(run):
    record = run(classifier(1, 0.81), classifier(2, 0.83), classifier(3, 0.82))
    assert (record["model"], record["seeds"]) == ("resnet", [1, 2, 3])
    auc = record["figures_of_merit"]["auc"]
    assert auc["mean"] == pytest.approx(0.82)
    assert auc["standard_deviation"] == pytest.approx(0.01)
    assert auc["seeds"][1] == {"seed": 2, **estimate(0.83)}
    assert record["figures_of_merit"]["versus reference on shower shapes"]["mean"] == pytest.approx(0.02)


def test_mean_and_spread_of_a_regression(run):
    merits = run(regression(1, 2.0), regression(2, 2.2))["figures_of_merit"]
    assert merits["mean_absolute_error"]["standard_deviation"] == pytest.approx(0.2 / np.sqrt(2))
    assert merits["versus mean mass"]["mean"] == pytest.approx(-0.9)


def test_what_one_seed_does_not_know_has_no_mean(run):
    merits = run(classifier(1, 0.81, rejection=None), classifier(2, 0.83))["figures_of_merit"]
    assert merits["background_rejection_at_0.5"]["mean"] is None
    assert merits["background_rejection_at_0.5"]["standard_deviation"] is None


def test_one_training_has_no_spread(run):
    with pytest.raises(E2EError, match="repeats: 2"):
        run(classifier(1, 0.81))


def test_other_data_is_an_error(run):
    other = classifier(2, 0.83) | {"training_data": DATA | {"sha256": "1" * 64}}
    with pytest.raises(E2EError, match=r"1\.json: of another model or other data"):
        run(classifier(1, 0.81), other)
