"""Images of fixed size in HDF5 or in nested parquet lists, read a batch at a time.

A batch bounds the memory whatever the size of the file and of its row groups: the public parquet files hold
one row group an image, others may hold a single one. Chunks of HDF5 that reach over more images than a batch
are kept unpacked until these are read. What a file says of its sizes is compared with what it holds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from e2e.errors import E2EError
from e2e.files import beginning

BATCH_BYTES = 32 * 2**20  # of images as the file holds them; a few copies of a batch are in memory at once
CHUNK_BYTES = 2 * 2**30  # of unpacked chunks in memory at once: as much as the largest public file of crops
PACKERS = {1, 2, 3, 32000}  # HDF5's filters deflate, shuffle, fletcher32, lzf,
INFLATED = 1100  # which make at most as many bytes of one (deflate: 1032)


class ImageFile(ABC):
    """An open file: ``names`` of its columns, and their contents as arrays. A context manager."""

    path: Path
    names: tuple[str, ...]

    @abstractmethod
    def rows(self, name: str) -> int:
        """Length of column ``name``."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, int, int]:
        """(C, H, W) of the images of column ``name``; raises E2EError for a column of something else."""

    @abstractmethod
    def images(self, name: str, channels: int) -> Iterator[np.ndarray]:
        """The first ``channels`` channels of all images of a column, in batches float32 [n, C, H, W].

        Raises E2EError for an image of another shape than the first, for another number of images than the
        file says, and for a damaged file.
        """

    @abstractmethod
    def numbers(self, name: str) -> np.ndarray:
        """A column of one number a row, float64; raises E2EError for a column of something else."""

    def misplaced(self, names: Collection[str]) -> str | None:
        """Where in the file a column of one of ``names`` is that cannot be read there, and what to do."""
        return None

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> ImageFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_file(path: str | Path) -> ImageFile | None:
    """An HDF5 or parquet file, known by its first bytes; None for a file of another format.

    Raises E2EError for a file that cannot be opened, or that is cut off.
    """
    path = Path(path)
    magic, _ = beginning(path, 8)
    if magic.startswith(b"PAR1"):
        return Parquet(path)
    if magic.startswith(b"root"):
        return None
    # also behind a user block: 512, 1024, 2048 ... bytes that a writer may keep for other things
    return HDF5(path) if h5py.is_hdf5(path) else None


