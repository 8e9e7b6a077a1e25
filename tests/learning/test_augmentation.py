from dataclasses import replace

import numpy as np
import pytest
import torch

from e2e.config import schema
from e2e.learning import detector_changes
from e2e.learning.augmentation import CHANGES, random_changes, random_reflections, reflect
from e2e.learning.train import train
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


def test_half_of_the_objects_are_changed_each_in_its_own_strength():
    torch.manual_seed(1)
    frames = torch.rand(1000, *TASK.shape) + 0.5
    changed = random_changes(frames, TASK, {"dead_channels": 0.2})
    dead = (changed[:, 0] == 0).flatten(1).float().mean(dim=1)
    same = torch.tensor([torch.equal(one, other) for one, other in zip(changed, frames, strict=True)])
    assert same.float().mean() == pytest.approx(0.5, abs=0.05)
    assert dead[~same].mean() == pytest.approx(0.1, abs=0.01)
    assert dead.max() == pytest.approx(0.2, abs=0.03)
    assert dead[~same].std() == pytest.approx(0.2 / np.sqrt(12), abs=0.01)


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_made_up_to_its_strength_and_none_that_is_not_named(name):
    torch.manual_seed(1)
    frames = 0.5 * torch.rand(400, *TASK.shape)
    assert torch.equal(random_changes(frames, TASK, {}), frames)
    assert torch.equal(random_changes(frames, TASK, dict.fromkeys(CHANGES, 0.0)), frames)
    moved = (random_changes(frames, TASK, {name: 0.1}) - frames)[:, 0].abs()
    most = getattr(detector_changes, name)(frames, TASK, 0.1)[:, 0]
    assert 0 < moved.mean() < (most - frames[:, 0]).abs().mean()


def test_changes_come_from_the_global_generator():
    frames = torch.rand(50, *TASK.shape)
    seen = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        seen.append(random_changes(frames, TASK, {"noise": 0.1, "dead_channels": 0.1}))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_a_configuration_names_them_and_a_training_makes_them(toy, call, tmp_path, monkeypatch):
    """In the training part alone: what is validated is as the detector gave it."""
    assert set(schema()["$defs"]["trainer"]["properties"]["augmentation"]["properties"]) == set(CHANGES)
    seen = []
    monkeypatch.setitem(CHANGES, "noise", lambda frames, task, energy: seen.append(energy) or frames * 0)
    outputs, arguments = call(toy, tmp_path, epochs=1, augmentation={"noise": 0.3})
    info = train(*outputs, **arguments)
    assert sum(len(energies) for energies in seen) == info["training_data"]["objects"] // 16 * 16
    assert torch.cat(seen).max() == pytest.approx(0.3, abs=0.01)
    assert info["trainer"]["augmentation"] == {"noise": 0.3}
