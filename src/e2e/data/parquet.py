"""Parquet files that show damage: checksums of all their bytes are in the footer, and compared when read.

Parquet's own checksums of pages cover neither the headers of the pages (a float column then reads as another
encoding says) nor the footer, and whoever writes a file again may leave them out. Here the key ``KEY`` of
the file's metadata holds CRC-32 in hexadecimal: that of the footer, with zeros in its own place, then that of
each row group, or of its two parts: the last columns (``bulk``) and those before, each of which is then read
without the other. A footer is not parsed before it has been compared. Other readers of parquet ignore the
key; a file that they write again no longer fits it and is refused.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from e2e.errors import E2EError
from e2e.files import ordinary, whole

KEY = "e2e_checksums"
ATTRS = "PANDAS_ATTRS"  # where pandas keeps the ``attrs`` of a table
MAGIC = b"PAR1"
DIGITS = 8  # of a checksum
# The key and its value as the footer has them (Thrift's compact protocol): the type of the second field of a
# struct, a varint with the length, the text, and the end of the struct.
_CHECKSUMS = re.compile(rb"%s\x18[\x80-\xff]*[\x00-\x7f]([0-9a-f]+)\x00" % KEY.encode())


def write(
    path: str | Path, schema: pa.Schema, groups: Iterable[pa.Table], bulk: int = 0, **layout: Any
) -> None:
    """Write each of ``groups`` as a row group; the file appears whole or not at all.

    ``bulk`` last columns can be read without the others, and the others without them. ``layout`` goes to
    ``pyarrow.parquet.ParquetWriter``.
    """
    with whole(path) as scratch:
        parts = 0
        with pq.ParquetWriter(scratch, schema, **layout) as writer:
            for group in groups:
                writer.write_table(group, row_group_size=len(group))
                parts += len(_cuts(len(schema), bulk))
            writer.add_key_value_metadata({KEY: "0" * DIGITS * (1 + max(parts, 1))})
        _put_checksums(scratch, bulk)


def footer(path: str | Path) -> bytes:
    """The footer of a parquet file, as it is: nothing in it is believed; empty where there is none."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 8, 0))
            end = file.read(8)
            length = int.from_bytes(end[:4], "little") + 8
            if end[4:] != MAGIC or length > size:
                return b""
            file.seek(size - length)
            return file.read(length - 8)
    except OSError:
        return b""


def write_table(path: str | Path, table: pd.DataFrame | pa.Table) -> None:
    """Write a table of results, with its ``attrs``, that ``read_table`` and pandas read; never half of it."""
    if isinstance(table, pd.DataFrame):
        attrs = {ATTRS: json.dumps(table.attrs)} if table.attrs else {}
        table = pa.Table.from_pandas(table, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **attrs})
    groups = [table] if len(table) else []
    write(path, table.schema, groups, compression="zstd", use_dictionary=False)


