"""Reads frames out of a ROOT file basket by basket, as records (``e2e.data.crops``).

Frames hold little but zeros, so uproot's arrays cost several times as much as the decompression, and its
models of a basket half as much; here a basket is decompressed and handed on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
        try:
            data, starts = _read(branch, number)
        except Exception as error:  # damaged bytes can make uproot fail in any way
            raise ntuple.damaged(path, error) from None
        lengths = starts[1:] - starts[:-1]
        for i in np.flatnonzero(lengths != stride)[:1].tolist():
            event, values = (
                ntuple.event_name(tree, firsts[number] + i),
                (lengths[i] - header) // kind.itemsize,
            )
            raise E2EError(
                f"{path}: event {event}: {name} has {values} values; a frame of "
                f"{shape[0]} x {shape[1]} has {size}"
            )
        found = data[: len(lengths) * stride].reshape(-1, stride)
        if kind != crops.BIG_ENDIAN:
            found = crops.to_records(found[:, header:].view(kind))
        yield found, firsts[number], borders[number], borders[number + 1]
        del data, found  # so that the next are decompressed into the same memory, still in the cache


def _read(branch: uproot.TBranch, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Decompressed data uint8 of a basket, and where each of its entries starts [entries + 1]."""
    if number >= branch.num_baskets - len(branch.embedded_baskets):  # lies in the tree itself, uncompressed
        basket = branch.basket(number)
        return basket.data, np.asarray(basket.byte_offsets, np.int64)
    chunk, key = branch.basket_chunk_cursor(number)
    record = chunk.raw_data
    size, _, length, _, header = _KEY.unpack_from(record)
    *_, end, _ = _BASKET.unpack_from(record, header - _BASKET.size)
    if size - header == length:
        data = np.array(record[header:])
    else:
        key.skip(header)
        data = decompress(chunk, key, {}, size - header, length).raw_data
    starts = data[end - header :].view(">i4")[1:].astype(np.int64) - header
    starts[-1] = end - header
    return data, starts
