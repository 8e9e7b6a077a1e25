"""How ntuples write what a task looks at: which analyzer and mode wrote a file, which branches to read.

The table is layouts.json, which the CMSSW packages read too; docs/ntuples.md explains it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2e.errors import E2EError
from e2e.geometry import CONVENTIONS, DIRECTION, MIXED
from e2e.tasks import Channel, Task
from e2e.typed import shown

TABLE = json.loads(Path(__file__).with_name("layouts.json").read_text())
TREE = TABLE["tree"]
IDENTITY = tuple(TABLE["identity"])
MARKER = TABLE["marker"]
OWN = TABLE["own_columns"]


@dataclass(frozen=True)
class Image:
    """Where the values of a channel are: their branch, and how many columns too far left they lie there."""

    branch: str
    shift: int = 0


@dataclass(frozen=True)
class Order:
    """Objects come in another order, or twice; by falling ``falling`` they are those of the seeds.

    ``eta`` and ``phi`` (px and py) name the branches of the direction that has to fit to the seed, None
    where there are none.
    """

    falling: str
    eta: str | None
    phi: tuple[str, str] | None

    @property
    def direction(self) -> tuple[str, ...]:
        """The branches of the direction: eta, px and py; the first of them; or none."""
        return (*([self.eta] if self.eta else []), *(self.phi or ()))


@dataclass(frozen=True)
class Truth:
    """The branch of the truth.

    ``classes`` maps its values to names, flags from 0 on or magnitudes of PDG ids; without, positive values
    are the target. An event is complete where ``complete``, a vector of all its objects, is as long as the
    seeds; where it is longer, the values are those of other objects. ``falling``: see ``Source``.
    """

    branch: str
    classes: Mapping[int, str] | None = None
    complete: str | None = None
    falling: str | None = None


@dataclass(frozen=True)
class Source:
    """One source of a quantity: in ``branches`` as they stand, or by the momenta (px, py, pz) in them.

    ``kind`` is ``branch``, ``momentum`` (one number an object), ``sum`` (a list an object) or ``subjets``
    (branches with a number for {}, each with the list of one object). ``complete``: see ``Truth``. Its
    objects are in the order of the seeds when sorted by the falling branch ``falling``; None: as they are.
    """

    kind: str
    branches: tuple[str, ...]
    complete: str | None = None
    falling: str | None = None


@dataclass(frozen=True)
class Layout:
    """How one ntuple writes what a task looks at.

    ``images`` maps names of channels, ``kinematics`` names of quantities to the ways of finding them, in
    order. ``seeds`` are the branches of rows and columns; the crystal there holds energy in the branch
    ``hottest``. ``once``: objects at one seed are one, listed twice. ``tracks`` says where tracks lie, None
    without channels of tracks. ``own_columns``: the towers are in columns of their own, as this project wrote
    them once. ``holds`` says what its objects are, None where the mode does not tell, and ``classes`` are
    those that a sample of them may be said to be of.
    """

    analyzer: str
    mode: str
    fork: str | None
    images: dict[str, Image]
    seeds: tuple[str, str]
    hottest: str | None
    kinematics: dict[str, tuple[Source, ...]]
    truth: Truth | None
    order: Order | None
    once: bool
    tracks: str | None
    own_columns: bool
    holds: str | None
    classes: tuple[str, ...]

    def __str__(self) -> str:
        fork = f", {self.fork}" if self.fork and self.fork != self.analyzer else ""
        return f"{self.analyzer}, mode {self.mode}{fork}"


@dataclass(frozen=True)
class Contents:
    """What tells the layout of a tree: the names of its branches, and the marker of `e2e simulate`."""

    branches: frozenset[str]
    marker: Mapping[str, Any] | None = None

    def has(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry of the table fits."""
        return (
            self.branches.issuperset(entry.get("has", ()))
            and self.branches.isdisjoint(entry.get("lacks", ()))
            and (self.marker is not None or not entry.get("marked"))
        )

    @property
    def simulation(self) -> bool:
        """Whether there is any branch that only simulation has."""
        return self.marker is not None or not self.branches.isdisjoint(TABLE["simulation"])


def recognise(contents: Contents, task: Task, own_columns: bool = False) -> Layout:
    """How the tree with ``contents`` writes what ``task`` looks at.

    ``own_columns`` says that its towers are in columns of their own. Raises E2EError, without the file's
    name, for an analyzer or mode whose images cannot be told to belong to an object, and for a missing
    branch.
    """
    objects = TABLE["objects"][task.objects]
    mode = _mode(contents, task)
    if "refused" in mode:
        raise E2EError(
            f"written by {mode['analyzer']}, mode {mode['name']}, which cannot be used: {mode['refused']}"
        )
    images, tracks = {}, []
    for channel in task.channels:
        found = _image(contents, channel, task)
        shift = OWN["shift"] if own_columns and channel.name == OWN["image"] else 0
        images[channel.name] = Image(found["branch"], shift)
        tracks += [found["tracks"]] if "tracks" in found else []
    suffix = mode.get("suffix", "")
    orders = [
        order
        for order in (mode.get("order", {}), *objects.get("orders", ()))
        if order.get("falling", "") + suffix in contents.branches
    ]
    return Layout(
        mode["analyzer"],
        mode["name"],
        fork_of(contents),
        images,
        tuple(objects["seeds"]),
        objects.get("hottest"),
        {
            name: tuple(_sources(contents, sources, suffix, orders))
            for name, sources in objects["kinematics"].items()
        },
        _truth(task, mode.get("truth"), suffix, orders),
        _order(mode.get("order"), suffix),
        objects.get("once", False) and not (contents.marker or {}).get("repeats", False),
        _convention(contents, tracks, own_columns),
        own_columns,
        mode.get("holds"),
        tuple(mode.get("classes", task.classes)),
    )


