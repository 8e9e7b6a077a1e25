"""Opens ``fevt/RHTree`` ntuples: finds out early, and says clearly, why a file cannot be used."""

from __future__ import annotations

import difflib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from e2e.errors import E2EError
from e2e.tasks import TASKS, Task

TREE = "fevt/RHTree"
IDENTITY = ("runId", "lumiId", "eventId")

# Chunks are read once each, so uproot's cache of whole arrays would only hold on to memory; and a
# memory map spares the detour of local files through fsspec's event loop.
UPROOT_OPTIONS = {"array_cache": None, "handler": uproot.MemmapSource}


@dataclass(frozen=True)
class Ntuple:
    """A checked ntuple.

    ``branches`` are those that ``task`` reads, truth included where it exists; ``uuid`` is the file's;
    ``seed_rows`` are those of all objects.
    """

    path: Path
    uuid: bytes
    entries: int
    branches: tuple[str, ...]
    simulation: bool
    seed_rows: np.ndarray


def check(path: str | Path, task: Task) -> Ntuple:
    """Check that ``path`` is a whole ROOT file with the branches ``task`` reads, in the right types.

    Raises E2EError otherwise. Values are checked when they are used.
    """
    with open_tree(path) as tree:
        vectors = vector_branches(task)
        _require(path, tree, [*IDENTITY, *vectors], task)
        vectors += [branch for branch in (*task.optional, task.truth.branch) if branch in tree]
        for branch in IDENTITY:
            kind = tree[branch].interpretation
            if not (isinstance(kind, uproot.AsDtype) and kind.to_dtype.kind in "iu" and not kind.inner_shape):
                _wrong_type(path, tree[branch], "one whole number")
        for branch in vectors:
            kind = tree[branch].interpretation
            if not (isinstance(kind, uproot.AsJagged) and isinstance(kind.content, uproot.AsDtype)):
                _wrong_type(path, tree[branch], "one std::vector<float>")
        try:
            rows = ak.to_numpy(ak.flatten(tree[task.seeds[0]].array()))
        except Exception as error:  # damaged bytes can make uproot fail in any way
            raise damaged(path, error) from None
        branches, simulation = (*IDENTITY, *vectors), is_simulation(tree)
        return Ntuple(Path(path), tree.file.uuid.bytes, tree.num_entries, branches, simulation, rows)


def vector_branches(task: Task) -> list[str]:
    """Branches that a task cannot do without: its frames, and one number an object for each of the others."""
    required = [quantity.name for quantity in task.kinematics if quantity.name not in task.optional]
    return [*task.seeds, *(channel.name for channel in task.channels), *required]


def tasks_of(tree: uproot.TTree) -> list[Task]:
    """The tasks whose branches a tree has, each with as many of its first channels as are there."""
    names = set(tree.keys())
    found = []
    for task in TASKS.values():
        missing = [i for i, channel in enumerate(task.channels) if channel.name not in names]
        channels = task.channels[: min(missing, default=len(task.channels))]
        task = replace(task, channels=channels)
        if channels and names.issuperset(vector_branches(task)):
            found.append(task)
    return found


def is_simulation(tree: uproot.TTree) -> bool:
    """Whether a tree holds generator truth."""
    truth = {task.truth.branch for task in TASKS.values()}
    return any(name.startswith("gen_") or name in truth for name in tree.keys())  # noqa: SIM118 (branches)


@contextmanager
def open_tree(path: str | Path) -> Iterator[uproot.TTree]:
    """The tree ``fevt/RHTree`` of a ROOT file; raises E2EError for another file, or one that is cut off."""
    path = Path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb") as raw:
            header = raw.read(20)
    except OSError as error:
        raise E2EError(f"{path}: cannot be opened ({error.strerror})") from None
    if size == 0:
        raise E2EError(f"{path}: empty file; fetch or write it again")
    if header.lstrip().startswith(b"<"):
        raise E2EError(f"{path}: an HTML page, not a ROOT file; fetch the file behind the link")
    if not header.startswith(b"root"):
        raise E2EError(f"{path}: not a ROOT file (it starts with {header[:4]!r})")
    expected = _size(header)
    if size < expected:
        raise E2EError(f"{path}: truncated ROOT file, {size} of {expected} bytes; fetch or write it again")
    try:
        file = uproot.open(path, **UPROOT_OPTIONS)
    except Exception as error:  # a damaged directory can make uproot fail in any way
        raise damaged(path, error) from None
    with file:
        trees = file.keys(filter_classname="TTree", cycle=False)
        if TREE not in trees:
            raise E2EError(f"{path}: no tree {TREE}; trees in the file: {', '.join(trees) or 'none'}")
        yield file[TREE]


def event_name(tree: uproot.TTree, entry: int) -> str:
    """run:lumi:event of an entry."""
    numbers = (tree[branch].array(entry_start=entry, entry_stop=entry + 1)[0] for branch in IDENTITY)
    return ":".join(map(str, numbers))


def damaged(path: str | Path, error: BaseException) -> E2EError:
    """The error of a file that says it is whole, but cannot be read because of ``error``."""
    return E2EError(f"{path}: damaged ROOT file ({_one_line(error)}); fetch or write it again")


def _size(header: bytes) -> int:
    """Size a ROOT file says it has: fEND of the TFile header, 8 bytes wide above version 1000000."""
    header = header.ljust(20, b"\0")
    (version,) = struct.unpack_from(">i", header, 4)
    return struct.unpack_from(">q" if version >= 1_000_000 else ">i", header, 12)[0]


def _require(path: str | Path, tree: uproot.TTree, branches: list[str], task: Task) -> None:
    missing = [branch for branch in branches if branch not in tree]
    if missing:
        near = difflib.get_close_matches(missing[0], tree.keys(), n=3)
        raise E2EError(
            f"{path}: {TREE} has no branch {', '.join(missing)}, which task {task.name} reads"
            + (f" (similar: {', '.join(near)})" if near else "")
            + "; write the ntuple with it, for instance by MLAnalyzer"
            + _fewer_channels(task, missing)
        )


def _fewer_channels(task: Task, missing: list[str]) -> str:
    """Advice where only the last channels of a task are missing."""
    channels = [channel.name for channel in task.channels]
    there = len(channels) - len(missing)
    return f", or take the first {there} channels" if there and channels[there:] == missing else ""


def _wrong_type(path: str | Path, branch: uproot.TBranch, expected: str) -> None:
    raise E2EError(f"{path}: branch {branch.name} is {branch.typename}; expected {expected} an event")


def _one_line(error: BaseException) -> str:
    """First line of what an error says, or its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
