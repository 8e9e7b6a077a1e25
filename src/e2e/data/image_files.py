"""Images of fixed size in HDF5 or in nested parquet lists, read a batch at a time.

A batch bounds the memory whatever the size of the file, of its chunks and of its row groups: the public
parquet files hold one row group an image, others may hold a single one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from e2e.errors import E2EError

BATCH_BYTES = 32 * 2**20  # of images as the file holds them; a few copies of a batch are in memory at once


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

        Raises E2EError for an image of another shape than the first, and for a damaged file.
        """

    @abstractmethod
    def numbers(self, name: str) -> np.ndarray:
        """A column of one number a row, float64; raises E2EError for a column of something else."""

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
    try:
        with open(path, "rb") as raw:
            magic = raw.read(8)
    except OSError as error:
        raise E2EError(f"{path}: cannot be opened ({error.strerror})") from None
    if magic == b"\x89HDF\r\n\x1a\n":
        return HDF5(path)
    return Parquet(path) if magic.startswith(b"PAR1") else None


class HDF5(ImageFile):
    """A column is a dataset at the top of the file; images have their channels last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path):
            self._file = h5py.File(path, "r")
            self.names = tuple(name for name, item in self._file.items() if isinstance(item, h5py.Dataset))

    def rows(self, name: str) -> int:
        return self._file[name].shape[0] if self._file[name].shape else 1

    def shape(self, name: str) -> tuple[int, int, int]:
        images = self._file[name]
        if images.ndim != 4 or images.dtype.kind not in "fiu":
            raise E2EError(
                f"{self.path}: {name} is {images.dtype} {images.shape}; expected numbers in "
                "(objects, rows, columns, channels)"
            )
        _, rows, columns, channels = images.shape
        return channels, rows, columns

    def images(self, name: str, channels: int) -> Iterator[np.ndarray]:
        images = self._file[name]
        batch = _batch(images.dtype.itemsize * int(np.prod(images.shape[1:])))
        if images.chunks and images.chunks[0] <= batch:  # whole chunks, so that each is decompressed once
            batch -= batch % images.chunks[0]
        for start in range(0, len(images), batch):
            with _reading(self.path):
                slab = images[start : start + batch]
            yield _float32(np.moveaxis(slab[..., :channels], -1, 1))

    def numbers(self, name: str) -> np.ndarray:
        column = self._file[name]
        if column.size != self.rows(name) or column.dtype.kind not in "fiub":
            raise E2EError(
                f"{self.path}: {name} is {column.dtype} {column.shape}; expected one number for each row"
            )
        with _reading(self.path):
            return column[()].reshape(-1).astype(np.float64)

    def close(self) -> None:
        self._file.close()


class Parquet(ImageFile):
    """Images are nested lists [channels][rows][columns] of numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path):
            # Through a small buffer and never ahead: else a large row group would be in memory as a whole
            self._file = pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
        self.names = tuple(self._file.schema_arrow.names)

    def rows(self, name: str) -> int:
        return self._file.metadata.num_rows

    def shape(self, name: str) -> tuple[int, int, int]:
        with _reading(self.path):
            level = next(self._file.iter_batches(1, columns=[name])).column(0)
        shape = []
        while _is_list(level.type) and len(level):
            shape.append(pc.list_value_length(level)[0].as_py())
            level = level.flatten()
        if len(shape) != 3 or not _is_number(level.type):
            kind = self._file.schema_arrow.field(name).type
            raise E2EError(
                f"{self.path}: {name} is {kind}; expected lists of numbers [channels][rows][columns]"
            )
        return tuple(shape)

    def images(self, name: str, channels: int) -> Iterator[np.ndarray]:
        shape = self.shape(name)
        rows = _batch(8 * int(np.prod(shape)))
        batches = self._file.iter_batches(rows, columns=[name], use_threads=False)
        start = 0
        while True:
            with _reading(self.path):
                batch = next(batches, None)
            if batch is None:
                return
            images = self._dense(batch.column(0), shape, name, start)
            start += len(images)
            yield _float32(images[:, :channels])

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
        if not _is_number(kind := self._file.schema_arrow.field(name).type):
            raise E2EError(f"{self.path}: {name} is {kind}; expected one number for each row")
        with _reading(self.path):
            column = self._file.read([name], use_threads=False).column(0)
        return column.cast(pa.float64(), safe=False).to_numpy()  # null becomes NaN

    def close(self) -> None:
        self._file.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what the libraries say of a damaged file into one line."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError, pa.ArrowException) as error:
        message = " ".join(str(error).split())
        raise E2EError(f"{path}: damaged file ({message}); fetch or write it again") from None


def _batch(row_bytes: int) -> int:
    return max(1, BATCH_BYTES // row_bytes)


def _float32(images: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large a number becomes infinite, which nobody takes for a hit
        return np.ascontiguousarray(images, np.float32)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)
