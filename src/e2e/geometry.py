"""The detector's grid: cells, towers, windows around a seed. Everything else builds on it, and it on nothing.

A frame has a row for each crystal of the barrel along eta and a column for each along phi; the endcaps are
continued in rows of about the same height. Columns wrap around, rows end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELL = 2 * math.pi / 360  # of a crystal of the barrel, in phi [rad] and, to 0.5 %, in eta
TOWER = 5  # cells along each side of a calorimeter tower
BARREL = (170, 360)  # rows and columns of the barrel's frame
ENDCAP_ROWS = 55  # of each end, before and after those of the barrel
DETECTOR = (BARREL[0] + 2 * ENDCAP_ROWS, BARREL[1])  # rows and columns of the whole detector's frame
TOWERS = (DETECTOR[0] // TOWER, DETECTOR[1] // TOWER)
FIRST_PHI = -10.0 * CELL  # rad; where the first column begins
FIRST_TOWER = 2  # column of the HCAL's iphi 1, at phi = 0
TOWER_ETA = 0.087  # height of a tower of the barrel
CELL_ETA = TOWER_ETA / TOWER  # of a crystal
JET_RADIUS = 0.4  # of the jets, anti-kT
# Where a track lies in an image: at its momentum's direction on the ECAL's face, at the point where it
# meets that face, or at its direction at the vertex.
DIRECTION, POINT, VERTEX = "direction", "point", "vertex"
CONVENTIONS = (DIRECTION, POINT, VERTEX)
MIXED = "mixed"  # what several sources do not have in common
OUTWARD = "outward"  # orientation of crops whose rows run outwards; None: as in the detector


@dataclass(frozen=True)
class Crop:
    """A window of ``rows`` x ``columns`` cells with the seed at (``seed_row``, ``seed_column``).

    Where it looks ``outward``, its rows run away from the middle of the detector: the crop of a seed in the
    first half of the rows (z < 0) is turned by 180 degrees about the seed, eta -> -eta with phi -> -phi,
    which brings the crystals of one end of the barrel onto those of the other.
    """

    rows: int
    columns: int
    seed_row: int
    seed_column: int
    outward: bool = False

    @property
    def seed(self) -> tuple[int, int]:
        """Place of the seed, along eta and along phi."""
        return self.seed_row, self.seed_column

    @property
    def orientation(self) -> str | None:
        """As files name it."""
        return OUTWARD if self.outward else None


def middle(seed: NDArray[np.integer] | int, cell: int) -> NDArray[np.integer] | int:
    """The middle cell of a seed that counts squares of ``cell`` x ``cell`` cells, along one axis."""
    return seed * cell + cell // 2


def row_eta(row: NDArray[np.floating], rows: int) -> NDArray[np.floating]:
    """Pseudorapidity of the middle of a row of a frame of so many rows."""
    return (row + 0.5 - rows / 2) * CELL_ETA
