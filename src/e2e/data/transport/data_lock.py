"""The data lock: SHA-256 and size of every public file at its first download, kept under version control.

A YAML file, sorted by token, or address of a folder, and file name. Whoever fetches a file later gets those
bytes or an error. An entry is deleted by hand to accept that a file has changed.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from e2e.errors import E2EError
from e2e.files import output_path, whole

_ONE_THREAD = threading.Lock()  # of this process, whose scratch files have one name
HEADER = "# What each public file was when it was first fetched: see docs/how-to/cernbox.md.\n"


@dataclass(frozen=True)
class Entry:
    """Checksum (hexadecimal SHA-256) and size [bytes] of a file."""

    sha256: str
    size: int


def read(path: str | Path) -> dict[str, dict[str, Entry]]:
    """All entries by token and file name, none without a lock file; raises E2EError if it is malformed."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text()) or {}
        return {
            token: {name: Entry(str(entry["sha256"]), int(entry["size"])) for name, entry in files.items()}
            for token, files in content.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise E2EError(f"{path}: the data lock cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise E2EError(f"{path}: not a data lock ({reason}); restore it from version control") from None


def entry(path: str | Path, token: str, name: str) -> Entry | None:
    """What the lock says of a file; None if it was never fetched."""
    return read(path).get(token, {}).get(name)


def enforce(path: str | Path, token: str, name: str, found: Entry) -> None:
    """Enter a file that is not in the lock; raises E2EError if it is there with other contents.

    Jobs may do so at the same time: each reads and writes under an exclusive lock of the file.
    """
    path = Path(path)
    with _exclusive(path):
        entries = read(path)
        known = entries.setdefault(token, {}).setdefault(name, found)
        if known != found:
            raise E2EError(
                f"{name} behind {token} has SHA-256 {found.sha256} ({found.size} bytes), but "
                f"{path} says {known.sha256} ({known.size} bytes): the file has changed or was damaged on "
                "the way; fetch it again, or delete its entry there to accept the change"
            )
        if entry(path, token, name) is None:
            content = {t: {n: asdict(e) for n, e in files.items()} for t, files in entries.items()}
            with whole(path) as scratch:
                scratch.write_text(HEADER + yaml.safe_dump(content, sort_keys=True, allow_unicode=True))


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is replaced by those who hold it: the one that has its name counts."""
    output_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with _ONE_THREAD, open(path, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_ino == os.stat(path).st_ino:
                yield
                return
