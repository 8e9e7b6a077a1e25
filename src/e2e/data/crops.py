"""Cuts crops out of whole-detector frames and keeps their hits.

Cell (i, j) of a crop that starts at (top, left) shows, of a channel whose values cover n x n cells of the
detector frame, the share of one cell in the value at

    row (top + i) // n, column ((left + j) mod columns) // n

which is that value over n * n. Rows end, columns wrap around. A crop that is turned shows there what cell
(rows - 1 - i, columns - 1 - j) of the others does.

Frames are looked at as they lie in the file, in "records": uint8 [events, ...], of each event some header
and then its values, big-endian. Only the hits, few of them, are turned around.
"""

from __future__ import annotations

import numba
import numpy as np

from e2e.geometry import ENDCAP_ROWS, Crop
from e2e.tasks import Channel, Task

BIG_ENDIAN = np.dtype(">f4")
# Of a big-endian float32, read as a little-endian uint32: all bits but the sign, and the exponent.
_MAGNITUDE = np.uint32(0xFFFFFF7F)
_EXPONENT = np.uint32(0x0000807F)


def to_records(values: np.ndarray) -> np.ndarray:
    """Records of frames [events, values] of any kind of number."""
    return np.ascontiguousarray(values, BIG_ENDIAN).view(np.uint8)


def to_values(records: np.ndarray, size: int) -> np.ndarray:
    """Frames float32 [events, ``size``] of records."""
    return records[:, -BIG_ENDIAN.itemsize * size :].view(BIG_ENDIAN).astype(np.float32)


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
    minus, plus = frames[:, :ENDCAP_ROWS], frames[:, -ENDCAP_ROWS:]
    minus[:] = _quartered(np.concatenate([zeros, minus], axis=1))[:, 1:]
    plus[:] = _quartered(np.concatenate([plus, zeros], axis=1))[:, :-1]
    return to_records(values)


