"""What a training minimises, against the formulas."""

import numpy as np
import pytest
import torch

from e2e.learning.objectives import CrossEntropy, Huber, objective
from e2e.tasks import task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON


def test_errors_of_equal_share_of_the_mass_count_equally():
    """The loss is of logarithms: of masses themselves, heavy objects alone would be learned."""
    target = torch.tensor([5.0, 50.0, 500.0])
    loss = Huber(mean=3.0, spread=0.5).loss
    for share in (1.1, 0.9):
        losses = [loss(share * mass[None], mass[None], torch.ones(1)).item() for mass in target]
        assert losses == pytest.approx([0.5 * (np.log(share) / 0.5) ** 2] * 3, rel=1e-4)
    # Huber: linear beyond one spread.
    far = loss(target * np.exp(2.0), target, torch.ones(3)).item()
    assert far == pytest.approx(np.log(np.exp(2.0)) / 0.5 - 0.5, rel=1e-4)


def test_the_range_of_a_regression_is_that_of_the_logarithms():
    """Taken from the masses themselves, the first answers would be exponentials of tens of GeV."""
    masses = np.float32([4.0, 8.0, 16.0])
    goal = objective(task("mass_regression", 4), masses)
    assert goal.mean == pytest.approx(np.log(8.0), rel=1e-6)
    assert goal.spread == pytest.approx(np.log(2.0) * np.sqrt(2 / 3), rel=1e-6)


def test_losses_are_weighted():
    """Without the weights a network wins by the kinematics of its classes."""
    logit, target = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 1.0])
    goal = objective(ELECTRON_PHOTON, target.numpy())
    assert isinstance(goal, CrossEntropy)
    losses = np.logaddexp(0, -logit.numpy())
    found = goal.loss(logit, target, torch.tensor([0.5, 2.0])).item()
    assert found == pytest.approx((0.5 * losses[0] + 2.0 * losses[1]) / 2, rel=1e-5)
    mass = Huber(mean=3.0, spread=0.5)
    both = mass.loss(torch.tensor([5.5, 8.0]), torch.tensor([5.0, 5.0]), torch.tensor([1.0, 0.0])).item()
    assert both == pytest.approx(0.25 * (np.log(1.1) / 0.5) ** 2, rel=1e-4)
