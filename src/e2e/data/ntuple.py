"""Opens ``fevt/RHTree`` ntuples: finds out early, and says clearly, why a file cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count, takewhile
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from e2e.data import hcal_columns, layouts, root_file
from e2e.data.layouts import IDENTITY, MARKER, OWN, TREE, Contents, Layout, Source
from e2e.errors import E2EError
from e2e.files import Kind
from e2e.tasks import Task

# Chunks are read once each, so uproot's cache of whole arrays would only hold on to memory; and a
# memory map spares the detour of local files through fsspec's event loop.
UPROOT_OPTIONS = {"array_cache": None, "handler": uproot.MemmapSource}

BASKET_LIMIT = 1 << 28  # bytes: more than any basket has, so a larger one is a damaged number
COLLISION_RUNS = 100_000  # CMS has numbered runs with collisions above it since 2009; simulation has run 1
# What kinematics and truth are: one number an object, or lists of them; ANY: with numbers of other types.
NUMBERS, LISTS = "std::vector<float>", "std::vector<std::vector<float>>"
_ANY = r"(bool|float|double|u?int(8|16|32|64)_t)"
ANY = {kind: kind.replace("float", _ANY) for kind in (NUMBERS, LISTS)}
SIMULATED_HERE, SIMULATION, DATA, UNKNOWN = "e2e simulation", "simulation", "detector data", "unknown"


@dataclass(frozen=True)
class Ntuple:
    """A checked ntuple.

    ``branches`` are the vectors of numbers that are read, one an object; ``uuid`` is the file's;
    ``seed_rows`` are those of all objects. ``origin``: see ``store.Metadata``. ``notes`` say what was found
    out.
    """

    path: Path
    uuid: bytes
    entries: int
    layout: Layout
    branches: tuple[str, ...]
    origin: str
    seed_rows: np.ndarray
    notes: dict[str, str] = field(default_factory=dict)


def check(path: str | Path, task: Task, own_columns: bool = False) -> Ntuple:
    """Check that ``path`` is a whole ROOT file that a known analyzer wrote, with all that ``task`` reads.

    ``own_columns`` says that the file is one of this project's own from before HBHE_energy was written in the
    columns of the ECAL. Raises E2EError otherwise. Values are checked when they are used.
    """
    with open_tree(path) as tree, reading(path):
        contents = contents_of(tree)
        try:
            layout = layouts.recognise(contents, task, own_columns)
        except E2EError as error:
            raise E2EError(f"{path}: {error}") from None
        for branch in IDENTITY:
            if branch not in contents.branches:
                raise E2EError(f"{path}: {TREE} has no branch {branch}; write the ntuple with it")
            kind = tree[branch].interpretation
            if not (isinstance(kind, uproot.AsDtype) and kind.to_dtype.str[1:] in ("u4", "u8", "i4", "i8")):
                _wrong_type(path, tree[branch], "one whole number of 32 or 64 bits")
        layout, notes = _readable(tree, layout, task, contents.marker is not None)
        images = [image.branch for image in layout.images.values()]
        vectors = [branch for branch in _vectors(task, layout) if branch in contents.branches]
        for branch in _order(layout):
            if branch not in contents.branches:
                raise E2EError(
                    f"{path}: {TREE} has no branch {branch}, which orders the jets; write the ntuple with it"
                )
        for branch in dict.fromkeys((*layout.seeds, *images, *_order(layout))):
            if tree[branch].typename != NUMBERS:
                _wrong_type(path, tree[branch], f"one {NUMBERS}")
        for branch in (*IDENTITY, *layout.seeds, *images, *vectors):
            _check_baskets(tree, branch)
        rows = ak.to_numpy(ak.flatten(tree[layout.seeds[0]].array()))
        runs = tree[IDENTITY[0]].array(library="np")
        notes = {"ntuple": str(layout), **notes}
        if OWN["image"] in layout.images and layout.once:  # repeated seeds would outvote the others
            notes |= _columns(path, tree, layout, task)
        return Ntuple(
            Path(path),
            tree.file.uuid.bytes,
            tree.num_entries,
            layout,
            tuple(dict.fromkeys((*layout.seeds, *vectors))),
            _origin(contents, runs),
            rows,
            notes,
        )


def contents_of(tree: uproot.TTree) -> Contents:
    """What tells the layout of a tree."""
    marker, file = None, tree.file.root_directory
    if MARKER in file.keys(cycle=False):
        try:
            marker = json.loads(file[MARKER].member("fTitle"))
        except ValueError:
            marker = None
        marker = marker if isinstance(marker, dict) else None
    return Contents(frozenset(tree.keys(recursive=False)), marker)


def _readable(tree: uproot.TTree, layout: Layout, task: Task, marked: bool) -> tuple[Layout, dict[str, str]]:
    """A layout without the kinematics and the truth whose branches are of types that are not read; notes.

    Also on truth that nothing vouches for; ``marked`` says that this project wrote the file. Such a file is
    taken: most models look at images alone. cmsRun reads a pT that is there as one std::vector<float> an
    event, for models that take it and for their domain, and opens none of another type.
    """
    notes: dict[str, str] = {}

    def known(branch: str | None, expected: str = NUMBERS) -> bool:
        if branch is None or branch not in tree or re.fullmatch(ANY[expected], tree[branch].typename):
            return True
        notes[branch] = f"not read, as it is {tree[branch].typename}; expected one {expected} an event"
        return False

    def all_known(source: Source) -> bool:
        found = [known(source.complete), known(source.falling)]
        for name in source.branches:
            if source.kind == "subjets":
                numbered = takewhile(tree.__contains__, (name.format(number) for number in count()))
                found += map(known, numbered)
            else:
                found.append(known(name, LISTS if source.kind == "sum" else NUMBERS))
        return all(found)

    kinematics = {
        quantity.name: tuple(filter(all_known, layout.kinematics.get(quantity.name, ())))
        for quantity in task.kinematics
    }
    truth = layout.truth
    if truth and not all([known(truth.branch), known(truth.complete), known(truth.falling)]):
        truth = None
    if truth and truth.complete and truth.complete not in tree and not marked:
        notes[truth.branch] = (
            f"trusted, as there is no {truth.complete}: where an event has lost a jet, those after it have "
            "the values of the ones before"
        )
    return replace(layout, kinematics=kinematics, truth=truth), notes


def _order(layout: Layout) -> Iterator[str]:
    """Branches that order the objects."""
    if layout.order:
        yield from (layout.order.falling, *layout.order.direction)


def _vectors(task: Task, layout: Layout) -> Iterator[str]:
    """Branches with one number an object, beside seeds, that are read where they are there."""
    yield from _order(layout)
    for truth in [layout.truth] if layout.truth else []:
        yield from filter(None, (truth.branch, truth.complete, truth.falling))
    for quantity in task.kinematics:
        for source in layout.kinematics.get(quantity.name, ()):
            if source.kind in ("branch", "momentum"):
                yield from source.branches
            yield from filter(None, (source.complete, source.falling))


def _origin(contents: Contents, runs: np.ndarray) -> str:
    if contents.marker is not None:
        return SIMULATED_HERE
    if contents.simulation:
        return SIMULATION
    return DATA if len(runs) and runs.min() >= COLLISION_RUNS else UNKNOWN


def _columns(path: str | Path, tree: uproot.TTree, layout: Layout, task: Task) -> dict[str, str]:
    """Whether towers lie in the columns where they are said to: see ``hcal_columns.check``."""
    channel = next(channel for channel in task.channels if channel.name == OWN["image"])
    image = layout.images[channel.name].branch
    found = hcal_columns.look(tree, image, layout.seeds, task.frame_shape(channel))
    try:
        return {"HCAL": hcal_columns.check(found, image, layout.own_columns)}
    except E2EError as error:
        raise E2EError(f"{path}: {error}") from None


@contextmanager
def open_tree(path: str | Path) -> Iterator[uproot.TTree]:
    """The tree ``fevt/RHTree`` of a ROOT file; raises E2EError for another file, or one that is cut off."""
    path = Path(path)
    root_file.check(path)
    with reading(path):
        file = uproot.open(path, **UPROOT_OPTIONS)
    with file:
        with reading(path):
            classes = file.classnames(cycle=False)
            if TREE not in classes:
                trees = [name for name, kind in classes.items() if kind == "TTree"]
                raise E2EError(f"{path}: no tree {TREE}; trees in the file: {', '.join(trees) or 'none'}")
            if classes[TREE] != "TTree":
                raise E2EError(f"{path}: {TREE} is a {classes[TREE]}; MLAnalyzer writes a TTree")
            tree = file[TREE]
        yield tree


def _is_simulated(path: Path) -> bool:
    with suppress(E2EError), open_tree(path) as tree, reading(path):
        return contents_of(tree).marker is not None
    return False


SIMULATED = Kind("an ntuple of `e2e simulate`", (".root",), _is_simulated)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turns whatever damaged bytes make of uproot, which can fail in any way, into the error for the user."""
    known = _classes()
    try:
        yield
    except E2EError:
        raise
    except Exception as error:
        _forget(known)
        raise root_file.damaged(path, error) from error


