"""A residual CNN (arXiv 1512.03385) on the road of crystals in which an electron or photon leaves its energy.

The magnetic field bends along phi only, so bremsstrahlung and conversions stay within a few rows (eta) of
the seed, as in CMS superclusters; beyond them there is pileup. The network looks at that road in
full resolution, keeps the seed at the centre of all its maps, and never averages over position:
a shower's place relative to the seed is what tells an electron from a photon.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from e2e.models.layers import Stages
from e2e.models.network import Network
from e2e.models.preprocessing import (
    CalorimeterFeatures,
    CellNormalisation,
    Road,
    require_energy_and_time,
)
from e2e.models.trunk import Trunk
from e2e.tasks import Task

SPACE = {
    "widths": [[16, 32, 64], [8, 16, 32], [24, 48, 96]],
    "blocks": [[2, 2, 1], [1, 1, 1], [3, 2, 1]],
    "hidden": [64, 32, 128],
}


class ResNet(Trunk):
    """Raw frames [N, 2, H, W] (GeV, ns) -> features [N, ``features``]. See ``build``."""

    def __init__(self, task: Task, widths: Sequence[int], blocks: Sequence[int], rows: int):
        super().__init__()
        self.maps = CalorimeterFeatures()
        self.road = Road(task.crop, rows)
        height, width = self.road.height, self.road.width
        self.normalise = CellNormalisation(self.maps.channels, height, width)
        self.stages = Stages(self.maps.channels, height, width, widths, blocks, padding=0)
        self.features = widths[-1] * self.stages.height * self.stages.width

    def forward(self, frames: Tensor) -> Tensor:
        return self.stages(self.normalise(self.road(self.maps(frames)))).flatten(1)


def build(
    task: Task,
    widths: Sequence[int] = (16, 32, 64),
    blocks: Sequence[int] = (2, 2, 1),
    rows: int = 3,
    hidden: int = 64,
) -> Network:
    """A residual network for an energy and a time channel.

    ``rows`` is how many rows (eta) on either side of the seed are looked at. ``widths[i]`` is the number
    of channels of stage i and ``blocks[i]`` its number of residual blocks; each stage has half the
    resolution of the one before. ``hidden`` is the width of the layer between the maps and the logit.
    Raises E2EError if the two lists differ in length, or the rows are too few for so many stages or
    too many for the crop.
    """
    require_energy_and_time(task)
    return Network(task, ResNet(task, widths, blocks, rows), hidden)
