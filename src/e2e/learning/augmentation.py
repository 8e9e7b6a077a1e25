"""Training images that nature could have made as well, named by the symmetry behind them."""

from __future__ import annotations

import torch
from torch import Tensor

from e2e.tasks import Crop


def reflect(frames: Tensor, crop: Crop, eta: Tensor, phi: Tensor) -> Tensor:
    """Frames [N, C, H, W] reflected about the seed cell where the masks ``eta``, ``phi`` [N] say so.

    - eta: the barrel and the beams look the same from either end, z -> -z, so rows may be reversed;
    - phi: the opposite charge bends to the other side, phi -> -phi, so columns may be reversed.

    The seed stays in its cell; cells that would come from outside the crop are empty.
    """
    for axis, seed, mask in ((2, crop.seed_row, eta), (3, crop.seed_column, phi)):
        source = 2 * seed - torch.arange(frames.shape[axis], device=frames.device)
        inside = (source >= 0) & (source < frames.shape[axis])
        mirrored = frames.index_select(axis, source.clamp(0, frames.shape[axis] - 1))
        mirrored = mirrored * inside.reshape([-1 if i == axis else 1 for i in range(4)])
        frames = torch.where(mask.reshape(-1, 1, 1, 1), mirrored, frames)
    return frames


def random_reflections(frames: Tensor, crop: Crop) -> Tensor:
    """Each of the two reflections with probability 1/2 for each object, from torch's global generator."""
    eta, phi = torch.rand(2, len(frames), device=frames.device) < 0.5
    return reflect(frames, crop, eta, phi)