def read_table(path: str | Path, remedy: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A table of ``write_table`` that must have ``columns``; raises E2EError, which ends in ``remedy``."""
    file = File(path, remedy)
    for name in columns:
        if name not in file.schema.names:
            raise E2EError(f"{path}: column {name} is missing; {remedy}")
    table = file.read().to_pandas()
    table.attrs = json.loads((file.schema.metadata or {}).get(ATTRS.encode(), "{}"))
    return table


class File:
    """An open file of ``write``, mapped into memory; several threads may read it, each in itself alone.

    ``rows`` are the numbers of rows of the row groups. All methods raise E2EError, which names the file, says
    what is wrong and ends in ``remedy``, for a file that is missing, no parquet, not as ``write`` left it, or
    damaged in what is read.
    """

    def __init__(self, path: str | Path, remedy: str, bulk: int = 0):
        self.path, self.remedy = Path(path), remedy
        try:
            self._content = pa.memory_map(str(ordinary(path))).read_buffer()
        except FileNotFoundError:
            raise E2EError(f"{path}: no such file") from None
        except (pa.ArrowException, OSError) as error:
            raise self._error(f"cannot be read ({error})") from None
        self._bytes = memoryview(self._content)
        if self._bytes[-4:] != MAGIC:
            raise self._error("not a readable parquet file, or cut off")
        found = _footer(self._bytes)
        if found is None:
            raise self._error("has no checksums: of an older version, or written by another program")
        first, place, checksums = found
        own = self._bytes[place : place + DIGITS]
        if _crc(self._bytes[first:place], b"0" * DIGITS, self._bytes[place + DIGITS : -8]) != bytes(own):
            raise self._error("its footer is damaged, or written again by another program")
        try:
            self._file = pq.ParquetFile(pa.BufferReader(self._content))
            metadata = self._file.metadata
            self.rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            self.schema: pa.Schema = self._file.schema_arrow
            cuts = _cuts(len(self.schema), bulk)
            edges = _edges(metadata, cuts, first)
        except (pa.ArrowException, OSError, IndexError) as error:
            raise self._error(f"not a readable parquet file ({error})") from None
        if edges != sorted(edges) or DIGITS * len(edges) != len(checksums):
            raise self._error("a parquet file of another kind")
        sums = [checksums[at : at + DIGITS] for at in range(DIGITS, len(checksums), DIGITS)]
        self._parts = list(zip(pairwise(edges), sums, strict=True))
        self._names = [set(self.schema.names[start:end]) for start, end in pairwise([*cuts, None])]

    def uncompressed(self, group: int, column: str) -> int:
        """Bytes that a column of a row group says to have."""
        number = self.schema.names.index(column)
        return self._file.metadata.row_group(group).column(number).total_uncompressed_size

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of all columns, or of some."""
        for group in range(len(self.rows)):
            self._compare(group, columns)
        return self._read(len(self), lambda: self._file.read(columns=columns, use_threads=False))

    def read_group(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a row group of all columns, or of some."""
        self._compare(group, columns)
        return self._read(
            self.rows[group],
            lambda: self._file.read_row_group(group, columns=columns, use_threads=False),
        )

    def __len__(self) -> int:
        return sum(self.rows)

    def _read(self, rows: int, read: Callable[[], pa.Table]) -> pa.Table:
        try:
            table = read()
            table.validate()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._error(f"cannot be read ({str(error).splitlines()[0]})") from None
        if len(table) != rows:
            raise self._error(f"holds {len(table)} rows where it says {rows}")
        return table

    def _compare(self, group: int, columns: Sequence[str] | None) -> None:
        names = set(self.schema.names if columns is None else columns)
        parts = self._parts[group * len(self._names) :]
        for own, ((start, end), checksum) in zip(self._names, parts, strict=False):
            if own & names and _crc(self._bytes[start:end]) != checksum:
                raise self._error(f"row group {group} is damaged: its checksum differs")

    def _error(self, reason: str) -> E2EError:
        return E2EError(f"{self.path}: {reason}; {self.remedy}")


def _footer(content: memoryview) -> tuple[int, int, bytes] | None:
    """Where the footer begins and, in the whole, its checksums, and these; None where it has none."""
    first = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    matches = list(_CHECKSUMS.finditer(content[first:-8])) if first > 0 else []
    if not matches:
        return None
    return first, first + matches[-1].start(1), matches[-1][1]


def _edges(metadata: pq.FileMetaData, cuts: Sequence[int], footer: int) -> list[int]:
    """Where each part of each row group begins, the first one at 0, and where the last one ends."""
    edges = []
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        firsts = [columns.column(cut) for cut in cuts]
        edges += [column.dictionary_page_offset or column.data_page_offset for column in firsts]
    return [0, *edges[1:], footer]


def _put_checksums(path: Path, bulk: int) -> None:
    """Replace the zeros that ``write`` has put where the checksums belong."""
    content = memoryview(pa.memory_map(str(ordinary(path))).read_buffer())
    first, place, zeros = _footer(content)
    metadata = pq.read_metadata(path)
    edges = _edges(metadata, _cuts(metadata.num_columns, bulk), first)
    checksums = b"".join(_crc(content[start:end]) for start, end in pairwise(edges))
    own = _crc(content[first:place], b"0" * DIGITS, checksums, content[place + len(zeros) : -8])
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(own + checksums)


def _cuts(columns: int, bulk: int) -> list[int]:
    """The column with which each part of a row group begins."""
    return [0, max(columns - bulk, 0)] if bulk else [0]


def _crc(*pieces: bytes | memoryview) -> bytes:
    """CRC-32 of the pieces one after the other, as hexadecimal digits."""
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return b"%08x" % crc
