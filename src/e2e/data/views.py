"""Views of sparse hits: point clouds and graphs, in compiled loops over the hits of each object.

Hits are those of the sample store: ``index`` (uint32, ascending within an object) is
``(channel * rows + row) * columns + column``, ``value`` (float32) is in the unit of the channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.geometry import CELL, Crop

_compiled = numba.njit(cache=True, nogil=True)  # others work on while a thread makes a view


@dataclass(frozen=True, eq=False)
class PointCloud:
    """The ``k`` leading pixels of N objects.

    ``cells`` int32 [N, k, 2] are (row, column) from the seed, in cells; ``values`` float32 [N, k, C]
    those of all channels, in their units; ``mask`` bool [N, k] is False, and the rest 0, where an
    object has fewer points.
    """

    cells: NDArray[np.int32]
    values: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """(eta, phi) [N, k, 2] relative to the seed, by the pitch of the barrel.

        In the endcaps the rows of a frame lie further apart in eta than that.
        """
        return (self.cells * CELL).astype(np.float32)


def points(samples: Samples, k: int, crop: Crop) -> PointCloud:
    """The ``k`` leading pixels of each object, as points around the seed of ``crop``.

    A point is a pixel with a hit in at least one channel. Points are ordered by the sum of the
    channels in GeV, largest first (signed quantities such as a time or an impact parameter do not
    count), and by pixel (row * W + column), smallest first, where sums are equal. The sum is that of
    float32 numbers added in the order of the channels, so that every framework finds the same.
    Raises E2EError where no channel is in GeV, IndexError for a hit outside the crop.
    """
    channels, rows, columns = samples.shape
    ranked = np.array([channel.unit == "GeV" for channel in samples.channels])
    if not ranked.any():
        names = ", ".join(f"{channel.name} [{channel.unit}]" for channel in samples.channels)
        raise E2EError(f"points are ordered by the channels in GeV; there is none among {names}")
    pixel = np.zeros((len(samples), k), np.int64)
    values = np.zeros((len(samples), k, channels), np.float32)
    mask = np.zeros((len(samples), k), np.bool_)
    _lead(samples.offsets, samples.index, samples.value, ranked, rows * columns, pixel, values, mask)
    cells = np.stack(np.divmod(pixel, columns), axis=-1) - (crop.seed_row, crop.seed_column)
    return PointCloud((cells * mask[..., None]).astype(np.int32), values, mask)


@_compiled
def _lead(offsets, index, value, ranked, pixels, pixel, values, mask):
    """Fill ``pixel`` [N, k], ``values`` [N, k, C] and ``mask`` [N, k], one object after the other."""
    total = np.zeros(pixels, np.float32)
    place = np.full(pixels, -1)
    for i in range(len(offsets) - 1):
        first, last = offsets[i], offsets[i + 1]
        if not 0 <= first <= last <= min(len(index), len(value)):
            raise IndexError("hits outside their array")
        for hit in range(first, last):
            if index[hit] >= len(ranked) * pixels:
                raise IndexError("hit outside the crop")
        hit_pixels = np.unique(index[first:last] % np.uint32(pixels))
        for hit in range(first, last):
            if ranked[index[hit] // pixels]:
                total[index[hit] % pixels] += value[hit]
        # The sort is stable: pixels of equal sums stay in ascending order.
        order = np.argsort(-total[hit_pixels], kind="mergesort")
        for rank in range(min(len(order), pixel.shape[1])):
            leading = hit_pixels[order[rank]]
            pixel[i, rank], mask[i, rank], place[leading] = leading, True, rank
        for hit in range(first, last):
            rank = place[index[hit] % pixels]
            if rank >= 0:
                values[i, rank, index[hit] // pixels] = value[hit]
        for cell in hit_pixels:
            total[cell], place[cell] = 0.0, -1


def edges(cloud: PointCloud, neighbours: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Edges to each point from its nearest ones in the plane of eta and phi.

    Nearest by squared distance in cells times k plus the position j of the neighbour in the cloud: whole
    numbers, all different, so that every framework picks the same. phi does not wrap around within a
    crop. Returns ``edge_index`` [N, 2, k * neighbours], whose rows are the positions of neighbour and
    point (source and target, as PyTorch Geometric has them), nearest first; and a mask [N, k *
    neighbours], False, with 0 in ``edge_index``, where an object has too few points.
    """
    objects, k = cloud.mask.shape
    edge_index = np.zeros((objects, 2, k, neighbours), np.int64)
    mask = np.zeros((objects, k, neighbours), np.bool_)
    _nearest(cloud.cells, cloud.mask, edge_index, mask)
    return edge_index.reshape(objects, 2, k * neighbours), mask.reshape(objects, k * neighbours)


@_compiled
def _nearest(cells, valid, edge_index, mask):
    """Fill ``edge_index`` [N, 2, k, neighbours] and ``mask`` [N, k, neighbours]."""
    objects, k, neighbours = mask.shape
    nearest = np.empty(neighbours + 1, np.int64)  # keys in ascending order, and room for one more
    for i in range(objects):
        for point in range(k):
            if not valid[i, point]:
                continue
            found = 0
            for other in range(k):
                if other == point or not valid[i, other]:
                    continue
                down = np.int64(cells[i, other, 0] - cells[i, point, 0])
                along = np.int64(cells[i, other, 1] - cells[i, point, 1])
                key = (down * down + along * along) * k + other
                place = found
                while place > 0 and nearest[place - 1] > key:
                    nearest[place] = nearest[place - 1]
                    place -= 1
                nearest[place] = key
                found = min(found + 1, neighbours)
            for rank in range(found):
                edge_index[i, 0, point, rank] = nearest[rank] % k
                edge_index[i, 1, point, rank] = point
                mask[i, point, rank] = True
