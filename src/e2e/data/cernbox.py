"""Fetches files behind CERNBox public links: a file under its final name is whole and the right one.

The bytes go to ``<file>.<tag>.part``, which outlives a failure and is resumed. It gets its final name when
size, magic bytes and checksum are those that the server and the data lock say.
"""

from __future__ import annotations

import difflib
import fcntl
import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import requests

from e2e.data import data_lock
from e2e.data.data_lock import Entry
from e2e.data.public_link import Link, answer, persistently, session
from e2e.data.transfer import Remote, Transfer
from e2e.errors import E2EError
from e2e.files import sha256

URL = "https://cernbox.cern.ch"
SUFFIXES = (".h5", ".hdf5", ".parquet", ".root")
SHOWN = 10  # names of files that an error lists
PROPERTIES = (
    '<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop>'
    "<d:resourcetype/><d:getcontentlength/><d:getetag/></d:prop></d:propfind>"
)


def listing(token: str, folder: str = "", url: str = URL) -> list[Remote]:
    """The files in a folder of a link, by name; of a link to a single file, that one.

    Raises E2EError when the link has expired, wants a login, or cannot be reached.
    """
    link = Link(token, url)
    with session() as opened:
        found = _listing(opened, link, folder)
    if isinstance(found, E2EError):
        raise found
    return found


def names(token: str, url: str = URL) -> list[str]:
    """Names of the data files that a link shares, leaving out its folders and what has another suffix.

    Raises E2EError as ``listing`` does, and when there is none.
    """
    found = [remote.name for remote in listing(token, url=url)]
    if data := [name for name in found if name.endswith(SUFFIXES)]:
        return data
    raise E2EError(f"{Link(token, url)}: no file of type {', '.join(SUFFIXES)}; it holds {_shown(found)}")


def fetch(
    token: str, file: str, output: str | Path, lock: str | Path, url: str = URL, progress: bool = True
) -> Entry:
    """Bring ``file`` of a link (a path inside the shared folder, or the shared file's name) to ``output``.

    ``output`` appears when it is whole, or not at all; what has arrived when this fails is resumed next time.
    Its contents are those that the data lock ``lock`` says; a file that is not there is entered. Nothing
    is fetched if ``output`` is that file already. Returns checksum and size.

    Raises E2EError for a link that has expired or wants a login, a page instead of a file, a file that is
    not there (close names are given), contents that are cut off, damaged or changed, too little space, and
    a server that cannot be reached or fails time and again.
    """
    link, output = Link(token, url), Path(output)
    known = data_lock.entry(lock, token, file)
    if known and output.exists() and known == Entry(sha256(output), output.stat().st_size):
        return known
    with session() as opened:
        remote = _find(opened, link, file)
        if known and remote.size is None:
            remote = replace(remote, size=known.size)
        if known and remote.size != known.size:
            raise E2EError(
                f"{link}: {file} has {remote.size} bytes, but {lock} says {known.size}: it has changed; "
                "delete its entry there to accept the change"
            )
        with _part(output, remote) as part:
            found = Transfer(opened, link, remote, part, progress).run()
            try:
                data_lock.enforce(lock, token, file, found)
            except E2EError:
                os.unlink(part.name)  # resumed, it would stay wrong
                raise
            os.replace(part.name, output)
    return found


def fetch_all(
    token: str,
    folder: str | Path,
    lock: str | Path,
    files: Sequence[str] | None = None,
    url: str = URL,
    threads: int = 4,
    progress: bool = True,
) -> list[Path]:
    """Bring several files of a link into ``folder``, by default all its data files, ``threads`` at a time.

    All are tried; then E2EError says, for each that could not be brought, why.
    """
    files = names(token, url) if files is None else files
    paths = [Path(folder) / PurePosixPath(file).name for file in files]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(fetch, token, file, path, lock, url, progress)
            for file, path in zip(files, paths, strict=True)
        ]
    problems = [error for job in jobs if (error := job.exception())]
    for problem in problems:
        if not isinstance(problem, E2EError):
            raise problem
    if problems:
        raise E2EError("; ".join(map(str, problems)))
    return paths


def _find(opened: requests.Session, link: Link, file: str) -> Remote:
    """Where ``file`` is on the server; raises E2EError with the names there if it is not."""
    path = PurePosixPath(file)
    found = _listing(opened, link, _folder(path))
    if isinstance(found, E2EError):  # a server that lists nothing may still give it
        return Remote(path.name, (link.dav(file), link.download))
    there = [remote.name for remote in found]
    if path.name in there:
        return found[there.index(path.name)]
    close = difflib.get_close_matches(path.name, there, n=3, cutoff=0.5)
    question = f"did you mean {' or '.join(close)}? " if close else ""
    raise E2EError(f"{link}: no file {file}; {question}it holds {_shown(there)}")


def _shown(files: list[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(files[:SHOWN]) + more if files else "no file"


def _folder(path: PurePosixPath) -> str:
    return "" if str(path.parent) == "." else str(path.parent)


def _listing(opened: requests.Session, link: Link, folder: str) -> list[Remote] | E2EError:
    """The files in a folder of a link, by name, or why the server does not list it."""
    headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
    wanted = "the list of files"

    def ask() -> list[Remote] | E2EError:
        with answer(opened, link, "PROPFIND", link.dav(folder), headers, data=PROPERTIES) as response:
            refusal = link.refused(response, response.content, wanted)
            if response.status_code in (404, 405, 501):
                return refusal
            if response.status_code != 207:
                raise refusal
            try:
                return _files(link, folder, response.content)
            except (ElementTree.ParseError, ValueError) as error:
                raise E2EError(f"{link}: {wanted} cannot be read ({error}); try again later") from None

    return persistently(link, ask)


def _files(link: Link, folder: str, answered: bytes) -> list[Remote]:
    """Files of a multistatus answer. Only the last part of an address is used: servers differ in the rest."""
    files = []
    for response in ElementTree.fromstring(answered).iter("{DAV:}response"):
        found = {
            child.tag: child
            for status in response.iter("{DAV:}propstat")
            if "200" in status.findtext("{DAV:}status", "").split()
            for child in status.iterfind("{DAV:}prop/*")
        }
        if (kind := found.get("{DAV:}resourcetype")) is not None and kind.find(
            "{DAV:}collection"
        ) is not None:
            continue
        name = PurePosixPath(unquote(urlsplit(response.findtext("{DAV:}href", "")).path)).name
        size, etag = (
            found[tag].text if tag in found else None for tag in ("{DAV:}getcontentlength", "{DAV:}getetag")
        )
        address = link.dav(f"{folder}/{name}" if folder else name)
        files.append(Remote(name, (address,), int(size) if size else None, etag or ""))
    return sorted(files, key=lambda remote: remote.name)


@contextmanager
def _part(output: Path, remote: Remote) -> Iterator[BinaryIO]:
    """The file, open at its end, that holds what has arrived of ``remote``; only one process may have it.

    The name holds the entity tag: what is left of a file that has changed since is not resumed but removed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    tag = hashlib.sha256(f"{remote.etag} {remote.size}".encode()).hexdigest()[:8]
    path = output.with_name(f"{output.name}.{tag}.part")
    for other in output.parent.glob(f"{glob.escape(output.name)}.????????.part"):
        if other != path:
            other.unlink()
    with open(path, "ab", buffering=0) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise E2EError(f"{output}: another process is fetching it; wait for that one") from None
        try:
            yield part
        finally:
            if path.exists() and path.stat().st_size == 0:
                path.unlink()