class HDF5(ImageFile):
    """A column is a dataset at the top of the file; images have their channels last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: dict[str, h5py.Dataset] = {}
        with _reading(path):
            self._file = h5py.File(path, "r")
            links = {name: self._file.get(name, getlink=True) for name in self._file}
            self._links = [name for name, link in links.items() if not isinstance(link, h5py.HardLink)]
            hard = [name for name in links if name not in self._links]
            self.names = tuple(name for name in hard if self._file.get(name, getclass=True) is h5py.Dataset)

    def misplaced(self, names: Collection[str]) -> str | None:
        with _reading(self.path):
            deeper = self._file.visit(lambda name: name if name.rpartition("/")[2] in names else None)
        if deeper:
            return f"{deeper} is inside a group; copy it to the top of a file (h5copy -s {deeper} -d NAME)"
        linked = ", ".join(name for name in self._links if name in names)
        return f"{linked} is a link to elsewhere; copy what it leads to into one file" if linked else None

    def rows(self, name: str) -> int:
        shape = self._column(name).shape
        return shape[0] if shape else 1

    def shape(self, name: str) -> tuple[int, int, int]:
        images = self._column(name)
        if images.shape is None or images.ndim != 4 or images.dtype.kind not in "fiu":
            raise E2EError(
                f"{self.path}: {name} is {images.dtype} {images.shape}; expected numbers in "
                "(objects, rows, columns, channels)"
            )
        _, rows, columns, channels = images.shape
        return channels, rows, columns

    def images(self, name: str, channels: int) -> Iterator[np.ndarray]:
        images = self._column(name)
        batch = _batch(images)
        slab = images.chunks[0] if images.chunks else 1
        if slab <= batch:  # whole chunks, so that each is unpacked once
            batch -= batch % slab
        for first in range(0, len(images), max(slab, batch)):
            end = min(first + max(slab, batch), len(images))
            for start in range(first, end, batch):
                with _reading(self.path):
                    values = images[start : min(start + batch, end)]
                yield _float32(np.moveaxis(values[..., :channels], -1, 1))

    def numbers(self, name: str) -> np.ndarray:
        column = self._column(name)
        if column.size != self.rows(name) or column.dtype.kind not in "fiub":
            raise E2EError(
                f"{self.path}: {name} is {column.dtype} {column.shape}; expected one number for each row"
            )
        with _reading(self.path):
            return column[()].reshape(-1).astype(np.float64)

    def close(self) -> None:
        with _reading(self.path):
            self._columns.clear()
            self._file.close()

    def _column(self, name: str) -> h5py.Dataset:
        """A dataset whose values are all in the file, to be read chunk by chunk."""
        if name not in self._columns:
            with _reading(self.path):
                column = self._file[name]
                if column.size and column.dtype.kind in "fiub":
                    self._check_storage(name, column)
                    unpacked, slots = self._unpacked(name, column)
                    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
                    access.set_chunk_cache(slots, unpacked, 1.0)
                    del column  # open, it would lend the new one its own cache
                    column = h5py.Dataset(h5py.h5d.open(self._file.id, name.encode(), access))
                self._columns[name] = column
        return self._columns[name]

    def _check_storage(self, name: str, column: h5py.Dataset) -> None:
        """Raises E2EError for values that the file says it has but does not, or that cannot be read here."""
        if column.is_virtual or column.external:
            raise E2EError(
                f"{self.path}: {name} is kept in other files, which may change without it; copy it into one "
                "(h5repack)"
            )
        properties = column.id.get_create_plist()
        filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
        for code, _, _, label in filters:
            if not h5py.h5z.filter_avail(code):
                raise E2EError(
                    f"{self.path}: {name} is packed by filter {code} ({label.decode(errors='replace')}), "
                    "which is not installed here; write it with gzip where it is (h5repack -f GZIP=4)"
                )
        stated, held = math.prod(column.shape) * column.dtype.itemsize, column.id.get_storage_size()
        if column.chunks is None:
            complete = held == stated
        else:
            stored: list[int] = []
            column.id.chunk_iter(lambda chunk: stored.append(chunk.size))
            complete = len(stored) == math.prod(map(_parts, column.shape, column.chunks))
            if {code for code, *_ in filters} <= PACKERS:
                least = math.prod(column.chunks) * column.dtype.itemsize // INFLATED
                complete &= min(stored, default=0) >= least
        if not complete:
            shape = " x ".join(map(str, column.shape))
            raise E2EError(
                f"{self.path}: damaged file (of the {shape} numbers of {name} not all are there); fetch or "
                "write it again"
            )

    def _unpacked(self, name: str, column: h5py.Dataset) -> tuple[int, int]:
        """Bytes of unpacked chunks to keep, so that each is unpacked once, and slots to find them in."""
        if not column.chunks:
            return 0, 1
        parts = list(map(_parts, column.shape[1:], column.chunks[1:]))
        together = math.prod(parts) if column.chunks[0] > _batch(column) else 1
        unpacked = together * math.prod(column.chunks) * column.dtype.itemsize
        if unpacked > CHUNK_BYTES:
            raise E2EError(
                f"{self.path}: {name} is stored in chunks of {' x '.join(map(str, column.chunks))}, which "
                f"take {unpacked / 1e9:.1f} GB of memory at a time; write it with smaller ones (h5repack -l "
                f"{name}:CHUNK={'x'.join(map(str, (1, *column.shape[1:])))})"
            )
        # HDF5 finds a chunk by the bits of its place along each axis: no two of one row of chunks in one slot
        return unpacked, math.prod(1 << (part - 1).bit_length() for part in parts)


class Parquet(ImageFile):
    """Images are nested lists [channels][rows][columns] of numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path):
            # Through a small buffer and never ahead: else a large row group would be in memory as a whole
            self._file = pq.ParquetFile(
                path, buffer_size=2**20, pre_buffer=False, page_checksum_verification=True
            )
            self._schema = self._file.schema_arrow
            self.names = tuple(self._schema.names)
            metadata = self._file.metadata
            self._groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            if min(self._groups, default=0) < 0 or sum(self._groups) != metadata.num_rows:
                raise ValueError(f"{metadata.num_rows} rows, but {sum(self._groups)} in its row groups")
            if len(set(self.names)) < len(self.names):
                raise ValueError("two columns of one name")

    def rows(self, name: str) -> int:
        return sum(self._groups)

    def shape(self, name: str) -> tuple[int, int, int]:
        self._check_values(name, BATCH_BYTES // 8)
        with _reading(self.path):
            level = next(self._file.iter_batches(1, columns=[name])).column(0)
            shape = []
            while _is_list(level.type) and len(level):
                shape.append(pc.list_value_length(level)[0].as_py())
                level = level.flatten()
        if len(shape) != 3 or not _is_number(level.type):
            raise E2EError(
                f"{self.path}: {name} is {self._schema.field(name).type}; expected lists of numbers "
                "[channels][rows][columns]"
            )
        return tuple(shape)

    def images(self, name: str, channels: int) -> Iterator[np.ndarray]:
        shape = self.shape(name)
        self._check_values(name, math.prod(shape))
        rows = max(1, BATCH_BYTES // max(1, 8 * math.prod(shape)))
        with _reading(self.path):
            batches = self._file.iter_batches(rows, columns=[name], use_threads=False)
        start = 0
        while True:
            with _reading(self.path):
                batch = next(batches, None)
            if batch is None:
                break
            images = self._dense(batch.column(0), shape, name, start)
            start += len(images)
            yield _float32(images[:, :channels])
        if start != self.rows(name):
            raise E2EError(
                f"{self.path}: damaged file ({name} holds {start} of {self.rows(name)} images); fetch or "
                "write it again"
            )

    def _dense(self, lists: pa.Array, shape: tuple[int, ...], name: str, start: int) -> np.ndarray:
        """Nested lists as an array [rows, *shape], without a Python object for each number."""
        rows = len(lists)
        for depth, size in enumerate(shape):
            lengths = pc.list_value_length(lists).fill_null(-1).to_numpy()
            for wrong in np.flatnonzero(lengths != size)[:1]:
                raise E2EError(
                    f"{self.path}: {name} at row {start + wrong // int(np.prod(shape[:depth]))} is not "
                    f"{' x '.join(map(str, shape))} like the first row; fetch or write the file again"
                )
            lists = lists.flatten()
        return lists.to_numpy(zero_copy_only=False).reshape(rows, *shape)  # null becomes NaN

    def numbers(self, name: str) -> np.ndarray:
        if not _is_number(kind := self._schema.field(name).type):
            raise E2EError(f"{self.path}: {name} is {kind}; expected one number for each row")
        with _reading(self.path):
            column = self._file.read([name], use_threads=False).column(0)
            return column.cast(pa.float64(), safe=False).to_numpy()  # null becomes NaN

    def _check_values(self, name: str, most: int) -> None:
        """Raises E2EError where a row group says that it holds more than ``most`` numbers a row.

        A few bytes can stand for a billion equal numbers, which are not to be read before they are counted.
        """
        metadata = self._file.metadata
        with _reading(self.path):
            leaves = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
            leaf = next(i for i, path in enumerate(leaves) if path.split(".")[0] == name)
        for group, rows in enumerate(self._groups):
            values = metadata.row_group(group).column(leaf).num_values
            if not 0 <= values <= rows * most:
                raise E2EError(
                    f"{self.path}: {name} has {values} numbers in the {rows} rows of row group {group}, of "
                    f"which each holds at most {most}; fetch or write the file again"
                )

    def close(self) -> None:
        self._file.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what the libraries say of a damaged file, in whatever kind of exception, into one line."""
    try:
        yield
    except E2EError:
        raise
    except BlockingIOError:
        raise E2EError(f"{path}: another program has it open to write; wait until it has closed it") from None
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        if "h5clear" in message:
            raise E2EError(
                f"{path}: the program that wrote it did not close it; write it again, or mend it (h5clear -s)"
            ) from None
        raise E2EError(f"{path}: damaged file ({message}); fetch or write it again") from None


def _batch(images: h5py.Dataset) -> int:
    """Number of images in a batch."""
    return max(1, BATCH_BYTES // max(1, images.dtype.itemsize * math.prod(images.shape[1:])))


def _parts(size: int, part: int) -> int:
    """Number of parts that cover ``size``."""
    return -(-size // part)


def _float32(images: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large a number becomes infinite, which nobody takes for a hit
        return np.ascontiguousarray(images, np.float32)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)
