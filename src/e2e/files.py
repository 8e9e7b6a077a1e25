"""Files that appear whole or not at all and take nobody's place, names that can be used, and checksums."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.errors import E2EError, remedy
from e2e.typed import parse

if TYPE_CHECKING:
    import pandas as pd

MARK = ".e2e"  # in a folder that this project wrote, and so may replace
_URL = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DATA = (".root", ".h5", ".hdf5", ".onnx")  # suffixes of what commands are given
_LONGEST = 255  # bytes of a name, on Linux
# What only a writer meets; whatever else the system says is of writing if it names the file written.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG}


@dataclass(frozen=True)
class Kind:
    """What a command writes: what it is called, the suffixes of its files, and which files it may replace.

    ``is_one`` says of a file whether it is one that the command may have written; a file that cannot be
    read is none. ``instead``: what else may be named.
    """

    name: str
    suffixes: tuple[str, ...]
    is_one: Callable[[Path], bool]
    instead: str = ""


def text(word: str) -> str:
    """A word that a user typed; raises E2EError where it is not UTF-8, which no file of ours can hold."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise E2EError(f"{word!a}: is not UTF-8; write it in other letters") from None
    return word


def local_path(name: str | Path) -> Path:
    """The path that a user typed, of a file to read or to write.

    Raises E2EError for a URL, which a ``Path`` would turn into the name of a file and lose its slashes,
    and for a name that is not UTF-8, which parquet and ROOT cannot open.
    """
    if _URL.match(text := str(name)):
        raise E2EError(f"{text}: only files of this machine are read and written; copy it (curl -O, xrdcp)")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise E2EError(f"{text!a}: the name is not UTF-8; rename it") from None
    return Path(text)


