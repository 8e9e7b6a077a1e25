"""Training images that nature could have made as well, or a detector a little worse; by their physics."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from e2e.learning.detector_changes import dead_channels, noise, threshold
from e2e.tasks import TRACK_D0, TRACK_DZ, Task

# What a reflection turns around beside the places of the hits.
ODD = {"eta": TRACK_DZ, "phi": TRACK_D0}

# Changes of the detector, in the order in which a signal meets them, by the name of their strength.
CHANGES = {"noise": noise, "threshold": threshold, "dead_channels": dead_channels}
CHANGED = 0.5  # of the objects; the others stay as the detector gave them, and a network good at these


def random_changes(frames: Tensor, task: Task, strengths: Mapping[str, float]) -> Tensor:
    """Frames [N, C, H, W] as detectors would give them that are each a little worse in its own way.

    ``strengths`` are the largest ones of ``CHANGES`` (GeV, GeV, a share); each of the objects that are
    ``CHANGED`` at random draws its own between 0 and these. From torch's global generator.
    """
    changed = torch.rand(len(frames), device=frames.device) < CHANGED
    for name, change in CHANGES.items():
        if largest := strengths.get(name, 0.0):
            strength = largest * torch.rand(len(frames), device=frames.device)
            frames = torch.where(changed[:, None, None, None], change(frames, task, strength), frames)
    return frames


def reflect(frames: Tensor, task: Task, eta: Tensor, phi: Tensor) -> Tensor:
    """Frames [N, C, H, W] reflected about the seed cell where the masks ``eta``, ``phi`` [N] say so.

    - eta: the detector and the beams look the same from either end, z -> -z, so rows may be reversed;
      a longitudinal impact parameter changes its sign;
    - phi: the opposite charge bends to the other side, phi -> -phi, so columns may be reversed; a
      transverse impact parameter changes its sign.

    Each is a symmetry at the scale of towers, and nearly one at that of crystals: these lean
    (``simulation.shower.cell``), and only both together, a rotation by 180 degrees about an axis across the
    beams, bring them onto each other.
    That the azimuth of an object does not matter needs no images: a crop has its seed in the middle.
    The seed stays in its cell; cells that would come from outside the crop are empty.
    """
    frames = frames.clone()
    crop = task.crop
    for name, axis, seed, mask in (("eta", 2, crop.seed_row, eta), ("phi", 3, crop.seed_column, phi)):
        reach = min(seed, frames.shape[axis] - 1 - seed)  # cells that have a partner on the other side
        chosen = frames[mask]
        mirrored = torch.zeros_like(chosen)
        pairs = (axis, seed - reach, 2 * reach + 1)
        mirrored.narrow(*pairs).copy_(chosen.narrow(*pairs).flip(axis))
        if ODD[name] in task.channels:
            mirrored[:, task.channels.index(ODD[name])] *= -1
        frames[mask] = mirrored
    return frames


def random_reflections(frames: Tensor, task: Task) -> Tensor:
    """Each of the two reflections with probability 1/2 for each object, from torch's global generator.

    Around a crystal neither is a symmetry, and the lean of the crystals is hidden by them. They are made all
    the same: without them a network learns its objects by heart (docs/training.md has the numbers).
    """
    eta, phi = torch.rand(2, len(frames), device=frames.device) < 0.5
    return reflect(frames, task, eta, phi)


def likely_reflections(frames: Tensor, task: Task) -> Tensor:
    """Those of ``reflect`` that keep the lean of the crystals, where single crystals are looked at.

    There both reflections come together, or none; where seeds count towers, each of them comes by itself.
    """
    eta, phi = torch.rand(2, len(frames), device=frames.device) < 0.5
    return reflect(frames, task, eta, eta if task.seed_cell == 1 else phi)


def partnered(frames: Tensor, task: Task) -> Tensor:
    """Frames without the rows and columns that a reflection cannot fill, which would tell a reflected one."""
    kept = torch.zeros_like(frames[:1, :1])
    places = []
    for cells, seed in zip(frames.shape[2:], task.crop.seed, strict=True):
        reach = min(seed, cells - 1 - seed)
        places.append(slice(seed - reach, seed + reach + 1))
    kept[:, :, *places] = 1.0
    return frames * kept


def shifts(frames: Tensor, task: Task, share: float) -> Tensor:
    """A ``share`` of the objects moves by a cell of its seed, up or down and left or right.

    The seed is the largest deposit of a crystal or a tower, and by fluctuations its neighbour may be. What
    would come from outside the crop is empty.
    """
    device, cell = frames.device, task.seed_cell
    moved = torch.rand(len(frames), device=device) < share
    steps = cell * torch.randint(-1, 2, (2, len(frames)), device=device) * moved
    number = torch.arange(len(frames), device=device)[:, None, None]
    places, inside = [], []
    for step, cells in zip(steps, frames.shape[2:], strict=True):
        place = torch.arange(cells, device=device) - step[:, None]
        places.append(place.clamp(0, cells - 1))
        inside.append((place >= 0) & (place < cells))
    found = frames.movedim(1, 3)[number, places[0][:, :, None], places[1][:, None, :]].movedim(3, 1)
    return found * (inside[0][:, None, :, None] & inside[1][:, None, None, :])


def window(frames: Tensor, task: Task, smallest: float, largest: float) -> Tensor:
    """What lies around the seed, in a square of its own for each object; cells outside are empty.

    Its side is a share of the crop's, between ``smallest`` and ``largest``. It is nested in the crop, and the
    seed stays where it is: a crop elsewhere would hold another object, or a part without an axis.
    """
    device = frames.device
    rows, columns = (
        (torch.arange(cells, device=device) - seed).abs()
        for cells, seed in zip(frames.shape[2:], task.crop.seed, strict=True)
    )
    share = smallest + (largest - smallest) * torch.rand(len(frames), 1, 1, device=device)
    reach = share * min(frames.shape[2:]) / 2
    return frames * (torch.maximum(rows[:, None], columns) <= reach).unsqueeze(1)