def with_channels_there(contents: Contents, task: Task) -> Task:
    """A task with as many of its first channels as a tree has, at least one."""
    there = _there(contents, task)
    return replace(task, channels=task.channels[: max((*there, False).index(False), 1)])


def fork_of(contents: Contents) -> str | None:
    """Name of the version of the analyzers that writes such branches; None where nothing tells."""
    return next((fork["name"] for fork in TABLE["forks"] if contents.has(fork)), None)


def _mode(contents: Contents, task: Task) -> dict[str, Any]:
    objects = TABLE["objects"][task.objects]
    for mode in objects["modes"]:
        if contents.has(mode):
            return mode
    near = [
        f" (similar: {', '.join(close)})"
        for seed in objects["seeds"]
        if (close := difflib.get_close_matches(seed, contents.branches, n=2, cutoff=0.8))
    ]
    raise E2EError(
        f"{TREE} has no branches {' and '.join(objects['seeds'])}{''.join(near[:1])}, so no "
        f"{task.objects} can be "
        "cropped; write the ntuple with them, for instance by MLAnalyzer"
    )


def _image(contents: Contents, channel: Channel, task: Task) -> dict[str, Any]:
    sources = TABLE["images"].get(channel.name, [{"branch": channel.name}])
    for source in sources:
        if source["branch"] in contents.branches:
            if "refused" in source:
                raise E2EError(
                    f"{source['branch']} cannot serve as {channel.name}: it is {source['refused']}"
                    f"{_fewer_channels(contents, task)}"
                )
            return source
    branch = sources[0]["branch"]
    near = difflib.get_close_matches(branch, contents.branches, n=3)
    raise E2EError(
        f"{TREE} has no branch {branch}"
        + (f" (similar: {', '.join(near)})" if near else "")
        + "; write the ntuple with it, for instance by MLAnalyzer"
        + _fewer_channels(contents, task)
    )


def _fewer_channels(contents: Contents, task: Task) -> str:
    """Advice where only the last channels of a task are missing."""
    there = _there(contents, task)
    first = there.index(False)
    return f", or take the first {first} channels" if first and not any(there[first:]) else ""


def _there(contents: Contents, task: Task) -> list[bool]:
    """Which of a task's channels a tree has."""
    sources = (TABLE["images"].get(channel.name, ()) for channel in task.channels)
    return [
        any(source["branch"] in contents.branches and "refused" not in source for source in each)
        for each in sources
    ]


def _sources(
    contents: Contents, sources: list[dict[str, Any]], suffix: str, orders: list[dict[str, Any]]
) -> Iterator[Source]:
    """The ways of finding a quantity whose branches are there."""
    for source in sources:
        kind = next(kind for kind in ("branch", "momentum", "sum", "subjets") if kind in source)
        names = [source[kind]] if kind == "branch" else source[kind]
        # Branches with a number have no suffix in the one version that has any (docs/ntuples.md).
        branches = tuple(names) if kind == "subjets" else tuple(name + suffix for name in names)
        if contents.branches.issuperset(name.format(0) for name in branches):
            yield Source(kind, branches, _complete(source, suffix), _falling(names[0], suffix, orders))


def _truth(
    task: Task, entry: dict[str, Any] | None, suffix: str, orders: list[dict[str, Any]]
) -> Truth | None:
    """The truth that a mode writes, where it is one whose meaning the task knows."""
    if entry is None or entry["branch"] not in task.truth:
        return None
    return Truth(
        entry["branch"] + suffix,
        task.truth[entry["branch"]],
        _complete(entry, suffix),
        _falling(entry["branch"], suffix, orders),
    )


def _complete(entry: dict[str, Any], suffix: str) -> str | None:
    return entry["complete"] + suffix if "complete" in entry else None


def _falling(branch: str, suffix: str, orders: list[dict[str, Any]]) -> str | None:
    """By which branch the objects of one are sorted: an order belongs to the branch, whatever the mode."""
    return next((order["falling"] + suffix for order in orders if branch in order.get("of", ())), None)


def _order(entry: dict[str, Any] | None, suffix: str) -> Order | None:
    if entry is None:
        return None
    eta = entry["eta"] + suffix if "eta" in entry else None
    phi = tuple(name + suffix for name in entry["phi"]) if "phi" in entry else None
    return Order(entry["falling"] + suffix, eta, phi)


def _convention(contents: Contents, tracks: list[str], own_columns: bool) -> str | None:
    """Where tracks lie: as the branches say, which only the marker of `e2e simulate` can correct."""
    if not tracks:
        return None
    if own_columns:
        return OWN["tracks"]
    if set(tracks) == {DIRECTION} and contents.marker is not None:
        convention = contents.marker.get("tracks", DIRECTION)
        if convention not in CONVENTIONS:
            raise E2EError(
                f"{MARKER} says that tracks lie at {shown(convention)}; known are {', '.join(CONVENTIONS)}: "
                "simulate the file again"
            )
        return convention
    return tracks[0] if len(set(tracks)) == 1 else MIXED
