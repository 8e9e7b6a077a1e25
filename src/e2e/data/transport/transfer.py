"""Moves the bytes of one file from a server into a local file, and goes on where an earlier move stopped.

How CERNBox's server, Reva, answers a request for the rest of a file depends on its age: it refused (416)
where the storage is EOS, since April 2025 it sent the whole file (200), since October 2025 it sends the
rest (206) (cs3org/reva#5133 and #5367). After the first two the file starts again.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import shutil
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import requests
from tqdm import tqdm

from e2e.data.transport.data_lock import Entry
from e2e.data.transport.web import Interrupted, Place, Remote, answer, blocks, is_page, persistently
from e2e.errors import E2EError

BLOCK = 2**20
_EXTENT = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_STRONG_TAG = re.compile(r'"[!\x23-\x7e]{1,1000}"')
HDF5, PARQUET, ROOT = b"\x89HDF\r\n\x1a\n", b"PAR1", b"root"


class Transfer:
    """Moves ``remote`` to the end of the open file ``part``.

    ``size`` is that of the whole file, and ``checksums`` holds what the server says of it, by algorithm.
    """

    def __init__(
        self, session: requests.Session, place: Place, remote: Remote, part: BinaryIO, progress: bool
    ) -> None:
        self.remote = remote
        self.place = place
        self.part = part
        self.size = remote.size
        self.checksums: dict[str, str] = {}
        self._session = session
        self._progress = progress
        self._addresses = list(remote.addresses)
        self._resumable = True

    @property
    def position(self) -> int:
        """Number of bytes that have arrived."""
        return os.fstat(self.part.fileno()).st_size

    def run(self) -> Entry:
        """Move what is missing, and return what the file then is.

        Raises E2EError when the server does not give the file, when there is no space for it, or when it
        is not what the server says, nor an HDF5, parquet or ROOT file.
        """
        with tqdm(
            total=self.size,
            desc=self.remote.name,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=not self._progress,
        ) as self._bar:
            persistently(self.place, self._attempt, lambda: self.position)
        return self._check()

    def _attempt(self) -> None:
        if self.size is not None and self.position > self.size:
            self.part.truncate(0)
        if self.size is not None and self.position == self.size:
            return
        headers = {}
        if self.position and self._resumable:
            headers["Range"] = f"bytes={self.position}-"
            if _STRONG_TAG.fullmatch(self.remote.etag):  # a weak one does not promise equal bytes
                headers["If-Range"] = self.remote.etag
        with answer(self._session, self.place, "GET", self._addresses[0], headers) as response:
            if response.status_code in (404, 405, 501) and len(self._addresses) > 1:
                del self._addresses[0]
            elif response.status_code == 416 and headers:
                self._resumable = False
            else:
                self._receive(response)
                return
        self._attempt()

    def _receive(self, response: requests.Response) -> None:
        name = self.remote.name
        rest = blocks(response, BLOCK)
        first = next(rest, b"")
        if response.status_code not in (200, 206) or is_page(response, first):
            raise self.place.refused(response, first, name)
        start = self._announced(response)
        if start not in (0, self.position):
            self._resumable = False
            raise Interrupted(f"{name} was resumed at byte {start} instead of {self.position}")
        if start == 0:
            if self.position:
                self.part.truncate(0)
            self._check_start(first)
        if self.size is None:  # neither cut off nor endless could be told from whole
            raise E2EError(
                f"{self.place}: the server does not say how long {name} is; fetch it in another way"
            )
        self._check_space()
        self._bar.total = self.size
        self._bar.update(self.position - self._bar.n)
        for block in itertools.chain([first], rest):
            if self.position + len(block) > self.size:
                os.unlink(self.part.name)  # resumed, it would stay wrong
                raise E2EError(
                    f"{self.place}: the server sends more than the {self.size} bytes that it announced of "
                    f"{name}; try again later, or ask its owner"
                )
            self._write(block)
        if self.position != self.size:
            raise Interrupted(f"{name} ended before byte {self.size}")

    def _announced(self, response: requests.Response) -> int:
        """The first byte of a response; notes what it says of the whole file."""
        start, total = 0, response.headers.get("Content-Length", "")
        if response.status_code == 206:
            extent = _EXTENT.fullmatch(response.headers.get("Content-Range", ""))
            if not extent:
                self._resumable = False
                raise Interrupted(f"a part of {self.remote.name} came without saying which")
            start, total = int(extent[1]), extent[2]
        if re.fullmatch(r"[0-9]{1,18}", total):
            if self.size is not None and int(total) != self.size:
                raise E2EError(
                    f"{self.place}: {self.remote.name} is truncated on the server, or just being replaced: "
                    f"{total} bytes are sent, {self.size} were announced; try again later, or ask its owner"
                )
            self.size = int(total)
        found = re.findall(r"(\w+):([0-9a-fA-F]+)\b", response.headers.get("OC-Checksum", ""))
        self.checksums = {algorithm.lower(): value.lower() for algorithm, value in found}
        return start

    def _check_space(self) -> None:
        folder = Path(self.part.name).parent
        missing = (self.size or 0) - self.position
        free = shutil.disk_usage(folder).free
        if missing > free:
            raise E2EError(
                f"{folder}: {free / 1e9:.2f} GB are free, {self.remote.name} needs {missing / 1e9:.2f} GB; "
                "free some space, or work in another directory"
            )

    def _write(self, block: bytes) -> None:
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[self.part.write(rest) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise E2EError(
                f"{Path(self.part.name).parent}: the disk is full at byte {self.position} of "
                f"{self.remote.name}; free some space and fetch it again: it goes on from there"
            ) from None
        self._bar.update(len(block))

    def _check(self) -> Entry:
        """What the whole file is; it is removed if it cannot be right, since resumed it would stay wrong."""
        path = Path(self.part.name)
        try:
            with open(path, "rb") as file:
                start = file.read(len(HDF5))
                self._check_start(start)
                file.seek(-len(PARQUET), os.SEEK_END)
                end = file.read()
            if start.startswith(PARQUET) and end != PARQUET:
                raise E2EError(
                    f"{self.place}: {self.remote.name} is a truncated parquet file: it ends with {end!r}, "
                    f"not {PARQUET!r}; fetch it again, or ask its owner"
                )
            known = {name: value for name, value in self.checksums.items() if name in _ALGORITHMS}
            found = digests(path, "sha256", *known)
            for name, value in known.items():
                if found[name] != value:
                    raise E2EError(
                        f"{self.place}: {self.remote.name} was damaged on the way: its {name} is "
                        f"{found[name]}, the server says {value}; fetch it again"
                    )
        except E2EError:
            path.unlink()
            raise
        return Entry(found["sha256"], self.position)

    def _check_start(self, start: bytes) -> None:
        if not start.startswith((HDF5, PARQUET, ROOT)):
            raise E2EError(
                f"{self.place}: {self.remote.name} starts with {start[:8]!r}, so it is no HDF5, parquet or "
                "ROOT file; check the token and the name"
            )


class _Adler32:
    """zlib's checksum with the interface of hashlib."""

    def __init__(self) -> None:
        self._value = 1

    def update(self, block: bytes) -> None:
        self._value = zlib.adler32(block, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


_ALGORITHMS: dict[str, Callable[[], Any]] = {
    "sha256": hashlib.sha256,
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "adler32": _Adler32,
}


def digests(path: Path, *names: str) -> dict[str, str]:
    """Hexadecimal checksums of a file by the names of their algorithms, in one pass."""
    found = {name: _ALGORITHMS[name]() for name in names}
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            for checksum in found.values():
                checksum.update(block)
    return {name: checksum.hexdigest() for name, checksum in found.items()}
