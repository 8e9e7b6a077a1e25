"""Cuts crops out of whole-detector frames and keeps their hits.

Cell (i, j) of a crop that starts at (top, left) shows, of a channel whose values cover n x n cells of the
detector frame from its column ``shift`` on, the share of one cell in the value at

    row (top + i) // n, column ((left + j - shift) mod columns) // n

which is that value over n * n. Rows end, columns wrap around.

Frames are looked at as they lie in the file, in "records": uint8 [events, ...], of each event some header
and then its values, big-endian. Only the hits, few of them, are turned around.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np

from e2e.tasks import Channel, Crop, Task

BIG_ENDIAN = np.dtype(">f4")
# Of a big-endian float32, read as a little-endian uint32: all bits but the sign, and the exponent.
_MAGNITUDE = np.uint32(0xFFFFFF7F)
_EXPONENT = np.uint32(0x0000807F)
_BLOCK = 16  # values that are skipped together where all are 0
_ENDCAP = 55  # rows of EE- and of EE+ in ECAL_energy, before and after those of the barrel


@dataclass(frozen=True)
class Hits:
    """Hits of N crops in one channel: ``counts`` [N], and one crop after the other ``index`` and ``value``.

    ``index`` (uint32, ascending) is row * columns + column of the crop, ``value`` is float32 and never 0.
    """

    counts: np.ndarray
    index: np.ndarray
    value: np.ndarray

    @classmethod
    def concatenate(cls, pieces: Iterable[Hits]) -> Hits:
        none = cls(np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.float32))
        columns = zip(*((piece.counts, piece.index, piece.value) for piece in (none, *pieces)), strict=True)
        return cls(*map(np.concatenate, columns))


def frame_shape(task: Task, channel: Channel) -> tuple[int, int]:
    """(rows, columns) of the stored frames of a channel."""
    rows, columns = task.detector
    return rows // channel.cell, columns // channel.cell


def to_records(values: np.ndarray) -> np.ndarray:
    """Records of frames [events, values] of any kind of number."""
    return np.ascontiguousarray(values, BIG_ENDIAN).view(np.uint8)


def to_values(records: np.ndarray, size: int) -> np.ndarray:
    """Frames float32 [events, ``size``] of records."""
    return records[:, -BIG_ENDIAN.itemsize * size :].view(BIG_ENDIAN).astype(np.float32)


def first_not_finite(records: np.ndarray, size: int) -> int | None:
    """Number of the first of the records that holds a value that is NaN or infinite."""
    event = _first_not_finite(records, size)
    return None if event < 0 else event


def quarter_endcaps(records: np.ndarray, detector: tuple[int, int]) -> np.ndarray:
    """Records of ECAL_energy with the endcaps as in the public jet files.

    They are coarser there and have a quarter of their energy: MLAnalyzer's converter
    (convert_root2pq_jet.py, resample_EE) sums 2 x 2 cells, after a row of zeros was added at the outer end
    of each endcap, and spreads the sum over the 4 cells, but divides by 16.
    """
    rows, columns = detector
    values = to_values(records, rows * columns)
    frames = values.reshape(-1, rows, columns)
    zeros = np.zeros_like(frames[:, :1])
    minus, plus = frames[:, :_ENDCAP], frames[:, -_ENDCAP:]
    minus[:] = _quartered(np.concatenate([zeros, minus], axis=1))[:, 1:]
    plus[:] = _quartered(np.concatenate([plus, zeros], axis=1))[:, :-1]
    return to_records(values)


def _quartered(endcap: np.ndarray) -> np.ndarray:
    events, rows, columns = endcap.shape
    sums = endcap.reshape(events, rows // 2, 2, columns // 2, 2).sum(axis=(2, 4))
    return (sums / 16).repeat(2, axis=1).repeat(2, axis=2)


def cut(
    records: np.ndarray, task: Task, channel: Channel, owner: np.ndarray, top: np.ndarray, left: np.ndarray
) -> Hits:
    """Hits in one channel of N crops that start at (``top``, ``left``) in the records ``owner``."""
    rows, columns = frame_shape(task, channel)
    if channel.cell > 1:
        records = to_records(to_values(records, rows * columns) / channel.cell**2)
    left = (left - channel.shift) % task.detector[1]
    shape = task.crop.rows, task.crop.columns
    counts, index, words = _cut(records, rows, columns, channel.cell, owner, top, left, shape)
    return Hits(counts, index, words.byteswap().view(np.float32))


def interleave(channels: list[Hits], crop: Crop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets [N + 1], index uint32 and value float32 of N objects from their hits in each channel.

    An index is (channel * rows + row) * columns + column.
    """
    counts = np.stack([hits.counts for hits in channels], axis=1)
    ends = np.cumsum(counts).reshape(counts.shape)
    index = np.empty(counts.sum(), np.uint32)
    value = np.empty(len(index), np.float32)
    for number, hits in enumerate(channels):
        first = np.uint32(number * crop.rows * crop.columns)
        _place(hits.index + first, hits.value, hits.counts, ends[:, number] - hits.counts, index, value)
    return np.concatenate([[0], ends[:, -1]]), index, value


