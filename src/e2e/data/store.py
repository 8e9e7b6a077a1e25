"""The sample store: labelled detector crops as sparse hits in parquet, and views of them.

One row is one object. Its hits are two arrays of equal length, ``index`` (uint32, ascending,
``(channel * rows + row) * columns + column``) and ``value`` (float32, never 0), which lie in the file as
bytes. docs/sample-store.md describes it whole. Images are made from the hits when they are asked for,
point clouds and graphs by ``e2e.data.views``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pyarrow as pa

from e2e.data import images, parquet
from e2e.errors import E2EError
from e2e.files import Kind
from e2e.geometry import CONVENTIONS, MIXED, OUTWARD
from e2e.tasks import Channel, Quantity
from e2e.typed import build, parse, shown

FORMAT = 3
MOST_CELLS = 1 << 24  # of a crop; those of jets have 125,000
ROW_GROUP = 128  # rows: of jets, as many hits as a processor's cache holds while they are unpacked
# LZ4 is unpacked a third faster than zstd, for a tenth more bytes.
LAYOUT = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}
REMEDY = "make it with `e2e convert`"
KEY = b"e2e"  # key of the JSON in the parquet schema metadata
_MARK = b"%c%s\x18" % (len(KEY), KEY)  # the key as the footer has it, in Thrift's compact protocol
STORE = Kind(
    "a sample store",
    (".parquet",),
    lambda path: _MARK in parquet.footer(path),
    instead=", or a folder (one that is there, for one file)",
)
# As bytes: lists of numbers take twice as long to read. Of ``index`` the differences, which compress better.
HITS = {"index": np.dtype("<u4"), "value": np.dtype("<f4")}
IDENTITY = {"sample": str, "run": np.uint32, "lumi": np.uint32, "event": np.uint64, "object": np.uint32}
SEED = ("seed_row", "seed_column")


@dataclass(frozen=True)
class Metadata:
    """What a store file says about itself; nothing in it depends on when or where it was written.

    ``channels`` and ``kinematics`` carry names and units, ``rows`` x ``columns`` is the size of a
    crop, ``classes[i]`` the name of target ``i``. ``source`` is the base name of the file the
    sample was made from and ``source_sha256`` its checksum. ``origin`` of its events is one of
    ``e2e simulation`` (this project's), ``simulation``, ``detector data`` and ``unknown``. ``tracks`` tells
    where a track lies in the channels of tracks: ``direction`` of its momentum on the ECAL's face (as
    MLAnalyzer writes them), ``point`` where it meets that face, direction at the ``vertex``; None without
    such channels. ``orientation`` is that of the crops: ``outward`` (see ``Crop``), or None where rows and
    columns run as in the detector. ``rejected`` counts the objects left out, by reason. ``part`` is the part
    of the split that all objects belong to, where the source says so. ``notes`` says what was found out about
    the source.
    """

    task: str
    sample: str
    channels: tuple[Channel, ...]
    rows: int
    columns: int
    kinematics: tuple[Quantity, ...]
    classes: tuple[str, ...]
    source: str
    source_sha256: str
    origin: str
    rejected: dict[str, int]
    tracks: str | None = None
    orientation: str | None = None
    part: str | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a crop."""
        return (len(self.channels), self.rows, self.columns)

    def nothing(self) -> Samples:
        """No objects, described as those of the file are."""
        return Samples(
            **{name: np.empty(0, kind) for name, kind in IDENTITY.items()},
            **{name: np.empty(0, np.float32) for name in (*SEED, "target")},
            kinematics={quantity.name: np.empty(0, np.float32) for quantity in self.kinematics},
            offsets=np.zeros(1, np.int64),
            index=np.empty(0, np.uint32),
            value=np.empty(0, np.float32),
            channels=self.channels,
            classes=self.classes,
            shape=self.shape,
        )

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Raises ValueError where ``text`` is not of this format."""
        content = parse(text)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ValueError("unknown format")
        metadata = build(cls, content)
        if min(metadata.shape) < 1 or math.prod(metadata.shape) > MOST_CELLS:
            raise ValueError(f"crops of {metadata.shape} (channels, rows, columns)")
        if metadata.tracks not in (None, MIXED, *CONVENTIONS):
            raise ValueError(f"tracks at {shown(metadata.tracks)}; known are {', '.join(CONVENTIONS)}")
        if metadata.orientation not in (None, OUTWARD):
            raise ValueError(f"orientation {shown(metadata.orientation)}; known are null and {OUTWARD}")
        return metadata


@dataclass(frozen=True, eq=False)
class Samples:
    """N objects in memory, as columns.

    ``sample``, ``run``, ``lumi``, ``event``, ``object`` [N] identify an object, ``target`` [N] is
    float32 with NaN where there is no truth, ``kinematics`` maps a name to float32 [N], NaN where
    the source has none. ``seed_row`` and ``seed_column`` [N] are the cell of the seed in the detector's frame
    (of a tower, its middle), float32 with NaN where the source does not tell, as by default. The hits of
    object i are ``index[offsets[i]:offsets[i + 1]]`` and the same range of ``value``, in the units
    of ``channels``. ``shape`` is (C, H, W).
    """

    sample: np.ndarray
    run: np.ndarray
    lumi: np.ndarray
    event: np.ndarray
    object: np.ndarray
    target: np.ndarray
    kinematics: dict[str, np.ndarray]
    offsets: np.ndarray
    index: np.ndarray
    value: np.ndarray
    channels: tuple[Channel, ...]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    seed_row: np.ndarray = None  # type: ignore[assignment]
    seed_column: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name in SEED:
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self), np.nan, np.float32))

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, selection: slice | np.ndarray) -> Samples:
        """The objects of a slice, a mask or an array of positions, in that order."""
        rows = np.arange(len(self))[selection]
        start, count = self.offsets[rows], np.diff(self.offsets)[rows]
        offsets, index, value = gather(start, count, self.index, self.value)
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in (*IDENTITY, *SEED, "target")},
            kinematics={name: column[rows] for name, column in self.kinematics.items()},
            offsets=offsets,
            index=index,
            value=value,
        )

    def images(self, selection: slice | np.ndarray | None = None) -> np.ndarray:
        """Frames float32 [N, C, H, W] in the channels' units, of all objects or of ``selection``."""
        rows = np.arange(len(self))[slice(None) if selection is None else selection]
        count = np.diff(self.offsets)[rows]
        return images.images(self.offsets[rows], count, self.index, self.value, self.shape)

    def identity(self) -> pd.DataFrame:
        """Columns sample, run, lumi, event, object: the key that joins results of other stages."""
        return pd.DataFrame({name: getattr(self, name) for name in IDENTITY})

    @classmethod
    def concatenate(cls, parts: Sequence[Samples]) -> Samples:
        """All objects of ``parts``, in order; raises E2EError where these describe different things."""
        first = parts[0]
        for part in parts:
            if (part.channels, part.classes, part.shape, set(part.kinematics)) != (
                first.channels,
                first.classes,
                first.shape,
                set(first.kinematics),
            ):
                raise E2EError(
                    "different channels, units, shape, classes or kinematics cannot be read together: "
                    f"{_describe(first)} and {_describe(part)}"
                )
        counts = np.concatenate([np.diff(part.offsets) for part in parts])
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*IDENTITY, *SEED, "target", "index", "value")
        }
        return replace(
            first,
            **joined,
            kinematics={
                name: np.concatenate([p.kinematics[name] for p in parts]) for name in first.kinematics
            },
            offsets=np.concatenate([[0], np.cumsum(counts)]),
        )


