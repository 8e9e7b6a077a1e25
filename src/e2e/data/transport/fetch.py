"""Fetches public files from a place on the web: under its name, a file is whole and right.

The bytes go to ``<file>.<tag>.part``, which outlives a failure and is resumed. It gets its final name when
size, magic bytes and checksum are those that the server and the data lock say.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import requests

from e2e.data.transport import data_lock
from e2e.data.transport.cernbox import URL, Link
from e2e.data.transport.data_lock import Entry
from e2e.data.transport.folder import Folder
from e2e.data.transport.transfer import Transfer
from e2e.data.transport.web import Place, Remote, session
from e2e.errors import E2EError
from e2e.files import output_path, sha256

SUFFIXES = (".h5", ".hdf5", ".parquet", ".root")
LONGEST_NAME = 255 - len(".01234567.part")  # bytes, on Linux
SHOWN = 10  # names of files that an error lists


def place(source: str, url: str = URL, hosts: Sequence[str] = ()) -> Place:
    """Where public files are: behind a link of the CERNBox server at ``url``, or in a folder of another one.

    ``source`` is the link's token, or the folder's address. ``hosts`` are the other servers that it may send
    us to.
    """
    return Folder(source, tuple(hosts)) if "://" in source else Link(source, url, tuple(hosts))


def listing(place: Place, folder: str = "") -> list[Remote]:
    """The files in a folder of a place, by name; of a link to a single file, that one.

    Raises E2EError when the link has expired, wants a login, or cannot be reached.
    """
    with session() as opened:
        found = place.listing(opened, folder)
    if isinstance(found, E2EError):
        raise found
    return found


def names(place: Place) -> list[str]:
    """Names of the data files of a place, leaving out its folders and what has another suffix.

    Raises E2EError as ``listing`` does, when there is none, and when one has a name that cannot be used here.
    """
    found = [remote.name for remote in listing(place)]
    data = [name for name in found if name.endswith(SUFFIXES)]
    if not data:
        raise E2EError(f"{place}: no file of type {', '.join(SUFFIXES)}; it holds {_shown(found)}")
    for name in data:
        if reason := _unusable(name) or ("two files have it" if data.count(name) > 1 else ""):
            raise E2EError(
                f"{place}: {name[:100]!r} is no name to use here: {reason}; ask its owner to rename it, or "
                "name the `files` wanted in the configuration"
            )
    return data


def fetch(place: Place, file: str, output: str | Path, lock: str | Path, progress: bool = True) -> Entry:
    """Bring ``file`` of a place (a path inside the shared folder, or the shared file's name) to ``output``.

    ``output`` appears when it is whole, or not at all; what has arrived when this fails is resumed next time.
    Its contents are those that the data lock ``lock`` says; a file that is not there is entered. Nothing
    is fetched if ``output`` is that file already. Returns checksum and size.

    Raises E2EError for a link that has expired or wants a login, a page instead of a file, a file that is
    not there (close names are given), contents that are cut off, damaged, changed or longer than announced,
    too little space, a server that cannot be reached or fails time and again or sends us to one that is not
    allowed, and an output or part of it that is something else than an ordinary file.
    """
    output = output_path(output)
    if reason := _unusable(file) or _unusable(output.name):
        raise E2EError(f"{place}: {file[:100]!r} cannot be fetched to {output.name[:100]!r}: {reason}")
    known = data_lock.entry(lock, place.key, file)
    if known and output.exists() and known == Entry(sha256(output), output.stat().st_size):
        return known
    with session() as opened:
        remote = _find(opened, place, file)
        if known and remote.size is None:
            remote = replace(remote, size=known.size)
        if known and remote.size != known.size:
            raise E2EError(
                f"{place}: {file} has {remote.size} bytes, but {lock} says {known.size}: it has changed; "
                "delete its entry there to accept the change"
            )
        with _part(output, remote) as part:
            found = Transfer(opened, place, remote, part, progress).run()
            try:
                data_lock.enforce(lock, place.key, file, found)
            except E2EError:
                os.unlink(part.name)  # resumed, it would stay wrong
                raise
            os.replace(part.name, output)
    return found


def fetch_all(
    place: Place,
    folder: str | Path,
    lock: str | Path,
    files: Sequence[str] | None = None,
    threads: int = 4,
    progress: bool = True,
) -> list[Path]:
    """Bring several files of a place into ``folder``, by default all its data files, ``threads`` at a time.

    A file in a folder of the place goes to one of the same name. All are tried; then E2EError says, for each
    that could not be brought, why.
    """
    files = names(place) if files is None else files
    paths = [Path(folder) / file for file in files]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(fetch, place, file, path, lock, progress)
            for file, path in zip(files, paths, strict=True)
        ]
    problems = [error for job in jobs if (error := job.exception())]
    for problem in problems:
        if not isinstance(problem, E2EError):
            raise problem
    if problems:
        raise E2EError("; ".join(map(str, problems)))
    return paths


def _unusable(file: str) -> str:
    """Why a path from elsewhere cannot be one inside a folder here; an empty string if it can."""
    parts = file.split("/")
    if {"", ".", ".."} & set(parts):
        return "it leads out of its folder, or nowhere"
    if set("{}") & set(file):
        return "it has braces, which Snakemake takes for wildcards"
    if not file.isprintable():
        return "it has characters that cannot be printed"
    if max(len(os.fsencode(part)) for part in parts) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} bytes"
    return ""


def _find(opened: requests.Session, place: Place, file: str) -> Remote:
    """Where ``file`` is on the server; raises E2EError with the names there if it is not."""
    path = PurePosixPath(file)
    found = place.listing(opened, _folder(path))
    if isinstance(found, E2EError):  # a server that lists nothing may still give it
        return Remote(path.name, place.unlisted(file))
    there = [remote.name for remote in found]
    if path.name in there:
        return found[there.index(path.name)]
    close = difflib.get_close_matches(path.name, there, n=3, cutoff=0.5)
    question = f"did you mean {' or '.join(map(_as_text, close))}? " if close else ""
    raise E2EError(f"{place}: no file {file}; {question}it holds {_shown(there)}")


def _shown(files: list[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(map(_as_text, files[:SHOWN])) + more if files else "no file"


def _as_text(name: str) -> str:
    """A name from elsewhere as it can stand in a line."""
    return name[:100] if name.isprintable() else repr(name[:100])


def _folder(path: PurePosixPath) -> str:
    return "" if str(path.parent) == "." else str(path.parent)


@contextmanager
def _part(output: Path, remote: Remote) -> Iterator[BinaryIO]:
    """The file, open at its end, that holds what has arrived of ``remote``; only one process may have it.

    The name holds the entity tag: what is left of a file that has changed since is not resumed but removed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    tag = hashlib.sha256(f"{remote.etag} {remote.size}".encode(errors="replace")).hexdigest()[:8]
    path = output.with_name(f"{output.name}.{tag}.part")
    older = re.compile(rf"{re.escape(output.name)}\.[0-9a-f]{{8}}\.part")
    for other in output.parent.iterdir():
        if older.fullmatch(other.name) and other != path and _ordinary(other.lstat()):
            other.unlink()
    with _append(path) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise E2EError(f"{output}: another process is fetching it; wait for that one") from None
        try:
            yield part
        finally:
            if path.exists() and path.stat().st_size == 0:
                path.unlink()


def _append(path: Path) -> BinaryIO:
    """Opens a file at its end, or a new one; never what a link leads to, or a file with another name."""

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)  # a pipe is not waited for

    try:
        part = open(path, "ab", buffering=0, opener=opened)  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else error.strerror
        raise E2EError(f"{path}: cannot be written ({reason}); move it away") from None
    if _ordinary(os.fstat(part.fileno())):
        return part
    part.close()
    raise E2EError(f"{path}: is no ordinary file, or one with another name; move it away")


def _ordinary(status: os.stat_result) -> bool:
    """Whether this is a file, and one without another name."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1
