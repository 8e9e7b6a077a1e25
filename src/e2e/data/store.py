"""The sample store: labelled detector crops as sparse hits in parquet, and views of them.

One row is one object. Its hits are two lists of equal length, ``index`` (uint32, ascending,
``(channel * rows + row) * columns + column``) and ``value`` (float32, never 0). docs/sample-store.md
describes the whole file. Images are made from the hits when they are asked for, point clouds and
graphs by ``e2e.data.views``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from e2e.data import views
from e2e.errors import E2EError
from e2e.files import whole
from e2e.tasks import Channel, Quantity

FORMAT = 1
ROW_GROUP = 128  # rows: of jets, as many hits as a processor's cache holds while they are unpacked
# Measured on jets: ascending pixels as differences take a third of the space, and LZ4 is unpacked a third
# faster than zstd, for a tenth more bytes.
LAYOUT = {
    "compression": "lz4",
    "use_dictionary": False,
    "column_encoding": {"index.list.element": "DELTA_BINARY_PACKED"},
}
KEY = b"e2e"  # key of the JSON in the parquet schema metadata
# Never null, which spares a reader the question for each hit.
HITS = {
    "index": pa.list_(pa.field("element", pa.uint32(), nullable=False)),
    "value": pa.list_(pa.field("element", pa.float32(), nullable=False)),
}
IDENTITY = {"sample": str, "run": np.uint32, "lumi": np.uint32, "event": np.uint64, "object": np.uint32}


@dataclass(frozen=True)
class Metadata:
    """What a store file says about itself; nothing in it depends on when or where it was written.

    ``channels`` and ``kinematics`` carry names and units, ``rows`` x ``columns`` is the size of a
    crop, ``classes[i]`` the name of target ``i``. ``source`` is the base name of the file the
    sample was made from and ``source_sha256`` its checksum. ``simulation`` says whether that file
    holds generator truth. ``rejected`` counts the objects left out, by reason. ``part`` is the part
    of the split that all objects belong to, where the source says so. ``notes`` says what was found
    out about the source.
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
    simulation: bool
    rejected: dict[str, int]
    part: str | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a crop."""
        return (len(self.channels), self.rows, self.columns)

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Raises AttributeError, KeyError, TypeError or ValueError where ``text`` is not of this format."""
        content = json.loads(text)
        if content.pop("format") != FORMAT:
            raise ValueError("unknown format")
        content["channels"] = tuple(Channel(**channel) for channel in content["channels"])
        content["kinematics"] = tuple(Quantity(**quantity) for quantity in content["kinematics"])
        return cls(**{**content, "classes": tuple(content["classes"])})


@dataclass(frozen=True, eq=False)
class Samples:
    """N objects in memory, as columns.

    ``sample``, ``run``, ``lumi``, ``event``, ``object`` [N] identify an object, ``target`` [N] is
    float32 with NaN where there is no truth, ``kinematics`` maps a name to float32 [N], NaN where
    the source has none. The hits of
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

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, selection: slice | np.ndarray) -> Samples:
        """The objects of a slice, a mask or an array of positions, in that order."""
        rows = np.arange(len(self))[selection]
        start, count = self.offsets[rows], np.diff(self.offsets)[rows]
        offsets, index, value = gather(start, count, self.index, self.value)
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in (*IDENTITY, "target")},
            kinematics={name: column[rows] for name, column in self.kinematics.items()},
            offsets=offsets,
            index=index,
            value=value,
        )

    def images(self, selection: slice | np.ndarray | None = None) -> np.ndarray:
        """Frames float32 [N, C, H, W] in the channels' units, of all objects or of ``selection``."""
        rows = np.arange(len(self))[slice(None) if selection is None else selection]
        count = np.diff(self.offsets)[rows]
        return views.images(self.offsets[rows], count, self.index, self.value, self.shape)

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
        return replace(
            first,
            **{
                name: np.concatenate([getattr(part, name) for part in parts])
                for name in (*IDENTITY, "target", "index", "value")
            },
            kinematics={
                name: np.concatenate([p.kinematics[name] for p in parts]) for name in first.kinematics
            },
            offsets=np.concatenate([[0], np.cumsum(counts)]),
        )


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
    """Write the hits that ``gather`` returns to the beginning of ``to_index`` and ``to_value``."""
    place = 0
    for i in range(len(start)):
        for hit in range(start[i], start[i] + count[i]):
            to_index[place] = index[hit]
            to_value[place] = value[hit]
            place += 1


def _describe(samples: Samples) -> str:
    channels = ", ".join(f"{channel.name} [{channel.unit}]" for channel in samples.channels)
    return f"({channels}; {' x '.join(map(str, samples.shape))}; {', '.join(samples.classes)})"