@numba.njit(cache=True)
def _place(index, value, counts, starts, all_index, all_value):
    """Put the hits of each crop where those of its object and channel start."""
    used = 0
    for start, n in zip(starts, counts):  # noqa: B905 (numba)
        all_index[start : start + n] = index[used : used + n]
        all_value[start : start + n] = value[used : used + n]
        used += n


@numba.njit(cache=True)
def _first_not_finite(records, size):
    for event in range(len(records)):
        words = records[event, -4 * size :].view(np.uint32)
        found = np.uint32(0)
        for i in range(size):  # without a way out it takes eight values at a time
            found |= np.uint32((words[i] & _EXPONENT) == _EXPONENT)
        if found:
            return event
    return -1


@numba.njit(cache=True)
def _cut(records, frame_rows, frame_columns, cell, owner, top, left, shape):
    """Counts, index and value (as in the records) of the hits of each crop."""
    rows, columns = shape
    header = records.shape[1] - 4 * frame_rows * frame_columns
    counts = np.zeros(len(owner), np.int64)
    index = np.empty(rows * columns, np.uint32)
    value = np.empty(rows * columns, np.uint32)
    used = 0
    for k in range(len(owner)):
        if len(index) < used + rows * columns:
            index = np.concatenate((index, np.empty_like(index)))
            value = np.concatenate((value, np.empty_like(value)))
        first = line = used
        for i in range(rows):
            before, line = line, used
            row = (top[k] + i) // cell
            if i > 0 and row == (top[k] + i - 1) // cell:
                used += line - before
                index[line:used] = index[before:line] + np.uint32(columns)
                value[line:used] = value[before:line]
                continue
            j = -(left[k] % cell)
            column = left[k] // cell
            while j < columns:
                length = min(frame_columns - column, (columns - j + cell - 1) // cell)
                start = header + 4 * (row * frame_columns + column)
                words = records[owner[k], start : start + 4 * length].view(np.uint32)
                used = _scan(words, cell, i * columns, j, columns, index, value, used)
                j += length * cell
                column = 0
        counts[k] = used - first
    return counts, index[:used].copy(), value[:used].copy()


@numba.njit(cache=True)
def _scan(words, cell, line, j, columns, index, value, used):
    """Add the hits of values that cover ``cell`` columns of a crop each, from its column ``j`` on."""
    for start in range(0, len(words), _BLOCK):
        found = _MAGNITUDE
        if start + _BLOCK <= len(words):
            found = np.uint32(0)
            for n in range(start, start + _BLOCK):
                found |= words[n]
        if found & _MAGNITUDE:
            for n in range(start, min(start + _BLOCK, len(words))):
                if words[n] & _MAGNITUDE:
                    for column in range(max(j + n * cell, 0), min(j + (n + 1) * cell, columns)):
                        index[used] = line + column
                        value[used] = words[n]
                        used += 1
    return used