def output_path(path: str | Path, *inputs: str | Path, kind: Kind | None = None) -> Path:
    """Where a file written to ``path`` will lie: a symbolic link is followed, and stays.

    Raises E2EError where a file cannot be written, before any work is done for it: the path is a folder,
    no ordinary file, or one of the ``inputs`` (whatever its name: links and ``./`` are seen through), or
    its folder can neither be written nor made. What a user names is of a ``kind``: it has a suffix of that
    kind, and a file that is there already is replaced only if it is of that kind, too.
    """
    path = Path(path)
    try:
        target = path.resolve() if path.is_symlink() else path
        exists = target.exists()
        if target.is_dir():
            raise E2EError(f"{path}: is a folder; name a file in it")
        if exists and not target.is_file():
            raise E2EError(f"{path}: is no ordinary file; choose another name")
        for given in inputs:
            if exists and Path(given).exists() and target.samefile(given):
                raise E2EError(f"{path}: would be written over the input {given}; choose another name")
        above = next(folder for folder in target.absolute().parents if folder.exists())
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _unwritable(path, error) from None
    if not above.is_dir():
        raise E2EError(f"{path}: cannot be written, since {above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise E2EError(f"{path}: cannot be written, since {above} is read-only; choose another folder")
    try:  # root may write anywhere, as far as permissions go
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise _unwritable(path, error) from None
    if kind:
        _check_kind(path, target, exists, kind)
    return target


def _check_kind(path: Path, target: Path, exists: bool, kind: Kind) -> None:
    if path.suffix not in kind.suffixes:
        wanted = f"name it {' or '.join(f'NAME{suffix}' for suffix in kind.suffixes)}{kind.instead}"
        if exists and path.suffix in _DATA:
            raise E2EError(
                f"{path}: exists, and is no name for {kind.name}: the output seems to be forgotten; {wanted}"
            )
        raise E2EError(f"{path}: no name for {kind.name}; {wanted}")
    if exists and not kind.is_one(target):
        raise E2EError(f"{path}: exists and is not {kind.name}: remove it, or choose another name")


def ordinary(path: str | Path) -> str | Path:
    """The path of an input; raises E2EError for a pipe or a device, which may never give a byte, or end."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise E2EError(f"{path}: cannot be opened (no ordinary file); copy what it gives into one")
    return path


def beginning(path: str | Path, length: int) -> tuple[bytes, int]:
    """The first ``length`` bytes of an input, and how many it has; raises E2EError if it cannot be opened."""
    try:
        with open(ordinary(path), "rb") as file:
            return file.read(length), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise E2EError(f"{path}: cannot be opened ({error.strerror})") from None


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a scratch path beside ``path`` that is renamed to it when the block succeeds.

    If the block raises, the scratch file is removed, and an earlier ``path`` and its folders stay as they
    were. The scratch name keeps the suffix of ``path``, since writers look at it.

    Raises E2EError where ``output_path`` does, and where the disk is full.
    """
    with _beside(output_path(path), path) as scratch:
        yield scratch


@contextmanager
def whole_folder(path: str | Path, mark: str = MARK) -> Iterator[Path]:
    """``whole``, for a folder: the scratch folder is there, and empty.

    A folder that holds the file ``mark`` is taken for one that was written so, and replaced; the block
    may itself write the mark. Raises E2EError for any other folder that is not empty.
    """
    path = Path(path)
    owned_folder(path, mark)
    output_path(path / mark)  # its folder, too, can be written
    with _beside(path.resolve() if path.is_symlink() else path, path) as scratch:
        scratch.mkdir()
        yield scratch
        (scratch / mark).touch()


def owned_folder(path: str | Path, mark: str = MARK) -> Path:
    """The path of a folder that this project may replace or remove, or that is not there.

    Raises E2EError for a folder with something in it and no file ``mark``, and for a file.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / mark).exists() and any(path.iterdir()):
            raise E2EError(f"{path}: a folder that was not written by this project; move it away")
    elif path.exists():
        raise E2EError(f"{path}: is a file, and a folder is written there; move it away")
    return path


def fresh_folder(path: str | Path) -> Path:
    """An empty folder at ``path``, in place of one that was made so; raises E2EError as ``owned_folder``."""
    path = owned_folder(path)
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
    path.mkdir(parents=True)
    (path / MARK).touch()
    return path


@contextmanager
def _beside(target: Path, path: str | Path) -> Iterator[Path]:
    """A scratch path beside ``target``, called ``path`` in messages, which is renamed to it."""
    stem = re.sub(r"[^\w.-]", "_", target.stem)  # no character that ROOT, say, would take for another thing
    suffix = target.suffix if re.fullmatch(r"\.\w{1,20}", target.suffix) else ""
    ending = f".{os.getpid()}.part{suffix}"
    while len(os.fsencode(f".{stem}{ending}")) > _LONGEST:
        stem = stem[:-1]
    scratch = target.with_name(f".{stem}{ending}")
    missing = [folder for folder in target.parents if not folder.exists()]
    done = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        if scratch.is_dir() and target.is_dir():  # it cannot be renamed onto one that holds something
            shutil.rmtree(target)
        os.replace(scratch, target)
        done = True
    except OSError as error:
        if error.errno in _NO_ROOM or Path(str(error.filename)) in (scratch, *target.parents):
            raise _unwritable(path, error) from None
        raise
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch)
        else:
            scratch.unlink(missing_ok=True)
        for folder in missing if not done else ():
            with suppress(OSError):  # it holds something else by now
                folder.rmdir()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the time of the block; raises E2EError where there is no place for it."""
    try:
        folder = tempfile.TemporaryDirectory()
    except OSError as error:
        raise E2EError(
            f"no folder for temporary files ({error}); set TMPDIR to one that can be written"
        ) from None
    with folder as name:
        yield Path(name)


def _unwritable(path: str | Path, error: OSError | RuntimeError) -> E2EError:
    reason = getattr(error, "strerror", None) or str(error)
    return E2EError(f"{path}: cannot be written ({reason}); {remedy(error)}")


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all; NaN is refused, since it is not JSON."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with whole(path) as scratch:
        scratch.write_text(text)


def read_json(path: str | Path) -> Any:
    """Content of a JSON file that ``write_json`` wrote.

    Raises E2EError for a file that is missing or no JSON, and where a key that is asked for later is missing.
    """
    try:
        return parse(Path(path).read_bytes(), partial(_Record, path))
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; make it first") from None
    except (OSError, ValueError) as error:
        raise E2EError(f"{path}: damaged, or not JSON ({error}); make it again") from None


class _Record(dict):
    """An object of a JSON file, which says where it comes from when it lacks a key."""

    def __init__(self, path: str | Path, content: dict[str, Any]):
        super().__init__(content)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise E2EError(f"{self._path}: has no {key!r}: damaged, or of another version; make it again")


def read_csv(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of numbers that has these columns; raises E2EError for a file that is no such table."""
    import pandas as pd  # for those alone who read tables

    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; make it first") from None
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise E2EError(f"{path}: damaged, or not a table ({reason}); make it again") from None
    for name in columns:
        if name not in table or not len(table) or not pd.api.types.is_numeric_dtype(table[name]):
            raise E2EError(f"{path}: damaged: it has no numbers {name!r}; make it again")
    return table
