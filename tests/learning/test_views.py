"""What methods without labels see of an object twice."""

import pytest
import torch

from e2e.learning.augmentation import likely_reflections, partnered, shifts, window
from e2e.learning.views import CHANGES, Views
from e2e.tasks.electron_photon import TASK as CRYSTALS
from e2e.tasks.tau import TASK as TOWERS


def spot(task, objects: int, row: int, column: int) -> torch.Tensor:
    """Frames with one hit, so far from the seed."""
    frames = torch.zeros(objects, *task.shape)
    frames[:, :, task.crop.seed_row + row, task.crop.seed_column + column] = 1.0
    return frames


def places(frames: torch.Tensor, task) -> set[tuple[int, int]]:
    """Where the hits of all frames are, relative to the seed."""
    _, _, rows, columns = frames.nonzero(as_tuple=True)
    pairs = torch.stack((rows - task.crop.seed_row, columns - task.crop.seed_column), dim=1)
    return {tuple(pair) for pair in pairs.unique(dim=0).tolist()}


def test_crystals_are_reflected_along_both_axes_or_neither_and_towers_along_each():
    torch.manual_seed(1)
    assert places(likely_reflections(spot(CRYSTALS, 100, 3, 5), CRYSTALS), CRYSTALS) == {(3, 5), (-3, -5)}
    towers = places(likely_reflections(spot(TOWERS, 100, 3, 5), TOWERS), TOWERS)
    assert towers == {(3, 5), (-3, -5), (-3, 5), (3, -5)}


@pytest.mark.parametrize(("task", "cell"), [(CRYSTALS, 1), (TOWERS, 5)])
def test_objects_move_by_a_cell_of_their_seed(task, cell):
    torch.manual_seed(1)
    steps = (-cell, 0, cell)
    assert places(shifts(spot(task, 400, 0, 0), task, 1.0), task) == {(a, b) for a in steps for b in steps}
    still = spot(task, 400, 2, 2)
    assert torch.equal(shifts(still, task, 0.0), still)
    moved = (shifts(still, task, 0.5) != still).flatten(1).any(dim=1).float().mean()
    assert moved.item() == pytest.approx(0.5 * 8 / 9, abs=0.1)  # of nine steps one leads nowhere


def test_what_comes_from_outside_the_crop_is_empty():
    torch.manual_seed(1)
    moved = shifts(torch.ones(50, *CRYSTALS.shape), CRYSTALS, 1.0)
    assert set(moved.sum(dim=(2, 3)).flatten().tolist()) == {32.0 * 32, 31.0 * 32, 31.0 * 31}


def test_windows_are_nested_about_the_seed():
    torch.manual_seed(1)
    seen = window(torch.ones(200, *CRYSTALS.shape), CRYSTALS, 0.1, 0.4)[:, 0]
    cells = seen.sum(dim=(1, 2))
    sides = {round(cells_**0.5) for cells_ in cells.tolist()}
    assert sides == {3, 5, 7, 9, 11, 13}
    assert torch.equal(seen, seen.flip(1, 2).roll((-1, -1), (1, 2)))  # about cell 15 of 32


def test_no_view_tells_whether_it_was_reflected():
    """The last row and column have no partner: they are empty in every view."""
    views = Views(CRYSTALS)(torch.rand(50, *CRYSTALS.shape) + 1)
    assert not views[:, :, 31].any()
    assert not views[:, :, :, 31].any()
    assert views[:, 0, :31, :31].count_nonzero() > 0.8 * views[:, 0, :31, :31].numel()


def test_strengths_of_nothing_change_nothing():
    frames = torch.rand(4, *CRYSTALS.shape)
    nothing = Views(CRYSTALS, dict.fromkeys(CHANGES, 0.0))
    assert torch.equal(nothing(frames), partnered(frames, CRYSTALS))
    one = Views(CRYSTALS, dict.fromkeys(CHANGES, 0.0) | {"dead_channels": 1.0})
    assert not one(frames).any()
