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
    frames = frames.clone()
    for axis, seed, mask in ((2, crop.seed_row, eta), (3, crop.seed_column, phi)):
        reach = min(seed, frames.shape[axis] - 1 - seed)  # cells that have a partner on the other side
        chosen = frames[mask]
        mirrored = torch.zeros_like(chosen)
        pairs = (axis, seed - reach, 2 * reach + 1)
        mirrored.narrow(*pairs).copy_(chosen.narrow(*pairs).flip(axis))
        frames[mask] = mirrored
    return frames


def random_reflections(frames: Tensor, crop: Crop) -> Tensor:
    """Each of the two reflections with probability 1/2 for each object, from torch's global generator."""
    eta, phi = torch.rand(2, len(frames), device=frames.device) < 0.5
    return reflect(frames, crop, eta, phi)
