"""Reads frames out of a ROOT file basket by basket, as records (``e2e.data.crops``).

Frames hold little but zeros, so uproot's arrays cost several times as much as the decompression, and its
models of a basket half as much; here a basket is decompressed and handed on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import uproot
from uproot.compression import decompress

from e2e.data import crops, ntuple
from e2e.errors import E2EError

# ROOT's TKey, which every record of a file starts with: bytes of the record, version, bytes when
# decompressed, date, bytes of the header. The header of a TBasket ends with: version, sizes of the buffer
# and of an entry offset, number of entries, where their data end (the header counted), flag.
_KEY = struct.Struct(">ihiIh")
_BASKET = struct.Struct(">hiiiiB")


def records(
    path: str | Path, tree: uproot.TTree, name: str, shape: tuple[int, int], entries: np.ndarray
) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Records of the frames of each basket that holds some of ``entries`` [N], which ascend.

    Also the entry of the first record, and which of ``entries`` lie in this basket: first and last + 1.

    Raises E2EError, naming file, branch and event, for a frame in such a basket that has not
    rows x columns (``shape``) values, and for a basket that cannot be read.
    """
    branch = tree[name]
    kind, header = branch.interpretation.content.from_dtype, branch.interpretation.header_bytes
    size = shape[0] * shape[1]
    stride = header + size * kind.itemsize
    firsts = np.asarray(branch.entry_offsets)
    borders = np.searchsorted(entries, firsts)
    for number in np.flatnonzero(np.diff(borders)).tolist():
        first = int(firsts[number])
        try:
            data, starts, origin = _read(branch, number)
        except Exception as error:  # damaged bytes can make uproot fail in any way
            raise ntuple.damaged(path, error) from None
        count = int(firsts[number + 1]) - first
        if starts != _evenly(count, stride, origin) or len(data) != count * stride:
            lengths = np.diff(np.frombuffer(starts, ">i4"), append=origin + len(data))
            i = int(np.flatnonzero(lengths != stride)[0])
            raise E2EError(
                f"{path}: event {ntuple.event_name(tree, first + i)}: {name} has "
                f"{(lengths[i] - header) // kind.itemsize} values; a frame of "
                f"{shape[0]} x {shape[1]} has {size}"
            )
        found = data.reshape(-1, stride)
        if kind != crops.BIG_ENDIAN:
            found = crops.to_records(found[:, header:].view(kind))
        yield found, first, borders[number], borders[number + 1]
        del data, found  # so that the next are decompressed into the same memory, still in the cache


@cache
def _evenly(count: int, stride: int, origin: int) -> bytes:
    """Starts of entries of equal length, as ``_read`` returns them."""
    return (origin + stride * np.arange(count)).astype(">i4").tobytes()


def _read(branch: uproot.TBranch, number: int) -> tuple[np.ndarray, bytes, int]:
    """Data uint8 of a basket; where its entries start, as bytes of '>i4'; and what that is counted from."""
    if number >= branch.num_baskets - len(branch.embedded_baskets):  # lies in the tree itself, uncompressed
        basket = branch.basket(number)
        return basket.data, basket.byte_offsets[:-1].astype(">i4").tobytes(), 0
    chunk, key = branch.basket_chunk_cursor(number)
    record = chunk.raw_data
    size, _, length, _, header = _KEY.unpack_from(record)
    *_, last, _ = _BASKET.unpack_from(record, header - _BASKET.size)
    if size - header == length:
        content = np.array(record[header:])
    else:
        key.skip(header)
        content = decompress(chunk, key, {}, size - header, length).raw_data
    # after the data: how many numbers follow, the start of each entry, and another number
    end = last - header
    return content[:end], content[end + 4 : -4].tobytes(), header
