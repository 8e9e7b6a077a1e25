"""From raw frames in GeV and ns to numbers of order one, as layers that are exported with the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.tasks import Crop, Task

# About the noise of one barrel crystal (40 MeV): below it the scaled energy is linear, above it logarithmic.
ENERGY_SCALE_GEV = 0.04
# The same for the share of the crop's energy: 50 MeV of 50 GeV.
SHARE_SCALE = 1e-3
# Reconstructed times are dominated by noise beyond this (below 1 GeV the resolution is some ns).
TIME_RANGE_NS = 5.0


class CalorimeterFeatures(nn.Module):
    """Energy and time of each crystal -> ``channels`` images of order one, zero where there is no hit.

    Takes frames [N, 2, H, W] (GeV, ns; 0 = no hit) and returns [N, channels, H, W]:

    - the energy on a logarithmic scale, log(1 + E / 40 MeV) / 4: tails and core both matter;
    - the share s = E / sum(E) of the crop's energy on a logarithmic scale, log(1 + s / 0.001) / 3: ratios of
      energies, the stuff of shower shapes, become differences;
    - the share itself, for moments and sums;
    - the time, clipped at 5 ns, times sqrt(s): precise times, which are those of energetic crystals, count.
    """

    channels = 4

    def forward(self, frames: Tensor) -> Tensor:
        energy = frames[:, 0].clamp(min=0.0)
        share = energy / (energy.sum(dim=(1, 2), keepdim=True) + ENERGY_SCALE_GEV)
        time = frames[:, 1].clamp(-TIME_RANGE_NS, TIME_RANGE_NS) * (energy > 0.0)
        return torch.stack(
            (
                torch.log(1.0 + energy / ENERGY_SCALE_GEV) / 4.0,
                torch.log(1.0 + share / SHARE_SCALE) / 3.0,
                share,
                time * torch.sqrt(share + 1e-6),  # the offset keeps the gradient finite where there is no hit
            ),
            dim=1,
        )


class Road(nn.Module):
    """The window of ``rows`` rows on either side of the seed, and all columns, with the seed at its centre.

    Strided convolutions without padding then keep the seed at the centre of every map, so that the two
    reflections about the seed are symmetries of the lattice. The window is as wide as it can be: 31
    columns for a seed at column 15 of 32. Its size is (``height``, ``width``). Raises E2EError for
    rows beyond the crop.
    """

    def __init__(self, crop: Crop, rows: int):
        super().__init__()
        largest = min(crop.seed_row, crop.rows - 1 - crop.seed_row)
        if not 0 <= rows <= largest:
            raise E2EError(
                f"{rows} rows on either side of the seed do not fit the crop; choose 0 to {largest}"
            )
        columns = min(crop.seed_column, crop.columns - 1 - crop.seed_column)
        self.height, self.width = 2 * rows + 1, 2 * columns + 1
        self.rows = slice(crop.seed_row - rows, crop.seed_row + rows + 1)
        self.columns = slice(crop.seed_column - columns, crop.seed_column + columns + 1)

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, :, self.rows, self.columns]


class CellNormalisation(nn.Module):
    """Each cell of maps [N, C, H, W] on the scale of its own mean and spread over the training objects.

    A crop is centred on its seed, so a cell has a meaning: beside the seed a share of 10 % is usual, ten
    columns away it is a bremsstrahlung photon. A normalisation by channel, as convolutions have it,
    would be ruled by the empty cells. ``smallest`` is the least spread that is resolved.
    """

    def __init__(self, channels: int, height: int, width: int, smallest: float = 0.003):
        super().__init__()
        self.normalise = nn.BatchNorm1d(channels * height * width, eps=smallest**2)

    def forward(self, maps: Tensor) -> Tensor:
        return self.normalise(maps.flatten(1)).reshape(maps.shape)


def require_energy_and_time(task: Task) -> None:
    """Raise E2EError unless the task's channels are one energy in GeV and one time in ns, in this order."""
    units = tuple(channel.unit for channel in task.channels)
    if units != ("GeV", "ns"):
        raise E2EError(
            f"task {task.name!r} has channels in {', '.join(units)}; this network takes an energy in GeV"
            " and a time in ns"
        )
