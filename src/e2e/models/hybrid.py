"""Convolutions, then a transformer: a stem that sees the neighbourhood, and attention across the rest.

As in CoAtNet (arXiv 2106.04803), convolutions come first, where shapes are local, and attention later, on
maps that are small enough for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from e2e.models.layers import Stages, Transformer
from e2e.models.network import Network
from e2e.models.preprocessing import RoadMaps, TowerMaps, is_energy_and_time
from e2e.models.trunk import PlacedTokenTrunk
from e2e.tasks import Task

SPACE = {
    "width": [64, 48, 96],
    "depth": [2, 1, 3],
    "heads": [4, 2, 8],
    "hidden": [64, 32, 128],
    "dropout": [0.0, 0.3, 0.5],
}


class Hybrid(PlacedTokenTrunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``] by tokens of cells. See ``build``."""

    def __init__(
        self,
        task: Task,
        stem: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        width: int,
        depth: int,
        heads: int,
    ):
        super().__init__()
        road = is_energy_and_time(task)
        self.maps = RoadMaps(task) if road else TowerMaps(task, stem)
        size = self.maps.height, self.maps.width
        self.stages = Stages(self.maps.channels, *size, widths, blocks, padding=0 if road else 1)
        tokens = self.stages.height * self.stages.width
        self.transformer = Transformer(widths[-1], tokens, width, depth, heads)
        self.width, self.features = width, tokens * width

    def placed(self, frames: Tensor) -> Tensor:
        maps = self.stages(self.maps(frames))
        return self.transformer(maps.permute(0, 2, 3, 1).flatten(1, 2))


def build(
    task: Task,
    stem: int = 16,
    widths: Sequence[int] = (16, 32),
    blocks: Sequence[int] = (1, 1),
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    hidden: int = 64,
    dropout: float = 0.0,
) -> Network:
    """Residual stages and a transformer on the cells of their maps; classification or regression by the task.

    ``stem`` is the number of learned sums over the crystals of a jet's tower. ``widths[i]`` and ``blocks[i]``
    are the channels and residual blocks of stage i, each of half the resolution of the one before. ``width``
    is that of the tokens, ``depth`` the number of transformer blocks, ``hidden`` the width of the layer
    between the tokens and the answer, and ``dropout`` the part of their numbers that is missing in each step
    of the training. Raises E2EError if the two lists differ in length, the stages are too many, or ``heads``
    do not divide ``width``.
    """
    return Network(task, Hybrid(task, stem, widths, blocks, width, depth, heads), hidden, dropout)
