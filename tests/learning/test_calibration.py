"""Working points of a classifier, found on its validation part."""

import numpy as np

from e2e.learning.calibration import EFFICIENCIES, working_points


def test_working_points_have_their_efficiencies():
    random = np.random.default_rng(1)
    target = (np.arange(20_000) % 3 == 0).astype(np.float32)
    logit = (random.normal(0, 2, 20_000) + 1.5 * target).astype(np.float32)
    weight = random.uniform(0.1, 3, 20_000).astype(np.float32)
    points = working_points(logit, target, weight)
    assert [point["efficiency"] for point in points] == list(EFFICIENCIES) == [0.8, 0.9, 0.95]
    score = 1 / (1 + np.exp(-logit.astype(float)))
    for point in points:
        for name, own in (("efficiency", target == 1), ("background_efficiency", target == 0)):
            passing = weight[own][score[own] >= point["score"]].sum() / weight[own].sum()
            np.testing.assert_allclose(passing, point[name], atol=5e-4)
    cuts = [point["score"] for point in points]
    assert cuts == sorted(cuts, reverse=True)


def test_what_passes_reaches_the_efficiency_where_scores_are_few():
    """Of equal scores all pass, or none: at least the efficiency does."""
    logit = np.repeat(np.float32([0, 1, 2, 3]), 5)
    target = np.tile(np.float32([1, 1, 1, 1, 0]), 4)
    for point in working_points(logit, target, np.ones(20, np.float32)):
        score = 1 / (1 + np.exp(-logit[target == 1].astype(float)))
        assert np.mean(score >= point["score"]) >= point["efficiency"]
