"""Reads thousands of damaged files of a kind and counts what becomes of them.

python tests/faults/fuzz.py stores --cases 5000 --seed 7

A case is a good file changed by one seeded mutation (flipped bits, other bytes, a range that is zero,
missing, repeated or copied elsewhere, the end cut off) or written again by another program, and read by a
process that is forked from a warm one. The kinds of files are in kinds.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MEMORY = 2 << 30  # bytes that the reading of a damaged file may add
SECONDS = 20
KEPT = 20  # outcomes of the bad sort that are described

EQUAL, OTHER, REFUSED, UNCLEAR, UNCAUGHT, CRASHED, LARGE, SLOW = (
    "equal values",
    "other values",
    "refused",
    "refused, not in one line that names the file",
    "uncaught",
    "crashed",
    "over 2 GB",
    "too slow",
)


@dataclass(frozen=True)
class Kind:
    """Files that belong together, how they are read, and which of them are damaged.

    ``make(folder)`` writes good files, ``read(folder)`` reads them as users do and returns a digest of all
    it found; it raises E2EError where it refuses them. ``targets`` names those that are damaged, in turn.
    ``foreign`` are what other programs do to a file, ``resign(folder)`` makes checksums fit again. Where
    ``checked``, checksums cover the files, and other values must not be read.
    """

    make: Callable[[Path], None]
    read: Callable[[Path], str]
    targets: Sequence[str]
    checked: bool = False
    foreign: Sequence[Callable[[Path], None]] = ()
    resign: Callable[[Path], None] = field(default=lambda folder: None)


def digest(*parts: object) -> str:
    """Of arrays, by type, shape and bytes, and of other values, by their text."""
    found = hashlib.sha256()
    for part in parts:
        if hasattr(part, "tobytes") and part.dtype.kind != "O":
            found.update(f"{part.dtype} {part.shape}".encode() + part.tobytes())
        else:
            found.update(repr(part).encode())
    return found.hexdigest()


def mutate(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """One mutation, what it is in words, and the changed content."""
    size = len(content)
    # Half of them in the last part, where formats keep what a file says about itself.
    start = (
        chance.randrange(size)
        if chance.random() < 0.5
        else max(size - 1 - int(chance.expovariate(1 / 400)), 0)
    )
    length = min(1 + int(chance.expovariate(1 / 60)), size - start)
    there = bytearray(content)
    piece = content[start : start + length]
    what = chance.choice(["bits", "bytes", "zeros", "ones", "cut off", "without", "twice", "copied"])
    if what == "bits":
        places = [start, *(chance.randrange(size) for _ in range(chance.randrange(3)))]
        for place in places:
            there[place] ^= 1 << chance.randrange(8)
    elif what == "bytes":
        there[start : start + length] = chance.randbytes(length)
    elif what in ("zeros", "ones"):
        there[start : start + length] = (b"\0" if what == "zeros" else b"\xff") * length
    elif what == "cut off":
        there = there[:start]
    elif what == "without":
        del there[start : start + length]
    elif what == "twice":
        there[start:start] = piece
    else:
        place = chance.randrange(size - length + 1)
        there[place : place + length] = piece
    return f"{what} at {start}, {length} of {size} bytes", bytes(there)


def run(kind: Kind, cases: int, seed: int) -> tuple[Counter, list[str]]:
    """Counts of outcomes of ``cases`` mutations and all foreign rewritings, and what the bad ones were."""
    counts, told = Counter(), []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        good, case = Path(name) / "good", Path(name) / "case"
        good.mkdir()
        kind.make(good)
        expected = kind.read(good)  # also warms up whatever is compiled or loaded at the first time
        assert kind.read(good) == expected
        content = {target: (good / target).read_bytes() for target in kind.targets}
        for number in range(cases + len(kind.foreign)):
            chance = random.Random(f"{seed} {number}")
            target = kind.targets[number % len(kind.targets)]
            shutil.rmtree(case, ignore_errors=True)
            shutil.copytree(good, case)
            if number < len(kind.foreign):
                what = kind.foreign[number].__name__
                kind.foreign[number](case)
            else:
                what, changed = mutate(content[target], chance)
                (case / target).write_bytes(changed)
                kind.resign(case)
            outcome, detail = read_apart(kind, case, expected)
            counts[outcome] += 1
            if outcome not in (EQUAL, REFUSED) and (outcome != OTHER or kind.checked) and len(told) < KEPT:
                told.append(f"case {number} of seed {seed}, {target}, {what}: {outcome}: {detail}")
    return counts, told


def read_apart(kind: Kind, folder: Path, expected: str) -> tuple[str, str]:
    """What becomes of reading a folder in a forked process, and more about it."""
    report = folder.with_name("report")
    report.write_text("")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _read_and_exit(kind, folder, expected, report)
    _, status, usage = os.wait4(child, 0)
    outcome, _, detail = report.read_text(errors="replace").partition("\n")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return (SLOW if number == signal.SIGALRM else CRASHED), signal.Signals(number).name
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if (usage.ru_maxrss - own) * 1024 > MEMORY:
        return LARGE, f"{usage.ru_maxrss >> 10} MiB"
    return (outcome, detail) if outcome else (CRASHED, f"status {status}")


def _read_and_exit(kind: Kind, folder: Path, expected: str, report: Path) -> None:
    from e2e.errors import E2EError

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + 2 * MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(SECONDS)
        try:
            text = EQUAL if kind.read(folder) == expected else OTHER
        except E2EError as error:
            message = str(error)
            clear = "\n" not in message and any(target in message for target in kind.targets)
            text = f"{REFUSED if clear else UNCLEAR}\n{message}"
        except MemoryError as error:
            text = f"{LARGE}\n{error!r}"
        except BaseException:
            text = f"{UNCAUGHT}\n{traceback.format_exc()[-1500:]}"
        report.write_text(text, errors="replace")
    finally:
        os._exit(0)


def main() -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    from kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    counts, told = run(KINDS[arguments.kind], arguments.cases, arguments.seed)
    for text in told:
        print(text, file=sys.stderr)
    print(json.dumps(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
