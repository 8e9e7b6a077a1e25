"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a scratch path beside ``path`` that is renamed to it when the block succeeds.

    If the block raises, the scratch file or directory is removed and an earlier ``path`` stays
    as it was. The scratch name keeps the suffix of ``path``, since writers look at it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield scratch
        if path.is_dir():  # a directory cannot be renamed onto one that holds something
            shutil.rmtree(path)
        os.replace(scratch, path)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch)
        else:
            scratch.unlink(missing_ok=True)


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
    """Content of a JSON file."""
    return json.loads(Path(path).read_text())
