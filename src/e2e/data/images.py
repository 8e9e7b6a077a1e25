"""Frames of sparse hits, which are those of the sample store."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def images(
    start: NDArray[np.integer],
    count: NDArray[np.integer],
    index: NDArray[np.uint32],
    value: NDArray[np.float32],
    shape: tuple[int, int, int],
) -> NDArray[np.float32]:
    """Frames [N, C, H, W] of the objects whose hits are the ``count`` [N] ones from ``start`` [N] on.

    Raises IndexError for a hit outside ``shape``.
    """
    frames = np.zeros((len(start), *shape), np.float32)
    _scatter(start, count, index, value, frames.reshape(len(start), int(np.prod(shape))))
    return frames


def hits(frames: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]:
    """Offsets [N + 1], index and value of what is not 0 in frames [N, C, H, W], as ``Samples`` has."""
    size = int(np.prod(frames.shape[1:]))
    pixels = frames.reshape(-1)
    found = np.flatnonzero(pixels != 0)
    offsets = np.searchsorted(found, np.arange(len(frames) + 1) * size)
    return offsets, (found % size).astype(np.uint32), pixels[found]


@numba.njit(cache=True, nogil=True)  # others work on while a thread makes frames
def _scatter(start, count, index, value, frames):
    for i in range(len(start)):
        if start[i] < 0 or count[i] < 0 or start[i] + count[i] > min(len(index), len(value)):
            raise IndexError("hits outside their array")
        for hit in range(start[i], start[i] + count[i]):
            if index[hit] >= frames.shape[1]:
                raise IndexError("hit outside the crop")
            frames[i, index[hit]] = value[hit]
