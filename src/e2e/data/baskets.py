"""Reads frames out of a ROOT file basket by basket, as records (``e2e.data.crops``).

Frames hold little but zeros, so uproot's arrays cost several times as much as the decompression, and its
models of a basket half as much; here a basket is decompressed into the memory of the one before, which is
still in the processor's cache, and handed on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cramjam
import numpy as np
import uproot
from uproot.compression import decompress

from e2e.data import crops, ntuple, root_file
from e2e.errors import E2EError

# ROOT's TKey, which every record of a file starts with: bytes of the record, version, bytes when
# decompressed, date, bytes of the header. The header of a TBasket ends with: version, sizes of the buffer
# and of an entry offset, number of entries, where their data end (the header counted), flag.
_KEY = struct.Struct(">ihiIh")
_BASKET = struct.Struct(">hiiiiB")
# The header of a compressed block: method, its version, sizes compressed and decompressed, little-endian.
_BLOCK = struct.Struct("<2sB3s3s")
# What a std::vector begins with: bytes that follow (and a bit that says so), version, number of values.
_VECTOR = struct.Struct(">IhI")
_VECTOR_HEADER = np.dtype([("bytes", ">u4"), ("version", ">i2"), ("values", ">u4")])
_COUNTED = 0x40000000
_DECOMPRESS_INTO = {b"ZL": cramjam.zlib.decompress_into, b"ZS": cramjam.zstd.decompress_into}


def records(
    path: str | Path,
    tree: uproot.TTree,
    name: str,
    shape: tuple[int, int],
    entries: np.ndarray,
    events: range,
) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Records of the frames of each basket that holds some of ``entries`` [N], which ascend.

    Also the entry of the first record, and which of ``entries`` lie in this basket: first and last + 1.
    The next records overwrite them. ``events`` are those that ``entries`` are among.

    Raises E2EError, naming file, branch and event, for a frame that has not rows x columns (``shape``)
    values, and for a basket that cannot be read; also in baskets of ``events`` that hold none of ``entries``.
    """
    branch = tree[name]
    header, item = branch.interpretation.header_bytes, crops.BIG_ENDIAN.itemsize
    size = shape[0] * shape[1]
    stride = header + size * item
    firsts = np.asarray(branch.entry_offsets)
    borders = np.searchsorted(entries, firsts)
    memory = _Memory()
    overlap = (firsts[:-1] < events.stop) & (firsts[1:] > events.start)
    for number in np.flatnonzero(overlap).tolist():
        first = int(firsts[number])
        try:
            data, starts, origin = _read(branch, number, memory)
        except Exception as error:  # damaged bytes can make uproot fail in any way
            raise root_file.damaged(path, error) from None
        count = int(firsts[number + 1]) - first
        if starts != _evenly(count, stride, origin) or len(data) != count * stride:
            lengths = np.diff(np.frombuffer(starts, ">i4"), append=origin + len(data))
            i = int(np.flatnonzero(lengths != stride)[0])
            raise E2EError(
                f"{path}: event {ntuple.event_name(tree, first + i)}: {name} has "
                f"{(lengths[i] - header) // item} values; a frame of "
                f"{shape[0]} x {shape[1]} has {size}"
            )
        found = data.reshape(-1, stride)
        _check_vectors(path, name, number, found, np.full(count, stride))
        if borders[number] < borders[number + 1]:
            yield found, first, borders[number], borders[number + 1]


def check_vectors(path: str | Path, tree: uproot.TTree, name: str) -> None:
    """Raises E2EError, naming file and branch, where a vector of a branch says another length than it has."""
    branch = tree[name]
    for number in range(branch.num_baskets):
        with ntuple.reading(path):
            data, starts, origin = _read(branch, number, _Memory())
            first = np.frombuffer(starts, ">i4") - origin
            lengths = np.diff(first, append=len(data))
            if np.any(lengths < _VECTOR.size):
                raise ValueError(f"basket {number} of {name} does not hold vectors of numbers")
            headers = data[first[:, None] + np.arange(_VECTOR.size)]
        _check_vectors(path, name, number, headers, lengths)


def _check_vectors(
    path: str | Path, name: str, number: int, records: np.ndarray, lengths: np.ndarray
) -> None:
    """Raises E2EError unless ``records`` uint8 [n, >= 10] begin as vectors of ``lengths`` [n] bytes do."""
    stated = np.ascontiguousarray(records[:, : _VECTOR.size]).view(_VECTOR_HEADER)[:, 0]
    whole = (stated["bytes"] & ~np.uint32(_COUNTED)) + 4 == lengths
    if not np.all(whole & (4 * stated["values"].astype(np.int64) + _VECTOR.size == lengths)):
        raise root_file.damaged(
            path, ValueError(f"basket {number} of {name} does not hold vectors of numbers")
        )


@cache
def _evenly(count: int, stride: int, origin: int) -> bytes:
    """Starts of entries of equal length, as ``_read`` returns them."""
    return (origin + stride * np.arange(count)).astype(">i4").tobytes()


class _Memory:
    """Room for one basket at a time."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def room(self, size: int) -> np.ndarray:
        """uint8 [``size``], the same memory each time."""
        if len(self._bytes) < size:
            self._bytes = np.empty(size, np.uint8)
        return self._bytes[:size]


def _read(branch: uproot.TBranch, number: int, memory: _Memory) -> tuple[np.ndarray, bytes, int]:
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
        content = _decompress(record[header:], memory.room(length))
        if content is None:  # LZ4 or LZMA
            key.skip(header)
            content = decompress(chunk, key, {}, size - header, length).raw_data
    # after the data: how many numbers follow, the start of each entry, and another number
    end = last - header
    return content[:end], content[end + 4 : -4].tobytes(), header


def _decompress(blocks: np.ndarray, content: np.ndarray) -> np.ndarray | None:
    """``content``, filled from ``blocks``; None where their method is one to leave to uproot."""
    filled = 0
    while filled < len(content):
        method, _, *sizes = _BLOCK.unpack_from(blocks)
        if method not in _DECOMPRESS_INTO:
            return None
        compressed, size = (int.from_bytes(each, "little") for each in sizes)
        blocks = blocks[_BLOCK.size :]
        if _DECOMPRESS_INTO[method](blocks[:compressed], content[filled : filled + size]) != size:
            raise ValueError(f"a block does not hold {size} bytes")
        blocks = blocks[compressed:]
        filled += size
    return content
