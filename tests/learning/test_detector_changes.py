"""Changes of a detector, on frames of crystals with times and on jets with towers."""

from dataclasses import replace

import pytest
import torch

from e2e.learning import detector_changes as changes
from e2e.tasks import TRACK_PT, Crop
from e2e.tasks.electron_photon import TASK as CRYSTALS
from e2e.tasks.mass_regression import TASK as JETS

ENERGY, TIME = range(2)
ECAL, HCAL = (
    next(i for i, c in enumerate(JETS.channels) if c.name == f"{name}_energy") for name in ("ECAL", "HCAL")
)
CALORIMETERS = {"crystals": (CRYSTALS, [ENERGY, TIME]), "jets": (JETS, [ECAL, HCAL])}


def crystals(objects: int = 200) -> torch.Tensor:
    """Frames with a hit in about half of the crystals, of 0.1 to 1.1 GeV, and its time."""
    torch.manual_seed(1)
    hit = torch.rand(objects, 32, 32) < 0.5
    return torch.stack((hit * (0.1 + torch.rand(hit.shape)), hit * torch.randn(hit.shape)), dim=1)


def jets(objects: int = 6) -> torch.Tensor:
    """Frames with a value in every cell: a tower's energy of 0.5 to 1.5 GeV is spread over its cells."""
    torch.manual_seed(1)
    frames = torch.rand(objects, *JETS.shape) + 0.1
    towers = torch.rand(objects, 25, 25) + 0.5
    frames[:, HCAL] = towers.repeat_interleave(5, dim=1).repeat_interleave(5, dim=2) / 25
    return frames


FRAMES = {"crystals": crystals, "jets": jets}
STRENGTHS = {
    changes.dead_channels: 0.1,
    changes.dead_towers: 0.3,
    changes.threshold: 0.7,
    changes.noise: 0.2,
    changes.miscalibration: 0.1,
    changes.resolution: 1.0,
    changes.energy_scale: 1.1,
    changes.time_resolution: 1.0,
    changes.time_offset: 0.5,
}
NOTHING = {changes.energy_scale: 1.0}


@pytest.fixture(params=FRAMES)
def case(request):
    task, calorimeters = CALORIMETERS[request.param]
    return task, FRAMES[request.param](), calorimeters


@pytest.mark.parametrize("change", STRENGTHS)
def test_no_strength_changes_nothing_and_one_for_each_object_is_its_own(change, case):
    task, frames, _ = case
    before = frames.clone()
    none = NOTHING.get(change, 0.0)
    assert torch.equal(change(frames, task, none), frames)
    each = torch.full((len(frames),), none)
    each[1::2] = STRENGTHS[change]
    changed = change(frames, task, each)
    assert torch.equal(frames, before)
    assert torch.equal(changed[::2], frames[::2])
    if change not in (changes.time_offset, changes.time_resolution) or task == CRYSTALS:
        assert not any(
            torch.equal(one, other) for one, other in zip(changed[1::2], frames[1::2], strict=True)
        )


@pytest.mark.parametrize("change", STRENGTHS)
def test_calorimeters_alone_are_changed(change, case):
    task, frames, calorimeters = case
    changed = change(frames, task, STRENGTHS[change])
    others = [i for i in range(len(task.channels)) if i not in calorimeters]
    assert torch.equal(changed[:, others], frames[:, others])
    assert TRACK_PT not in task.channels or task.channels.index(TRACK_PT) in others


@pytest.mark.parametrize(
    "change", [changes.dead_channels, changes.dead_towers, changes.threshold, changes.noise]
)
def test_a_lost_crystal_has_lost_its_time(change):
    frames = crystals()
    changed = change(frames, CRYSTALS, STRENGTHS[change])
    lost = (frames[:, ENERGY] != 0) & (changed[:, ENERGY] == 0)
    assert lost.any()
    assert not changed[:, TIME][lost].any()
    assert torch.equal(changed[:, TIME][~lost], frames[:, TIME][~lost])


def test_the_share_of_dead_channels_is_that_asked_for(case):
    task, frames, calorimeters = case
    changed = changes.dead_channels(frames, task, 0.1)
    for place in calorimeters:
        found = (changed[:, place] == 0)[frames[:, place] != 0].float().mean()
        assert found == pytest.approx(0.1, abs=0.025)


def test_towers_are_whole():
    frames = jets()
    for change in (changes.dead_channels, changes.dead_towers, changes.miscalibration):
        ratio = changes_of(frames, change)[:, HCAL] / frames[:, HCAL]
        towers = ratio.unfold(1, 5, 5).unfold(2, 5, 5).flatten(3)
        assert torch.allclose(towers, towers[..., :1], atol=1e-5)
        assert towers[..., 0].std() > 0.05
    dead = changes_of(frames, changes.dead_towers) == 0
    assert torch.equal(dead[:, ECAL], dead[:, HCAL])


