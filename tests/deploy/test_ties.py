"""What is a near-tie, and how many there may be."""

import numpy as np
import pytest
import torch
from torch import nn

from e2e.deploy.network import Deployed
from e2e.deploy.ties import allowed, near_ties
from e2e.tasks.electron_photon import TASK


class Larger(nn.Module):
    """Logit 1 where one crystal has more energy than another, else 0."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return (frames[:, 0, 0, 0] > frames[:, 0, 0, 1]).float()


def ties(apart: float, **differences: float) -> bool:
    """Whether an object is a near-tie whose two energies differ by the part ``apart`` of themselves."""
    frames = np.zeros((1, *TASK.shape), np.float32)
    frames[:, 0, 0, :2] = 50.0, 50.0 * (1 + apart)
    seen = {"score": 0.0, "logit": 0.0} | differences
    network = Deployed(Larger(), TASK).eval()
    return bool(near_ties(network, frames, {name: np.array([value]) for name, value in seen.items()})[0])


@pytest.mark.parametrize(("apart", "tie"), [(0.0, True), (3e-7, True), (1e-5, False), (1e-4, False)])
def test_energies_are_as_good_as_equal_up_to_their_last_digits(apart, tie):
    """Changes a hundred times larger would excuse objects whose neighbours are told apart with ease."""
    assert ties(apart, logit=1.0) == tie


@pytest.mark.parametrize(("difference", "tie"), [(1.0, True), (1.9, True), (2.1, False), (20.0, False)])
def test_a_jump_explains_what_is_at_most_twice_as_large(difference, tie):
    """Else any jump would excuse any error."""
    assert ties(0.0, logit=difference) == tie


def test_every_output_has_to_be_explained():
    """The jump of the score is sigmoid(1) - 1/2: it excuses no score that differs by more than twice this."""
    assert ties(0.0, score=0.4, logit=1.0)
    assert not ties(0.0, score=0.5, logit=1.0)
    assert not ties(0.0, score=0.2, logit=3.0)


def test_near_ties_are_rare():
    """Many of them are another thing: a graph that computes something else."""
    assert [allowed(objects) for objects in (0, 1, 500, 501, 10_000)] == [0, 1, 1, 2, 20]
