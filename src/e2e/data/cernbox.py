"""Fetches public files, behind CERNBox links or in web folders: under its name, a file is whole and right.

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
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree

import requests

from e2e.data import data_lock
from e2e.data.data_lock import Entry
from e2e.data.public_link import Folder, Link, Place, answer, contents, is_login, persistently, session
from e2e.data.transfer import Remote, Transfer
from e2e.errors import E2EError
from e2e.files import output_path, sha256

URL = "https://cernbox.cern.ch"
SUFFIXES = (".h5", ".hdf5", ".parquet", ".root")
LONGEST_NAME = 255 - len(".01234567.part")  # bytes, on Linux
SHOWN = 10  # names of files that an error lists
PROPERTIES = (
    '<?xml version="1.0"?><d:propfind xmlns:d="DAV:"><d:prop>'
    "<d:resourcetype/><d:getcontentlength/><d:getetag/></d:prop></d:propfind>"
)


def listing(source: str, folder: str = "", url: str = URL, hosts: Sequence[str] = ()) -> list[Remote]:
    """The files in a folder of a link, by name; of a link to a single file, that one.

    ``source`` is the token of a link on the CERNBox server at ``url``, or the address of a folder on another
    one. Those of ``hosts`` are the others that it may send us to.

    Raises E2EError when the link has expired, wants a login, or cannot be reached.
    """
    link = _place(source, url, hosts)
    with session() as opened:
        found = _listing(opened, link, folder)
    if isinstance(found, E2EError):
        raise found
    return found


def names(source: str, url: str = URL, hosts: Sequence[str] = ()) -> list[str]:
    """Names of the data files that a link shares, leaving out its folders and what has another suffix.

    Raises E2EError as ``listing`` does, when there is none, and when one has a name that cannot be used here.
    """
    found = [remote.name for remote in listing(source, url=url, hosts=hosts)]
    link = _place(source, url, hosts)
    data = [name for name in found if name.endswith(SUFFIXES)]
    if not data:
        raise E2EError(f"{link}: no file of type {', '.join(SUFFIXES)}; it holds {_shown(found)}")
    for name in data:
        if reason := _unusable(name) or ("two files have it" if data.count(name) > 1 else ""):
            raise E2EError(
                f"{link}: {name[:100]!r} is no name to use here: {reason}; ask its owner to rename it, or "
                "name the `files` wanted in the configuration"
            )
    return data


def fetch(
    source: str,
    file: str,
    output: str | Path,
    lock: str | Path,
    url: str = URL,
    progress: bool = True,
    hosts: Sequence[str] = (),
) -> Entry:
    """Bring ``file`` of a link (a path inside the shared folder, or the shared file's name) to ``output``.

    ``source``, ``url`` and ``hosts`` are as for ``listing``.

    ``output`` appears when it is whole, or not at all; what has arrived when this fails is resumed next time.
    Its contents are those that the data lock ``lock`` says; a file that is not there is entered. Nothing
    is fetched if ``output`` is that file already. Returns checksum and size.

    Raises E2EError for a link that has expired or wants a login, a page instead of a file, a file that is
    not there (close names are given), contents that are cut off, damaged, changed or longer than announced,
    too little space, a server that cannot be reached or fails time and again or sends us to one that is not
    allowed, and an output or part of it that is something else than an ordinary file.
    """
    link, output = _place(source, url, hosts), output_path(output)
    if reason := _unusable(file) or _unusable(output.name):
        raise E2EError(f"{link}: {file[:100]!r} cannot be fetched to {output.name[:100]!r}: {reason}")
    known = data_lock.entry(lock, source, file)
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
                data_lock.enforce(lock, source, file, found)
            except E2EError:
                os.unlink(part.name)  # resumed, it would stay wrong
                raise
            os.replace(part.name, output)
    return found


def fetch_all(
    source: str,
    folder: str | Path,
    lock: str | Path,
    files: Sequence[str] | None = None,
    url: str = URL,
    threads: int = 4,
    progress: bool = True,
    hosts: Sequence[str] = (),
) -> list[Path]:
    """Bring several files of a link into ``folder``, by default all its data files, ``threads`` at a time.

    A file in a folder of the link goes to one of the same name. All are tried; then E2EError says, for each
    that could not be brought, why.
    """
    files = names(source, url, hosts) if files is None else files
    paths = [Path(folder) / file for file in files]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(fetch, source, file, path, lock, url, progress, hosts)
            for file, path in zip(files, paths, strict=True)
        ]
    problems = [error for job in jobs if (error := job.exception())]
    for problem in problems:
        if not isinstance(problem, E2EError):
            raise problem
    if problems:
        raise E2EError("; ".join(map(str, problems)))
    return paths


def _place(source: str, url: str, hosts: Sequence[str]) -> Place:
    return Folder(source, tuple(hosts)) if "://" in source else Link(source, url, tuple(hosts))


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


def _find(opened: requests.Session, link: Place, file: str) -> Remote:
    """Where ``file`` is on the server; raises E2EError with the names there if it is not."""
    path = PurePosixPath(file)
    found = _listing(opened, link, _folder(path))
    if isinstance(found, E2EError):  # a server that lists nothing may still give it
        single = (link.download,) if isinstance(link, Link) else ()
        return Remote(path.name, (link.file(file), *single))
    there = [remote.name for remote in found]
    if path.name in there:
        return found[there.index(path.name)]
    close = difflib.get_close_matches(path.name, there, n=3, cutoff=0.5)
    question = f"did you mean {' or '.join(map(_as_text, close))}? " if close else ""
    raise E2EError(f"{link}: no file {file}; {question}it holds {_shown(there)}")


def _shown(files: list[str]) -> str:
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(map(_as_text, files[:SHOWN])) + more if files else "no file"


def _as_text(name: str) -> str:
    """A name from elsewhere as it can stand in a line."""
    return name[:100] if name.isprintable() else repr(name[:100])


def _folder(path: PurePosixPath) -> str:
    return "" if str(path.parent) == "." else str(path.parent)


def _listing(opened: requests.Session, link: Place, folder: str) -> list[Remote] | E2EError:
    """The files in a folder of a link, by name, or why the server does not list it."""
    wanted = "the list of files"
    if isinstance(link, Link):
        method, right, read = "PROPFIND", 207, _multistatus
        headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
        options = {"data": PROPERTIES}
    else:
        method, right, read, headers, options = "GET", 200, _index, {}, {}
    address = link.file(f"{folder}/" if folder else "")

    def ask() -> list[Remote] | E2EError:
        with answer(opened, link, method, address, headers, **options) as response:
            body = contents(response, link, wanted)
            refusal = link.refused(response, body, wanted)
            if response.status_code in (404, 405, 501):
                return refusal
            if response.status_code != right or (isinstance(link, Folder) and is_login(response, body)):
                raise refusal
            try:
                return sorted(read(link, folder, body, response.url), key=lambda remote: remote.name)
            except (ElementTree.ParseError, ValueError) as error:
                raise E2EError(f"{link}: {wanted} cannot be read ({error}); try again later") from None

    return persistently(link, ask)


def _multistatus(link: Place, folder: str, answered: bytes, _: str) -> Iterator[Remote]:
    """Files of a multistatus answer. Only the last part of an address is used: servers differ in the rest."""
    if b"<!DOCTYPE" in answered:  # which may define entities, each of many others
        raise ValueError("it defines a type of document")
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
        name = _name(response.findtext("{DAV:}href", ""))
        size, etag = (
            (found[tag].text or "") if tag in found else ""
            for tag in ("{DAV:}getcontentlength", "{DAV:}getetag")
        )
        if not re.fullmatch(r"[0-9]{0,18}", size):
            raise ValueError(f"{name[:100]!r} has {size[:100]!r} bytes")
        address = link.file(f"{folder}/{name}" if folder else name)
        yield Remote(name, (address,), int(size) if size else None, etag)


def _index(link: Place, folder: str, answered: bytes, url: str) -> Iterator[Remote]:
    """Files that a page links to and that lie beside it; such a page does not say how long they are."""
    page = _Links()
    page.feed(answered.decode("utf-8", "replace"))
    here = urlsplit(url)
    above = here.path if here.path.endswith("/") else f"{here.path}/"
    for link_to in dict.fromkeys(page.found):
        there = urlsplit(urljoin(here._replace(path=above).geturl(), link_to))
        start, _, name = there.path.rpartition("/")
        if (there.scheme, there.netloc, f"{start}/") == (here.scheme, here.netloc, above) and name:
            name = unquote(name)
            yield Remote(name, (link.file(f"{folder}/{name}" if folder else name),))


class _Links(HTMLParser):
    """Collects in ``found`` what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _name(address: str) -> str:
    return unquote(urlsplit(address).path.rpartition("/")[2])


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