def write(path: str | Path, samples: Iterable[Samples], metadata: Metadata) -> None:
    """Write ``samples``, in order, as one store file of row groups of ``ROW_GROUP`` objects.

    The bytes depend on the objects and on ``metadata`` only, not on how ``samples`` is cut into
    pieces. The file appears whole or not at all.
    """
    schema = _schema(metadata)
    with whole(path) as scratch, pq.ParquetWriter(scratch, schema, **LAYOUT) as writer:
        for group in _regroup(samples):
            writer.write_table(_table(group, schema))


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
        (name, pa.string() if kind is str else pa.from_numpy_dtype(kind)) for name, kind in IDENTITY.items()
    ]
    columns += [("target", pa.float32())]
    columns += [(quantity.name, pa.float32()) for quantity in metadata.kinematics]
    columns += [pa.field(name, kind, nullable=False) for name, kind in HITS.items()]
    return pa.schema(columns, metadata={KEY: metadata.to_json().encode()})


def _table(samples: Samples, schema: pa.Schema) -> pa.Table:
    offsets = pa.array(samples.offsets, pa.int32())
    columns = {name: getattr(samples, name) for name in IDENTITY}
    known = {"target": samples.target, **samples.kinematics}
    columns |= {name: pa.array(column, pa.float32(), from_pandas=True) for name, column in known.items()}
    columns |= {
        name: pa.ListArray.from_arrays(offsets, pa.array(getattr(samples, name)), type=kind)
        for name, kind in HITS.items()
    }
    return pa.table([pa.array(columns[name]) for name in schema.names], schema=schema)


def read(paths: str | Path | Sequence[str | Path]) -> Samples:
    """All objects of one store file, or of several in the order given, in memory.

    Raises E2EError for a file that is not a store, or for files that describe different things.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    if not paths:
        raise E2EError("no sample store to read; name at least one .parquet file")
    files = [StoreFile(path) for path in paths]
    return Samples.concatenate([piece for file in files for piece in (file.nothing(), *file.groups())])


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
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except FileNotFoundError:
            raise E2EError(f"{path}: no such file") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise E2EError(
                f"{path}: not a readable parquet file ({error}); make it with `e2e convert`"
            ) from None
        self.schema = self._file.schema_arrow
        try:
            self.metadata = Metadata.from_json((self.schema.metadata or {})[KEY])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise E2EError(
                f"{path}: a parquet file, but not a sample store of format {FORMAT}; "
                "make one with `e2e convert`"
            ) from None
        if not self.schema.equals(_schema(self.metadata)):
            raise E2EError(
                f"{path}: columns do not match the metadata of the sample store; "
                "make it anew with `e2e convert`"
            )
        groups = [self._file.metadata.row_group(group) for group in range(self._file.num_row_groups)]
        self.rows = [group.num_rows for group in groups]
        self.hits = [group.column(group.num_columns - 1).num_values for group in groups]

    def __reduce__(self):
        return StoreFile, (self.path,)  # another process opens it anew

    def nothing(self) -> Samples:
        """No objects, described as those of the file are."""
        return self._samples(self.schema.empty_table())

    def samples(self, group: int) -> Samples:
        """The objects of a row group."""
        return self._samples(self._file.read_row_group(group, use_threads=False))

    def groups(self) -> Iterator[Samples]:
        """The objects, one row group at a time."""
        return (self.samples(group) for group in range(len(self.rows)))

    def hits_of(self, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets, index and value of a row group, as in ``Samples``."""
        return self._hits(self._file.read_row_group(group, columns=list(HITS), use_threads=False))

    def objects(self) -> pd.DataFrame:
        """Identity, target and kinematics of all objects, one row each; their hits are not read."""
        columns = [name for name in self.schema.names if name not in HITS]
        return self._file.read(columns=columns, use_threads=False).to_pandas()

    def _samples(self, table: pa.Table) -> Samples:
        offsets, index, value = self._hits(table)
        return Samples(
            sample=table["sample"].to_numpy().astype(str),
            **{name: table[name].to_numpy() for name in ("run", "lumi", "event", "object", "target")},
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

    def _hits(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lists = [_one(table[name]) for name in HITS]
        index, value = (column.flatten().to_numpy() for column in lists)
        offsets, others = (column.offsets.to_numpy() for column in lists)
        offsets, others = (each.astype(np.int64) - each[0] for each in (offsets, others))
        shape = self.metadata.shape
        if not np.array_equal(offsets, others) or index.max(initial=0) >= np.prod(shape):
            raise E2EError(
                f"{self.path}: hits do not fit a crop of {shape}; make the file anew with `e2e convert`"
            )
        return offsets, index, value


def _one(column: pa.ChunkedArray) -> pa.ListArray:
    """A column in one piece, copied only where it has several."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
