from dataclasses import replace

import numpy as np
import pytest
import torch

from e2e.learning.augmentation import random_reflections, reflect
from e2e.tasks import TRACK_D0, TRACK_DZ, Crop
from e2e.tasks.electron_photon import TASK
from e2e.tasks.tau import TASK as TAU

YES, NO = torch.tensor([True]), torch.tensor([False])


@pytest.mark.parametrize(
    ("eta", "phi", "row", "column"), [(YES, NO, 20, 18), (NO, YES, 10, 12), (YES, YES, 20, 12)]
)
def test_cells_move_about_the_seed(eta, phi, row, column):
    frames = torch.zeros(1, 2, 32, 32)
    frames[0, :, 15, 15] = torch.tensor([40.0, 0.1])
    frames[0, :, 10, 18] = torch.tensor([3.0, -0.4])
    expected = torch.zeros_like(frames)
    expected[0, :, 15, 15] = frames[0, :, 15, 15]
    expected[0, :, row, column] = frames[0, :, 10, 18]
    assert torch.equal(reflect(frames, TASK, eta, phi), expected)


def test_cells_from_outside_are_empty():
    """Row and column 31 have no partner in the crop: they leave it, and nothing takes their place."""
    frames = torch.rand(1, 2, 32, 32) + 1
    mirrored = reflect(frames, TASK, YES, YES)
    assert torch.equal(mirrored[:, :, :31, :31], frames[:, :, :31, :31].flip(2, 3))
    assert not mirrored[:, :, 31].any()
    assert not mirrored[:, :, :, 31].any()


def test_any_seed_position():
    frames = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    mirrored = reflect(frames, replace(TASK, crop=Crop(3, 4, seed_row=0, seed_column=2)), YES, YES)
    assert mirrored[0, 0].tolist() == [[0, 4, 3, 2], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_all_four_images_of_an_object_occur_and_each_object_chooses_for_itself():
    torch.manual_seed(1)
    frames = torch.zeros(400, 1, 32, 32)
    frames[:, 0, 14, 13] = 1.0
    result = random_reflections(frames, TASK)
    where, counts = np.unique(result.flatten(1).argmax(dim=1).numpy(), return_counts=True)
    assert where.tolist() == [14 * 32 + 13, 14 * 32 + 17, 16 * 32 + 13, 16 * 32 + 17]
    assert counts.min() > 70


@pytest.mark.parametrize(("eta", "phi", "odd"), [(YES, NO, TRACK_DZ), (NO, YES, TRACK_D0)])
def test_impact_parameters_turn_around_with_their_axis(eta, phi, odd):
    frames = torch.zeros(1, *TAU.shape)
    frames[0, :, 62, 62] = 1.0
    mirrored = reflect(frames, TAU, eta, phi)
    signs = mirrored[0, :, 62, 62].tolist()
    assert signs == [-1.0 if channel == odd else 1.0 for channel in TAU.channels]