def changes_of(frames, change):
    return change(frames, JETS, STRENGTHS[change])


def test_trigger_towers_around_a_crystal_may_lie_anywhere():
    """Its seed counts crystals: of 5 x 5, it is as often in the first row of a tower as in the last."""
    task = replace(CRYSTALS, crop=Crop(32, 32, 15, 15))
    torch.manual_seed(1)
    dead = changes.dead_towers(torch.ones(4000, 2, 32, 32), task, 0.2)[:, ENERGY] == 0
    assert dead.float().mean() == pytest.approx(0.2, abs=0.01)
    edges = (dead[:, 1:] != dead[:, :-1]).float().mean(dim=(0, 2))
    assert edges.std() < 0.1 * edges.mean()  # 0.8 times the mean, were they always at the same rows


def test_a_threshold_is_one_of_crystals_and_of_whole_towers(case):
    task, frames, _ = case
    changed = changes.threshold(frames, task, 0.7)
    cells = {ENERGY: 1} if task == CRYSTALS else {ECAL: 1, HCAL: 25}
    for place, number in cells.items():
        below = frames[:, place] * number < 0.7
        assert torch.equal(changed[:, place] == 0, below)
        assert torch.equal(changed[:, place][~below], frames[:, place][~below])


def test_noise_and_calibration_have_the_width_asked_for():
    torch.manual_seed(1)
    frames = torch.full((40, *CRYSTALS.shape), 50.0)
    noisy = changes.noise(frames, CRYSTALS, 0.2)[:, ENERGY] - 50
    assert noisy.std() == pytest.approx(0.2, rel=0.02)
    assert noisy.mean() == pytest.approx(0.0, abs=0.005)
    ratio = changes.miscalibration(frames, CRYSTALS, 0.02)[:, ENERGY] / 50
    assert ratio.std() == pytest.approx(0.02, rel=0.02)
    assert ratio.mean() == pytest.approx(1.0, abs=0.001)
    towers = torch.full((20, *JETS.shape), 50.0 / 25)
    assert (25 * changes.noise(towers, JETS, 0.2)[:, HCAL]).std() == pytest.approx(0.2, rel=0.05)


def test_suppressed_channels_stay_so_and_no_energy_is_negative():
    frames = crystals()
    changed = changes.noise(frames, CRYSTALS, 1.0)
    assert not changed[:, ENERGY][frames[:, ENERGY] == 0].any()
    assert (changed[:, ENERGY] >= 0).all()


def test_scales_and_times():
    frames = crystals()
    assert torch.equal(changes.energy_scale(frames, CRYSTALS, 1.1)[:, ENERGY], frames[:, ENERGY] * 1.1)
    later = changes.time_offset(frames, CRYSTALS, 0.5)[:, TIME]
    assert torch.equal(later, torch.where(frames[:, TIME] != 0, frames[:, TIME] + 0.5, 0.0))
    timeless = changes.no_time(frames, CRYSTALS)
    assert not timeless[:, TIME].any()
    assert torch.equal(timeless[:, ENERGY], frames[:, ENERGY])


def test_energies_and_times_are_measured_again_as_well_as_the_calorimeter_does():
    frames = torch.zeros(20_000, *CRYSTALS.shape)[:, :, :1, :2]
    frames[:, ENERGY] = torch.tensor([4.0, 0.0])
    frames[:, TIME] = torch.tensor([1.0, 0.0])
    crystal = changes.resolution(frames, CRYSTALS, 2.0)[:, ENERGY, 0]
    assert crystal[:, 0].std().item() == pytest.approx(2 * (0.021**2 * 4 + (0.005 * 4) ** 2) ** 0.5, rel=0.03)
    time = changes.time_resolution(frames, CRYSTALS, 1.0)[:, TIME, 0]
    assert time[:, 0].std().item() == pytest.approx(((35.1 * 0.042 / 4) ** 2 + 0.19**2) ** 0.5, rel=0.03)
    assert not crystal[:, 1].any()
    assert not time[:, 1].any()


def test_a_tower_is_measured_again_as_a_whole():
    frames = jets(40)
    after = changes.resolution(frames, JETS, 0.1)
    towers = after[:, HCAL].unflatten(2, (25, 5)).unflatten(1, (25, 5))
    assert torch.equal(towers, towers[:, :, :1, :, :1].expand_as(towers))
    energy = frames[:, HCAL, ::5, ::5] * 25
    pulls = (after[:, HCAL, ::5, ::5] * 25 - energy) / (1.1**2 * energy + (0.09 * energy) ** 2).sqrt()
    assert pulls.std().item() == pytest.approx(0.1, rel=0.03)
    assert torch.equal(after[:, JETS.channels.index(TRACK_PT)], frames[:, JETS.channels.index(TRACK_PT)])