def common(descriptions: Iterable[str | None]) -> str | None:
    """What several samples say of themselves in common, such as their origin; ``mixed`` where they differ."""
    found = set(descriptions)
    return found.pop() if len(found) == 1 else MIXED


def gather(
    start: np.ndarray, count: np.ndarray, index: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of objects one after the other: offsets int64 [N + 1], index and value.

    Those of object i are the ``count[i]`` ones from ``start[i]`` on of ``index`` and ``value``.
    """
    offsets = np.zeros(len(start) + 1, np.int64)
    np.cumsum(count, out=offsets[1:])
    taken = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.float32)
    copy_hits(start, count, index, value, *taken)
    return offsets, *taken


@numba.njit(cache=True, nogil=True)
def copy_hits(start, count, index, value, to_index, to_value):
    """Write the hits that ``gather`` returns to the beginning of ``to_index`` and ``to_value``.

    Raises IndexError where one of them is not there, or has no place.
    """
    place = 0
    for i in range(len(start)):
        beyond = start[i] + count[i] > min(len(index), len(value))
        if start[i] < 0 or count[i] < 0 or beyond or place + count[i] > min(len(to_index), len(to_value)):
            raise IndexError("hits outside their array")
        for hit in range(start[i], start[i] + count[i]):
            to_index[place] = index[hit]
            to_value[place] = value[hit]
            place += 1


def known(values: np.ndarray) -> tuple[np.ndarray, int]:
    """A kinematic quantity [N] of a source as float32, NaN (null in the file) where it is not finite there.

    Also returns how many such values there are, which the converter notes.
    """
    with np.errstate(over="ignore"):  # a float64 beyond float32 is not finite either
        values = np.asarray(values).astype(np.float32)
    finite = np.isfinite(values)
    return np.where(finite, values, np.float32(np.nan)), int(np.count_nonzero(~finite))


def _describe(samples: Samples) -> str:
    channels = ", ".join(f"{channel.name} [{channel.unit}]" for channel in samples.channels)
    return f"({channels}; {' x '.join(map(str, samples.shape))}; {', '.join(samples.classes)})"


def write(path: str | Path, samples: Iterable[Samples], metadata: Metadata) -> None:
    """Write ``samples``, in order, as one store file of row groups of ``ROW_GROUP`` objects.

    The bytes depend on the objects and on ``metadata`` only, not on how ``samples`` is cut into
    pieces. The file appears whole or not at all.
    """
    schema = _schema(metadata)
    groups = (_table(group, schema) for group in _regroup(samples))
    parquet.write(path, schema, groups, bulk=len(HITS), **LAYOUT)


def _regroup(samples: Iterable[Samples]) -> Iterator[Samples]:
    """The same objects in pieces of ``ROW_GROUP``; the last one may be smaller."""
    waiting: list[Samples] = []
    for piece in samples:
        waiting.append(piece)
        if sum(map(len, waiting)) >= ROW_GROUP:
            joined = Samples.concatenate(waiting)
            full = len(joined) - len(joined) % ROW_GROUP
            for start in range(0, full, ROW_GROUP):
                yield joined[start : start + ROW_GROUP]
            waiting = [joined[full:]]
    if sum(map(len, waiting)):
        yield Samples.concatenate(waiting)


def _schema(metadata: Metadata) -> pa.Schema:
    columns = [
        pa.field(name, pa.string() if kind is str else pa.from_numpy_dtype(kind), nullable=False)
        for name, kind in IDENTITY.items()
    ]
    columns += [(name, pa.float32()) for name in (*SEED, "target")]
    columns += [(quantity.name, pa.float32()) for quantity in metadata.kinematics]
    columns += [pa.field(name, pa.binary(), nullable=False) for name in HITS]
    return pa.schema(columns, metadata={KEY: metadata.to_json().encode()})


def _table(samples: Samples, schema: pa.Schema) -> pa.Table:
    columns = {name: getattr(samples, name) for name in IDENTITY}
    numbers = {name: getattr(samples, name) for name in (*SEED, "target")}
    numbers |= {name: known(c)[0] for name, c in samples.kinematics.items()}
    columns |= {name: pa.array(column, pa.float32(), from_pandas=True) for name, column in numbers.items()}
    columns["index"] = _bytes(_differences(samples.offsets, samples.index), samples.offsets, HITS["index"])
    columns["value"] = _bytes(samples.value, samples.offsets, HITS["value"])
    return pa.table([pa.array(columns[name]) for name in schema.names], schema=schema)


def _bytes(numbers: np.ndarray, offsets: np.ndarray, kind: np.dtype) -> pa.BinaryArray:
    """The numbers of each object as bytes."""
    ends = pa.py_buffer((offsets * kind.itemsize).astype(np.int32))
    content = pa.py_buffer(np.ascontiguousarray(numbers, kind))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, ends, content])


def _numbers(column: pa.ChunkedArray, kind: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Offsets int64 [N + 1] and numbers that ``_bytes`` made a column of; copied only if it is in pieces."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    _, ends, content = array.buffers()
    ends = np.frombuffer(ends, np.int32)[array.offset :][: len(array) + 1].astype(np.int64)
    if np.any(ends % kind.itemsize):
        raise ValueError("not a whole number of numbers")
    first, last = (int(end) for end in ends[[0, -1]])
    numbers = np.frombuffer(content or b"", kind, (last - first) // kind.itemsize, first if content else 0)
    return (ends - first) // kind.itemsize, numbers


def _differences(offsets: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Each index less the one before it in its object; the first one as it is."""
    differences = np.diff(index, prepend=np.uint32(0))
    firsts = offsets[:-1][np.diff(offsets) > 0]
    differences[firsts] = index[firsts]
    return differences


@numba.njit(cache=True, nogil=True)
def _sums(offsets, differences, cells):
    """What ``_differences`` was made from, and whether all indices ascend from 0 to below ``cells``."""
    index = np.empty(len(differences), np.uint32)
    valid = True
    for i in range(len(offsets) - 1):
        last = np.int64(-1)
        if not 0 <= offsets[i] <= offsets[i + 1] <= len(differences):
            raise ValueError("offsets outside the hits")
        for hit in range(offsets[i], offsets[i + 1]):
            here = differences[hit] + max(last, 0)
            valid &= last < here < cells
            index[hit] = last = here
    return index, valid


def read(paths: str | Path | Sequence[str | Path]) -> Samples:
    """All objects of one store file, or of several in the order given, in memory.

    Raises E2EError for a file that is not a store, or for files that describe different things.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    if not paths:
        raise E2EError("no sample store to read; name at least one .parquet file")
    files = [StoreFile(path) for path in paths]
    return Samples.concatenate(
        [piece for file in files for piece in (file.metadata.nothing(), *file.groups())]
    )


def iterate(path: str | Path) -> Iterator[Samples]:
    """The objects of a store file, one row group at a time."""
    return StoreFile(path).groups()


def read_metadata(path: str | Path) -> Metadata:
    """What a store file says about itself; raises E2EError when it is not a store."""
    return StoreFile(path).metadata


class StoreFile:
    """An open store file, read by row group in the calling thread alone, so that several may read.

    ``metadata`` is what it says about itself, ``rows`` and ``hits`` are the numbers of objects and of
    hits (or a little more) in each row group. Raises E2EError for a file that is not a store.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file = parquet.File(path, REMEDY, bulk=len(HITS))
        self.schema, self.rows = self._file.schema, self._file.rows
        try:
            self.metadata = Metadata.from_json((self.schema.metadata or {})[KEY])
        except KeyError:
            raise E2EError(f"{path}: a parquet file, but not a sample store; {REMEDY}") from None
        except ValueError as error:
            raise E2EError(f"{path}: not a sample store of format {FORMAT} ({error}); {REMEDY}") from None
        if not self.schema.equals(_schema(self.metadata)):
            raise E2EError(f"{path}: columns do not match the metadata of the sample store; {REMEDY}")
        groups = range(len(self.rows))
        said = [max(self._file.uncompressed(group, name) for name in HITS) for group in groups]
        self.hits = [size // HITS["value"].itemsize for size in said]
        cells = math.prod(self.metadata.shape)
        if any(hits > rows * (cells + 2) + 1024 for hits, rows in zip(self.hits, self.rows, strict=True)):
            raise E2EError(f"{path}: says that it holds more hits than cells; {REMEDY}")

    def __reduce__(self):
        return StoreFile, (self.path,)  # another process opens it anew

    def samples(self, group: int) -> Samples:
        """The objects of a row group."""
        return self._samples(self._file.read_group(group), self.hits[group])

    def groups(self) -> Iterator[Samples]:
        """The objects, one row group at a time."""
        return (self.samples(group) for group in range(len(self.rows)))

    def hits_of(self, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets, index and value of a row group, as in ``Samples``."""
        return self._hits(self._file.read_group(group, list(HITS)), self.hits[group])

    def objects(self) -> pd.DataFrame:
        """Identity, target and kinematics of all objects, one row each; their hits are not read."""
        columns = [name for name in self.schema.names if name not in HITS]
        objects = self._file.read(columns).to_pandas()
        self._check(objects["target"].to_numpy())
        return objects

    def _samples(self, table: pa.Table, most: int) -> Samples:
        offsets, index, value = self._hits(table, most)
        self._check(table["target"].to_numpy())
        return Samples(
            sample=table["sample"].to_numpy().astype(str),
            **{name: table[name].to_numpy() for name in ("run", "lumi", "event", "object", *SEED, "target")},
            kinematics={
                quantity.name: table[quantity.name].to_numpy() for quantity in self.metadata.kinematics
            },
            offsets=offsets,
            index=index,
            value=value,
            channels=self.metadata.channels,
            classes=self.metadata.classes,
            shape=self.metadata.shape,
        )

    def _check(self, target: np.ndarray) -> None:
        classes = self.metadata.classes
        if classes and not np.all(np.isnan(target) | np.isin(target, np.arange(len(classes)))):
            raise E2EError(f"{self.path}: a target is none of the {len(classes)} classes; {REMEDY}")

    def _hits(self, table: pa.Table, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shape = self.metadata.shape
        try:
            offsets, differences = _numbers(table["index"], HITS["index"])
            others, value = _numbers(table["value"], HITS["value"])
            index, valid = _sums(offsets, differences, math.prod(shape))
        except ValueError:
            valid = False
        if not valid or len(index) > most or not np.array_equal(offsets, others):
            raise E2EError(f"{self.path}: hits do not fit a crop of {shape}; {REMEDY}")
        return offsets, index, value
