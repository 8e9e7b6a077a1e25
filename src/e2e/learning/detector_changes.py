"""What may be different in a detector: dead channels, thresholds, noise, scales, times; done to frames.

Each function takes frames [N, C, H, W] of a task, in the units of its channels with 0 for no hit, and returns
others. Changed are the calorimeters: channels in GeV but that of the tracks, and times. A tower, which is one
value spread over ``cell`` x ``cell`` cells, is changed as a whole, and a crystal that loses its energy loses
its time. A strength is one number, or one for each object [N]. Random numbers are, by default, others for
each object, from torch's global generator: it meets a detector of its own. ``OneDetector`` gives all objects
those of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2e.data.crops import cells
from e2e.geometry import TOWER
from e2e.tasks import TRACK_PT, Task

# Stochastic term [sqrt(GeV)] and constant of an energy's resolution: of a crystal photostatistics (JINST 3
# S08004) and calibration (JINST 2 P04004, arXiv 1306.2016), of a tower those of hadrons (arXiv 1706.04965).
RESOLUTION = {"crystal": (0.021, 0.005), "tower": (1.1, 0.09)}
# Of a crystal's time: ns over the energy in GeV, and ns (arXiv 0911.4044 with 42 MeV of noise, 1306.2016).
TIME_RESOLUTION = (35.1 * 0.042, 0.19)

# Random numbers [N, H, W] of a kind (``torch.rand`` or ``torch.randn``) for frames of a task, the same in all
# cells of a square of so many cells along each side.
Draw = Callable[[Callable[..., Tensor], Tensor, Task, int], Tensor]


def of_each_object(random: Callable[..., Tensor], frames: Tensor, task: Task, cell: int) -> Tensor:
    """Random numbers of a detector for each object.

    Where seeds count squares of ``cell`` x ``cell``, the seed's is one; else they may lie anywhere.
    """
    objects, size = len(frames), frames.shape[2:]
    if cell == 1:
        return random(objects, *size, device=frames.device)
    squares = random(objects, *(side // cell + 2 for side in size), device=frames.device)
    places = []
    for side, seed in zip(size, task.crop.seed, strict=True):
        if task.seed_cell == cell:
            first = torch.full((objects, 1), cell // 2 - seed, device=frames.device) % cell
        else:
            first = torch.randint(cell, (objects, 1), device=frames.device)
        places.append((torch.arange(side, device=frames.device) + first) // cell)
    number = torch.arange(objects, device=frames.device)[:, None, None]
    return squares[number, places[0][:, :, None], places[1][:, None, :]]


@dataclass(frozen=True, eq=False)
class OneDetector:
    """Random numbers of one detector, that of ``seed``, for objects whose seeds lie in these cells [N] of it.

    Objects meet the channels of the detector that their crops show, wherever these lie in the crop.
    """

    seed_row: NDArray[np.floating]
    seed_column: NDArray[np.floating]
    seed: int = 1

    def __call__(self, random: Callable[..., Tensor], frames: Tensor, task: Task, cell: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        whole = random(*(size // cell for size in task.detector), generator=generator)
        rows, columns = (
            torch.from_numpy(each // cell) for each in cells(task, self.seed_row, self.seed_column)
        )
        return whole[rows[:, :, None], columns[:, None, :]].to(frames.device)


def dead_channels(frames: Tensor, task: Task, share: float | Tensor, draw: Draw = of_each_object) -> Tensor:
    """Each crystal, and each tower of the HCAL, is dead with the probability ``share``."""
    alive = {
        cell: draw(torch.rand, frames, task, cell) >= _each(share, frames)
        for cell in set(_calorimeters(task).values())
    }
    return _with_energies(frames, task, lambda energy, cell: energy * alive[cell])


def dead_towers(frames: Tensor, task: Task, share: float | Tensor, draw: Draw = of_each_object) -> Tensor:
    """Each trigger tower of 5 x 5 crystals (JINST 3 S08004) is dead with the probability ``share``.

    With it is what the HCAL has behind it, if it is in the frames.
    """
    alive = draw(torch.rand, frames, task, TOWER) >= _each(share, frames)
    return _with_energies(frames, task, lambda energy, cell: energy * alive)


def threshold(frames: Tensor, task: Task, energy: float | Tensor) -> Tensor:
    """Crystals and towers with less than ``energy`` (GeV) are not read out."""
    least = _each(energy, frames)
    return _with_energies(frames, task, lambda found, cell: found * (found * cell**2 >= least))


def noise(frames: Tensor, task: Task, energy: float | Tensor, draw: Draw = of_each_object) -> Tensor:
    """Gaussian noise of the standard deviation ``energy`` (GeV) is added to each hit.

    What falls below 0 is none any more; channels without a hit, which have been suppressed, stay so.
    """
    width = _each(energy, frames)
    return _with_energies(
        frames,
        task,
        lambda found, cell: (
            (found + width / cell**2 * draw(torch.randn, frames, task, cell)).clamp(min=0.0) * (found != 0)
        ),
    )


def miscalibration(frames: Tensor, task: Task, spread: float | Tensor, draw: Draw = of_each_object) -> Tensor:
    """Each energy is multiplied by a Gaussian number of mean 1 and standard deviation ``spread``."""
    width = _each(spread, frames)
    return _with_energies(
        frames,
        task,
        lambda energy, cell: energy * (1.0 + width * draw(torch.randn, frames, task, cell)).clamp(min=0.0),
    )


def resolution(frames: Tensor, task: Task, times: float | Tensor, draw: Draw = of_each_object) -> Tensor:
    """Energies measured once more, with ``times`` the resolution of their calorimeter.

    See ``RESOLUTION``.
    """
    width = _each(times, frames)

    def again(energy: Tensor, cell: int) -> Tensor:
        stochastic, constant = RESOLUTION["crystal" if cell == 1 else "tower"]
        value = (energy * cell**2).clamp(min=0.0)  # of the whole tower
        spread = width * torch.sqrt(stochastic**2 * value + (constant * value) ** 2) / cell**2
        return (energy + spread * draw(torch.randn, frames, task, cell)).clamp(min=0.0)

    return _with_energies(frames, task, again)


def energy_scale(frames: Tensor, task: Task, scale: float | Tensor) -> Tensor:
    """All energies are multiplied by ``scale``."""
    return _with_energies(frames, task, lambda energy, cell: energy * _each(scale, frames))


def time_offset(frames: Tensor, task: Task, offset: float | Tensor) -> Tensor:
    """All times of hits are later by ``offset`` (ns)."""
    frames = frames.clone()
    for place in _times(task):
        time = frames[:, place]
        frames[:, place] = torch.where(time != 0, time + _each(offset, frames), time)
    return frames


def time_resolution(frames: Tensor, task: Task, times: float | Tensor) -> Tensor:
    """Times of crystals measured once more, with ``times`` the resolution at their energy.

    The channel before one in ns is the energy to it. See ``TIME_RESOLUTION``.
    """
    frames = frames.clone()
    for place in _times(task):
        energy, time = frames[:, place - 1], frames[:, place]
        share, constant = TIME_RESOLUTION
        spread = _each(times, frames) * torch.sqrt((share / energy.clamp(min=1e-3)) ** 2 + constant**2)
        frames[:, place] = torch.where(time != 0, time + spread * torch.randn_like(time), time)
    return frames


def no_time(frames: Tensor, task: Task) -> Tensor:
    """No time is measured."""
    frames = frames.clone()
    frames[:, _times(task)] = 0.0
    return frames


def _calorimeters(task: Task) -> dict[int, int]:
    """Places of the channels of energy, and how many cells of a frame a value has along each side."""
    return {
        place: channel.cell
        for place, channel in enumerate(task.channels)
        if channel.unit == "GeV" and channel != TRACK_PT
    }


def _times(task: Task) -> list[int]:
    return [place for place, channel in enumerate(task.channels) if channel.unit == "ns"]


def _with_energies(frames: Tensor, task: Task, changed: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Frames whose energies [N, H, W] are ``changed``, given them and the cells of a value along a side."""
    frames, before = frames.clone(), frames
    for place, cell in _calorimeters(task).items():
        frames[:, place] = changed(before[:, place], cell)
        if cell == 1:
            lost = (before[:, place] != 0) & (frames[:, place] == 0)
            for time in _times(task):
                frames[:, time].masked_fill_(lost, 0.0)
    return frames


def _each(strength: float | Tensor, frames: Tensor) -> Tensor:
    """A strength as it stands beside energies [N, H, W]."""
    return torch.as_tensor(strength, dtype=frames.dtype, device=frames.device).reshape(-1, 1, 1)
