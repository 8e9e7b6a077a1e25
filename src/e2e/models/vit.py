"""A vision transformer (arXiv 2010.11929) on strips of an electron's or photon's road, or on a jet's towers.

What a residual CNN taught holds here too: each cell is normalised by its own mean and spread, only the road
of rows around the seed is looked at, and the tokens go into the last layers place by place. Bremsstrahlung
and conversions lie along phi, so a token is a strip of all seven rows: attention compares columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from e2e.errors import E2EError
from e2e.models.layers import Transformer
from e2e.models.network import Network
from e2e.models.preprocessing import RoadMaps, TowerMaps, is_energy_and_time
from e2e.models.trunk import PlacedTokenTrunk
from e2e.tasks import Task

SPACE = {
    "width": [64, 48, 96],
    "depth": [3, 2, 4],
    "heads": [4, 2, 8],
    "hidden": [64, 32, 128],
}


class VisionTransformer(PlacedTokenTrunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``] by tokens of patches. See ``build``."""

    def __init__(
        self, task: Task, patch: Sequence[int] | None, stem: int, width: int, depth: int, heads: int
    ):
        super().__init__()
        self.maps = RoadMaps(task) if is_energy_and_time(task) else TowerMaps(task, stem)
        height, length = self.maps.height, self.maps.width
        rows, columns = self.patch = tuple(patch or (height, 1))
        if rows < 1 or columns < 1 or height % rows or length % columns:
            raise E2EError(
                f"vit: patches of {rows} x {columns} do not tile maps of {height} x {length}; choose divisors"
            )
        tokens = (height // rows) * (length // columns)
        self.transformer = Transformer(self.maps.channels * rows * columns, tokens, width, depth, heads)
        self.width, self.features = width, tokens * width

    def placed(self, frames: Tensor) -> Tensor:
        maps = self.maps(frames)
        rows, columns = self.patch
        patches = maps.unflatten(3, (-1, columns)).unflatten(2, (-1, rows))  # [N, C, R, rows, L, columns]
        return self.transformer(patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2))


def build(
    task: Task,
    patch: Sequence[int] | None = None,
    stem: int = 16,
    width: int = 64,
    depth: int = 3,
    heads: int = 4,
    hidden: int = 64,
) -> Network:
    """A transformer; classification or regression, as the task asks for.

    ``patch`` is the (rows, columns) of a token: in crystals of the road of 7 x 31 for electrons and photons,
    in towers of the 13 x 13 of a jet; by default all rows and one column. ``stem`` is the number of learned
    sums over the crystals of a jet's tower, ``width`` that of the tokens, ``depth`` the number of blocks,
    ``hidden`` the width of the layer between the tokens and the answer. Raises E2EError for patches that do
    not tile the maps, or heads that do not divide the width.
    """
    return Network(task, VisionTransformer(task, patch, stem, width, depth, heads), hidden)
