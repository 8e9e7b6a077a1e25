"""A residual CNN (arXiv 1512.03385) for jets, on maps of calorimeter towers.

A jet crop has 15,625 cells, of which a few hundred have a hit: convolutions at full resolution spend their
time on nothing. So only the first layer has it, and the second is strided: it sums features of the 5 x 5
crystals of each tower, and the residual blocks see the 13 x 13 towers around the seed. Nothing is averaged
over position: how far energy lies from the axis is what tells jets apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from e2e.models.layers import Stages
from e2e.models.network import Network
from e2e.models.preprocessing import TowerMaps
from e2e.models.trunk import Trunk
from e2e.tasks import Task

SPACE = {
    "stem": [16, 8, 32],
    "widths": [[24, 48, 64], [16, 32, 48], [32, 64, 96]],
    "blocks": [[1, 1, 1], [2, 1, 1], [2, 2, 1]],
    "hidden": [64, 32, 128],
    "dropout": [0.3, 0.0, 0.5],
}


class CNN(Trunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``], map by map and cell by cell. See ``build``."""

    def __init__(self, task: Task, stem: int, widths: Sequence[int], blocks: Sequence[int]):
        super().__init__()
        self.maps = TowerMaps(task, stem)
        size = self.maps.height, self.maps.width
        self.stages = Stages(self.maps.channels, *size, widths, blocks, padding=1)
        self.features = widths[-1] * self.stages.height * self.stages.width

    def forward(self, frames: Tensor) -> Tensor:
        return self.stages(self.maps(frames)).flatten(1)


def build(
    task: Task,
    stem: int = 16,
    widths: Sequence[int] = (24, 48, 64),
    blocks: Sequence[int] = (1, 1, 1),
    hidden: int = 64,
    dropout: float = 0.3,
) -> Network:
    """A residual network for the channels of jets; classification or regression, as the task asks for.

    ``stem`` is the number of learned sums over the crystals of a tower. ``widths[i]`` is the number of
    channels of stage i and ``blocks[i]`` its number of residual blocks; each stage has half the resolution of
    the one before. ``hidden`` is the width of the layer between the maps and the answer, and ``dropout``
    the part of their numbers that is missing in each step of the training. Raises E2EError if the two lists
    differ in length, the stages are too many, or the task has other channels.
    """
    return Network(task, CNN(task, stem, widths, blocks), hidden, dropout)
