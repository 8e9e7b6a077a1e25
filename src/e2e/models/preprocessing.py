"""From raw frames in GeV and ns to numbers of order one, as layers that are exported with the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.tasks import Crop, Task

# About the noise of one barrel crystal (40 MeV): below it the scaled energy is linear, above it logarithmic.
ENERGY_SCALE_GEV = 0.04
# Reconstructed times are dominated by noise beyond this (below 1 GeV the resolution is some ns).
TIME_RANGE_NS = 5.0


class CalorimeterFeatures(nn.Module):
    """Energy and time of each crystal -> ``channels`` images of order one, zero where there is no hit.

    Takes frames [N, 2, H, W] (GeV, ns; 0 = no hit) and returns [N, channels, H, W]:

    - the energy on a logarithmic scale, log(1 + E / 40 MeV) / 4: tails and core both matter;
    - the share of the crop's energy that the crystal holds, E / sum(E): linear, for shower moments;
    - the time, clipped at 5 ns, in units of 1 ns;
    - the time weighted by the square root of the energy share: the energetic crystals, whose times are
      precise, on a scale of their own.
    """

    channels = 4

    def forward(self, frames: Tensor) -> Tensor:
        energy = frames[:, 0].clamp(min=0.0)
        share = energy / (energy.sum(dim=(1, 2), keepdim=True) + ENERGY_SCALE_GEV)
        time = frames[:, 1].clamp(-TIME_RANGE_NS, TIME_RANGE_NS) * (energy > 0.0)
        logarithm = torch.log(1.0 + energy / ENERGY_SCALE_GEV) / 4.0
        weight = torch.sqrt(share + 1e-6)  # the offset keeps the gradient finite where there is no hit
        return torch.stack((logarithm, share, time, time * weight), dim=1)


class CentredCrop(nn.Module):
    """Largest window of the crop with the seed exactly at its centre (31 x 31 for a seed at 15 of 32).

    Strided convolutions without padding then keep the seed at the centre of every map, so that the
    two reflections about the seed are symmetries of the lattice.
    """

    def __init__(self, crop: Crop):
        super().__init__()
        rows = min(crop.seed_row, crop.rows - 1 - crop.seed_row)
        columns = min(crop.seed_column, crop.columns - 1 - crop.seed_column)
        self.rows = slice(crop.seed_row - rows, crop.seed_row + rows + 1)
        self.columns = slice(crop.seed_column - columns, crop.seed_column + columns + 1)

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, :, self.rows, self.columns]


def require_energy_and_time(task: Task) -> None:
    """Raise E2EError unless the task's channels are one energy in GeV and one time in ns, in this order."""
    units = tuple(channel.unit for channel in task.channels)
    if units != ("GeV", "ns"):
        raise E2EError(
            f"task {task.name!r} has channels in {', '.join(units)}; this network takes an energy in GeV"
            " and a time in ns"
        )
