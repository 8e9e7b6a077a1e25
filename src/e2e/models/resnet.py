"""A residual CNN (arXiv 1512.03385) on the road of crystals in which an electron or photon leaves its energy.

The magnetic field bends along phi only, so bremsstrahlung and conversions stay within a few rows (eta) of
the seed, as in CMS superclusters; beyond them there is pileup. The network looks at that road in
full resolution, keeps the seed at the centre of all its maps, and never averages over position:
a shower's place relative to the seed is what tells an electron from a photon.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.models.preprocessing import (
    CalorimeterFeatures,
    CellNormalisation,
    Road,
    require_energy_and_time,
)
from e2e.tasks import Task


def convolution(inputs: int, outputs: int, stride: int = 1, padding: int = 1) -> nn.Sequential:
    """3 x 3 convolution and batch normalisation [N, inputs, H, W] -> [N, outputs, H', W']."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3 x 3 convolutions added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        # The block starts as the identity, which lets training begin at a high learning rate.
        nn.init.zeros_(self.second[1].weight)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.second(torch.relu(self.first(maps))))


class ResNet(nn.Module):
    """Raw frames [N, 2, H, W] (GeV, ns) -> logits [N]. See ``build``."""

    def __init__(self, task: Task, widths: Sequence[int], blocks: Sequence[int], rows: int, hidden: int):
        super().__init__()
        self.features = CalorimeterFeatures()
        self.road = Road(task.crop, rows)
        height, width = self.road.height, self.road.width
        self.normalise = CellNormalisation(self.features.channels, height, width)
        stages = [convolution(self.features.channels, widths[0]), nn.ReLU()]
        for stage, (channels, depth) in enumerate(zip(widths, blocks, strict=True)):
            if stage > 0:
                stages += [convolution(widths[stage - 1], channels, stride=2, padding=0), nn.ReLU()]
                height, width = (height - 1) // 2, (width - 1) // 2
            stages += [Residual(channels) for _ in range(depth)]
        if min(height, width) < 1:
            raise E2EError(
                f"resnet: {rows} rows on either side of the seed are too few for {len(widths)} stages,"
                f" which need {2 ** (len(widths) - 1) - 1}"
            )
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Linear(widths[-1] * height * width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        maps = self.stages(self.normalise(self.road(self.features(frames))))
        return self.head(maps.flatten(1)).squeeze(1)


def build(
    task: Task,
    widths: Sequence[int] = (16, 32, 64),
    blocks: Sequence[int] = (2, 2, 1),
    rows: int = 3,
    hidden: int = 64,
) -> ResNet:
    """A residual network for an energy and a time channel.

    ``rows`` is how many rows (eta) on either side of the seed are looked at. ``widths[i]`` is the number
    of channels of stage i and ``blocks[i]`` its number of residual blocks; each stage has half the
    resolution of the one before. ``hidden`` is the width of the layer between the maps and the logit.
    Raises E2EError if the two lists differ in length, or the rows are too few for so many stages or
    too many for the crop.
    """
    require_energy_and_time(task)
    if not widths or len(widths) != len(blocks):
        raise E2EError(
            f"resnet: widths {list(widths)} and blocks {list(blocks)} must have one entry a stage each"
        )
    return ResNet(task, widths, blocks, rows, hidden)