def _classes() -> dict[str, tuple[type, dict | None]]:
    """Classes that uproot has learnt so far from files, with their versions."""
    return {
        name: (
            kind,
            dict(versions) if (versions := getattr(kind, "known_versions", None)) is not None else None,
        )
        for name, kind in uproot.classes.items()
    }


def _forget(known: dict[str, tuple[type, dict | None]]) -> None:
    """Let uproot forget what it learnt since: a damaged file teaches it nonsense about good ones."""
    uproot.classes.clear()
    for name, (kind, versions) in known.items():
        uproot.classes[name] = kind
        if versions is not None:
            kind.known_versions.clear()
            kind.known_versions.update(versions)


def _check_baskets(tree: uproot.TTree, name: str) -> None:
    """Raises ValueError where a branch says of its baskets what cannot be."""
    branch = tree[name]
    offsets = np.asarray(branch.entry_offsets, np.int64)
    if branch.num_entries != tree.num_entries or offsets[0] != 0 or offsets[-1] != tree.num_entries:
        raise ValueError(f"{name} has {offsets[-1]} of {tree.num_entries} entries")
    if np.any(np.diff(offsets) < 0):
        raise ValueError(f"the baskets of {name} are not in order")
    for number in range(branch.num_baskets - len(branch.embedded_baskets)):
        size = branch.basket_uncompressed_bytes(number)
        if not 0 <= size <= BASKET_LIMIT:
            raise ValueError(f"basket {number} of {name} has {size} bytes")


def event_name(tree: uproot.TTree, entry: int) -> str:
    """run:lumi:event of an entry."""
    numbers = (tree[branch].array(entry_start=entry, entry_stop=entry + 1)[0] for branch in IDENTITY)
    return ":".join(map(str, numbers))


def _wrong_type(path: str | Path, branch: uproot.TBranch, expected: str) -> None:
    raise E2EError(f"{path}: branch {branch.name} is {branch.typename}; expected {expected} an event")
