"""What a training minimises, against the formulas."""

import numpy as np
import pytest
import torch

from e2e.errors import E2EError
from e2e.learning.objectives import CrossEntropy, Likelihood, objective
from e2e.models.network import Mass
from e2e.tasks import task
from e2e.tasks.electron_photon import TASK as ELECTRON_PHOTON


def normal(mean: float, width: float) -> torch.Tensor:
    """Logits [1, bins] of a normal distribution of standardised logarithms."""
    middles = (torch.arange(Mass.BINS) + 0.5 - Mass.BINS / 2) * Mass.WIDTH
    return (-0.5 * ((middles - mean) / width) ** 2)[None]


def test_errors_of_equal_share_of_the_mass_count_equally():
    """The loss is of logarithms: of masses themselves, heavy objects alone would be learned."""
    target = torch.tensor([5.0, 20.0, 80.0])
    loss = Likelihood(mean=3.0, spread=0.5).loss
    width = 0.6
    at = [
        loss(normal((mass.log().item() - 3.0) / 0.5, width), mass[None], torch.ones(1)).item()
        for mass in target
    ]
    for share in (1.5, 1 / 1.5):
        away = [
            loss(normal(((share * mass).log().item() - 3.0) / 0.5, width), mass[None], torch.ones(1)).item()
            for mass in target
        ]
        # Minus the logarithm of a Gaussian, of the distance in its widths.
        expected = 0.5 * (np.log(1.5) / 0.5 / width) ** 2
        assert np.subtract(away, at) == pytest.approx([expected] * 3, rel=0.02)


def test_the_loss_is_least_where_the_distribution_is_that_of_the_targets():
    generator = torch.Generator().manual_seed(1)
    target = torch.exp(3.0 + 0.5 * (0.4 + 0.7 * torch.randn(20_000, generator=generator)))
    goal, weight = Likelihood(mean=3.0, spread=0.5), torch.ones(len(target))

    def loss(mean, width):
        return goal.loss(normal(mean, width).expand(len(target), -1), target, weight).item()

    assert loss(0.4, 0.72) < min(loss(0.3, 0.72), loss(0.5, 0.72), loss(0.4, 0.62), loss(0.4, 0.82))


def test_targets_beyond_all_bins_have_a_loss_and_a_gradient():
    logits = torch.zeros(3, Mass.BINS, requires_grad=True)
    losses = Mass().losses(logits, torch.tensor([1e-6, 31.0, 1e9]))
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([np.log(Mass.BINS)] * 3, rel=1e-4)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.argmin(dim=1).tolist() == [0, Mass.BINS // 2, Mass.BINS - 1]


def test_a_network_that_tells_no_distribution_is_refused():
    with pytest.raises(
        E2EError, match="must tell how its mass is distributed: let its `build` return a Network"
    ):
        Likelihood(mean=3.0, spread=0.5).prepare(torch.nn.Linear(1, 1))


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
    mass = Likelihood(mean=3.0, spread=0.5)
    logits, masses = torch.cat((normal(0.0, 0.5), normal(1.0, 0.5))), torch.tensor([20.0, 25.0])
    first, second = mass.answer.losses(logits, masses).tolist()
    both = mass.loss(logits, masses, torch.tensor([1.0, 3.0])).item()
    assert both == pytest.approx((first + 3 * second) / 2, rel=1e-5)
