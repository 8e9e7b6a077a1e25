"""Whether a file begins as a whole ROOT file: what RecoE2E, too, asks before ROOT believes what it says."""

from __future__ import annotations

import struct
from pathlib import Path

from e2e.errors import E2EError
from e2e.files import beginning

BEGIN = 100  # where the first record lies
HEADER = 64  # bytes, filled up
NAMES = range(10, 10_001)  # bytes of the first record before its directory: a key, and the file's name twice
DIRECTORY = 42  # bytes of a directory, at most


def check(path: str | Path) -> None:
    """Raises E2EError for what is no ROOT file, or is one that is empty, cut off, not closed, or damaged."""
    path = Path(path)
    content, size = beginning(path, BEGIN + NAMES.stop + DIRECTORY)
    if size == 0:
        raise E2EError(f"{path}: empty file; fetch or write it again")
    if content.lstrip().startswith(b"<"):
        raise E2EError(f"{path}: an HTML page, not a ROOT file; fetch the file behind the link")
    if not content.startswith(b"root"):
        raise E2EError(f"{path}: not a ROOT file (it starts with {content[:4]!r})")
    # Positions are 8 bytes wide from version 1000000 on (the header of TFile in ROOT's documentation).
    version, begin = struct.unpack_from(">ii", content.ljust(HEADER, b"\0"), 4)
    layout = ">qqiiiBiqi" if version >= 1_000_000 else ">iiiiiBiii"
    end, free, free_bytes, _, name_bytes, _, _, info, info_bytes = struct.unpack_from(
        layout, content.ljust(HEADER, b"\0"), 12
    )
    if size < end:
        raise E2EError(f"{path}: truncated ROOT file, {size} of {end} bytes; fetch or write it again")
    if size < HEADER:
        raise damaged(path, ValueError("its header is cut off"))
    if not free or not info:
        raise E2EError(f"{path}: a ROOT file that was not closed; fetch or write it again")
    records = ((free, free_bytes), (info, info_bytes))
    inside = all(0 < at < end and 0 <= length <= end - at for at, length in records)
    if begin != BEGIN or name_bytes not in NAMES or not inside or not _begins(content, name_bytes, end):
        raise damaged(path, ValueError("its header names records that cannot be"))


def damaged(path: str | Path, error: BaseException) -> E2EError:
    """The error of a file that says it is whole, but cannot be read because of ``error``."""
    if "b'CS'" in str(error):  # as uproot says
        return E2EError(
            f"{path}: compressed by ROOT's old algorithm (CS), which is not read; write it again (hadd -f505 "
            "NEW.root OLD.root)"
        )
    said = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return E2EError(f"{path}: damaged ROOT file ({said}); fetch or write it again")


def _begins(content: bytes, name_bytes: int, end: int) -> bool:
    """Whether the first record, the file's own key and directory, is what ROOT takes it for.

    Of a key: bytes, version, bytes in memory, date, bytes of the key, cycle, two positions, and class, name
    and title; then name and title again; of a directory: version, two dates, bytes of its keys and of the
    names before, and the positions of itself, of the folder above and of its keys. Positions have 8 bytes
    where a version is above 1000.
    """
    last = BEGIN + name_bytes
    if len(content) < last + DIRECTORY:
        return False

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], "big")

    at = BEGIN + 18 + 2 * (8 if number(BEGIN + 4, 2) > 1000 else 4)
    texts, ends = [], []
    for _ in range(5):  # their length in one byte, or in five
        size, at = number(at, 1), at + 1
        if size == 255:
            size, at = number(at, 4), at + 4
        texts.append(content[at : at + size])
        ends.append(at := at + size)
    if texts[0] != b"TFile" or ends[2] != BEGIN + number(BEGIN + 14, 2) or at != last:
        return False
    wide = 8 if number(last, 2) > 1000 else 4
    keys = number(last + 18 + 2 * wide, wide)
    return number(last + 14, 4) == name_bytes and keys < end and number(last + 10, 4) <= end - keys