def _quartered(endcap: np.ndarray) -> np.ndarray:
    events, rows, columns = endcap.shape
    sums = endcap.reshape(events, rows // 2, 2, columns // 2, 2).sum(axis=(2, 4))
    return (sums / 16).repeat(2, axis=1).repeat(2, axis=2)


def windows(
    task: Task, seed_rows: np.ndarray, seed_columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First row and column (int64 [N]) of the windows around seeds in these cells, and which are turned.

    Negative columns wrap around. A window is shifted where it is turned, so that the seed then is where it
    always is.
    """
    crop = task.crop
    row, column = (np.asarray(cells).astype(np.int64) for cells in (seed_rows, seed_columns))
    turned = (row < task.detector[0] // 2) & crop.outward
    top = row - np.where(turned, crop.rows - 1 - crop.seed_row, crop.seed_row)
    left = column - np.where(turned, crop.columns - 1 - crop.seed_column, crop.seed_column)
    return top, left, turned


def cells(task: Task, seed_rows: np.ndarray, seed_columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N, H] and columns [N, W] of the detector that the crops around seeds in these cells show."""
    top, left, turned = windows(task, seed_rows, seed_columns)
    rows = top[:, None] + np.arange(task.crop.rows)
    columns = (left[:, None] + np.arange(task.crop.columns)) % task.detector[1]
    rows, columns = (np.where(turned[:, None], each[:, ::-1], each) for each in (rows, columns))
    return rows, columns


class Cutter:
    """Collects the hits in one channel of N crops, cut one after the other as their frames come along.

    Crop k covers the cells from (``top[k]``, ``left[k]``) on of the frame of entry ``entries[k]``, and is
    turned by 180 degrees where ``turned[k]``. Values lie ``shift`` columns of theirs to the left of the
    frame's. Where those before crop k have ``room[k]`` hits or more, it
    and all after it are left; ``done`` counts those that were cut.
    """

    def __init__(
        self,
        task: Task,
        channel: Channel,
        entries: np.ndarray,
        top: np.ndarray,
        left: np.ndarray,
        turned: np.ndarray,
        room: np.ndarray,
        shift: int = 0,
    ) -> None:
        self.channel = channel
        self.frame = task.frame_shape(channel)
        self.crop = task.crop.rows, task.crop.columns
        self.entries = entries
        self.windows = top, (left - shift * channel.cell) % task.detector[1], turned
        self.room = room
        self.done = 0
        self.counts = np.zeros(len(top), np.int64)
        self._index = self._word = np.empty(0, np.uint32)
        self._used = 0

    def cut(self, records: np.ndarray, first: int, stop: int) -> bool:
        """Cut the next until ``stop`` out of the records from entry ``first`` on; whether all had room."""
        crops = self.entries, first, self.windows, self.crop, self.done, stop, self.room
        hits = self.counts, self._index, self._word, self._used
        self._index, self._word, self._used, self.done = _cut(
            records, self.frame, self.channel.cell, *crops, *hits
        )
        return self.done == stop

    def keep(self, crops: int) -> None:
        """Keep the first ``crops`` alone."""
        self.entries, self.counts, self.done = self.entries[:crops], self.counts[:crops], crops
        used = int(self.counts.sum())
        if used < self._used:
            self._index, self._word, self._used = self._index[:used].copy(), self._word[:used].copy(), used

    def hits(self) -> tuple[np.ndarray, np.ndarray]:
        """``index`` and ``value`` of the ``counts`` [N] hits of one crop after the other.

        ``index`` (uint32) is row * columns + column of the crop, ascending; ``value`` (float32) is never 0.
        """
        return self._index[: self._used], self._word[: self._used].byteswap().view(np.float32)


def interleave(cutters: list[Cutter], crop: Crop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets [N + 1], index uint32 and value float32 of N objects from their hits in each channel.

    An index is (channel * rows + row) * columns + column.
    """
    counts = np.stack([cutter.counts for cutter in cutters], axis=1)
    ends = np.cumsum(counts).reshape(counts.shape)
    index = np.empty(counts.sum(), np.uint32)
    value = np.empty(len(index), np.float32)
    for number, cutter in enumerate(cutters):
        first = np.uint32(number * crop.rows * crop.columns)
        starts = ends[:, number] - cutter.counts
        _place(*cutter.hits(), cutter.counts, starts, first, index, value)
    return np.concatenate([[0], ends[:, -1]]), index, value


@numba.njit(cache=True)
def _place(index, value, counts, starts, first, all_index, all_value):
    """Put the hits of each crop where those of its object and channel start, and add ``first`` to indices."""
    used = 0
    for k in range(len(counts)):
        for n in range(counts[k]):
            all_index[starts[k] + n] = index[used + n] + first
            all_value[starts[k] + n] = value[used + n]
        used += counts[k]


@numba.njit(cache=True)
def _cut(records, frame, cell, entries, first, windows, crop, start, stop, room, counts, index, word, used):
    """Cut crops and add their hits to ``index`` and ``word`` (a value as in the records) from ``used`` on."""
    rows, columns = crop
    top, left, turned = windows
    scratch = np.empty(frame[1], np.int64)
    column = np.empty(frame[1], np.int64)  # of the crop, of the hits of a row
    hit = np.empty(frame[1], np.uint32)
    for k in range(start, stop):
        if used >= room[k]:
            return index, word, used, k
        if len(index) < used + rows * columns:
            more = np.empty(len(index) + rows * columns, np.uint32)
            index, word = np.concatenate((index, more)), np.concatenate((word, more))
        values = records[entries[k] - first, -4 * frame[0] * frame[1] :].view(np.uint32)
        before = used
        # values of a row under the crop: from place ``at`` on, and the rest from the beginning
        at, cut_off = divmod(left[k], cell)
        wide = (cut_off + columns + cell - 1) // cell
        here = min(wide, frame[1] - at)
        row = top[k] // cell
        line = 0
        while line < rows:
            under = values[row * frame[1] : (row + 1) * frame[1]]
            found = _find(under[at : at + here], -cut_off, cell, scratch, column, hit, 0)
            found = _find(under[: wide - here], here * cell - cut_off, cell, scratch, column, hit, found)
            if cell > 1:
                found = _share(column, hit, found, np.float32(cell**2))
            row += 1
            after = min(row * cell - top[k], rows)
            for i in range(line, after):
                for n in range(found):
                    for j in range(max(column[n], 0), min(column[n] + cell, columns)):
                        index[used] = i * columns + j
                        word[used] = hit[n]
                        used += 1
            line = after
        if turned[k]:
            index[before:used] = rows * columns - 1 - index[before:used][::-1]
            word[before:used] = word[before:used][::-1].copy()
        counts[k] = used - before
    return index, word, used, stop


@numba.njit(cache=True)
def _find(values, j, cell, scratch, column, hit, found):
    """Add to the ``found`` hits of a row those among ``values``, the first of which is at column ``j``.

    Nothing here depends on a branch, which a processor would guess wrong at every hit.
    """
    pairs = 0
    for pair in range(len(values) // 2):
        scratch[pairs] = 2 * pair
        pairs += (values[2 * pair] | values[2 * pair + 1]) != 0
    scratch[pairs] = len(values) - 1
    for n in range(pairs + len(values) % 2):
        for i in range(scratch[n], min(scratch[n] + 2, len(values))):
            column[found] = j + i * cell
            hit[found] = values[i]
            found += (values[i] & _MAGNITUDE) != 0
    return found


@numba.njit(cache=True)
def _share(column, hit, found, cells):
    """Divide the ``found`` hits of a row by ``cells``; those that become 0 are none any more."""
    kept = 0
    bits = np.empty(1, np.uint32)
    value = bits.view(np.float32)
    for n in range(found):
        bits[0] = _swapped(hit[n])
        value[0] /= cells
        column[kept], hit[kept] = column[n], _swapped(bits[0])
        kept += value[0] != 0
    return kept


@numba.njit(cache=True)
def _swapped(word):
    """A uint32 with its bytes in the other order."""
    return np.uint32((word >> 24) | ((word >> 8) & 0xFF00) | ((word & 0xFF00) << 8) | (word << 24))
