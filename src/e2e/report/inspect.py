"""Says what is in a file: schema, units, counts, ranges, checksum, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
import uproot
from rich import box
from rich.console import Console
from rich.table import Table

from e2e.data import layouts, ntuple, parquet, public, store
from e2e.data.layouts import Layout
from e2e.data.ntuple import Ntuple
from e2e.data.scores import read_scores
from e2e.data.store import STORE, Metadata, Samples
from e2e.errors import E2EError
from e2e.files import Kind, beginning, local_path, ordinary, output_path, sha256
from e2e.geometry import middle
from e2e.report import displays
from e2e.tasks import Channel, Task, every, supervised

EVENTS = 500  # an ntuple's ranges are those of its first events: whole frames take 2 ms each
CHUNK = 100
_BEGINNINGS = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-1.4\n%\xac\xdc \xab\xba\n"}  # of matplotlib's


def _is_picture(path: Path) -> bool:
    with suppress(E2EError):
        return any(beginning(path, len(magic))[0] == magic for magic in _BEGINNINGS.values())
    return False


PICTURE = Kind("a picture", tuple(_BEGINNINGS), _is_picture)


def inspect(path: str | Path, picture: str | Path | None = None) -> None:
    """Print a description of an RHTree ntuple, a sample store, a public file, or a table of scores.

    The picture goes to ``picture``, by default to ``<stem>.png`` in the working directory, or, where that
    is there already, to ``<stem>-2.png`` and so on: the mean crop and a few objects of a store or of a public
    file, the first event with an object of an ntuple; of a table none. Raises E2EError for any other file.
    """
    path = Path(ordinary(local_path(path)))
    describe = _describer(path)
    console = Console(width=160, soft_wrap=True, highlight=False, markup=False)
    picture = Path(picture) if picture else _free(path.stem)
    output_path(picture, path, kind=PICTURE)
    describe(path, picture, console)


def _describer(path: Path) -> Callable[[Path, Path, Console], None]:
    """What describes a file, which is known by its content; raises E2EError where nothing does."""
    if path.suffix == ".root":
        return _ntuple
    if STORE.is_one(path):
        return _store
    if parquet.KEY.encode() in parquet.footer(path):
        return _scores
    if public.is_image_file(path):
        return _public
    raise E2EError(
        f"{path}: neither an ntuple (.root), nor a sample store or a table of scores (parquet), nor a public "
        "file (HDF5, parquet)"
    )


def _free(stem: str) -> Path:
    """A name for a picture that nothing has: what was not named is not written over."""
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(path for name in names if not (path := Path(f"{name}.png")).exists())


def _store(path: Path, picture: Path, console: Console) -> None:
    samples = store.read(path)
    _objects(path, store.read_metadata(path), samples, "", picture, console)


def _public(path: Path, picture: Path, console: Console) -> None:
    """As the store is that would be made of it."""
    with public.opened(None, path) as (metadata, pieces):
        _objects(path, metadata, next(pieces), ", the first of the file", picture, console)


def _scores(path: Path, picture: Path, console: Console) -> None:
    table = read_scores(path)
    target = table.pop("target")
    classes = target.value_counts().sort_index() if target.nunique() <= 2 else {}  # masses are many
    facts = {
        "file": path,
        "sha256": sha256(path),
        **{name.replace("_", " "): value for name, value in table.attrs.items()},
        "objects": f"{len(table)}, {target.isna().sum()} without truth",
        **{f"target {value:g}": f"{count} objects" for value, count in classes.items()},
    }
    _facts(console, facts)
    columns = _table("column", "type", "minimum", "median", "maximum")
    for name, column in table.items():
        numeric = pd.api.types.is_numeric_dtype(column)
        kind = str(column.dtype) if numeric else "string"
        columns.add_row(name, kind, *(_range(column.to_numpy()) if numeric else ()))
    console.print(columns)


def _objects(
    path: Path, metadata: Metadata, samples: Samples, which: str, picture: Path, console: Console
) -> None:
    """Describe a store, or what is like one, by ``samples``, all of it or the part that ``which`` says."""
    events = samples.identity().drop_duplicates(["sample", "run", "lumi", "event"])
    known = np.count_nonzero(~np.isnan(samples.target))
    counts = [
        f"{np.count_nonzero(samples.target == code)} {name}" for code, name in enumerate(metadata.classes)
    ]
    counts = [*(counts or [f"{known} with a target"]), f"{len(samples) - known} without truth"]
    facts = {
        "file": path,
        "sha256": sha256(path),
        "task": metadata.task,
        "sample": metadata.sample,
        "source": metadata.source,
        "source sha256": metadata.source_sha256,
        "events from": metadata.origin,
        **({"tracks at": metadata.tracks} if metadata.tracks else {}),
        "objects": f"{len(samples)} in {len(events)} events: {', '.join(counts)}{which}",
        "rejected": ", ".join(f"{count} {reason}" for reason, count in metadata.rejected.items()) or "none",
        "crop": " x ".join(map(str, metadata.shape))
        + " (channels x ieta x iphi)"
        + (", turned so that rows run outwards" if metadata.orientation else ""),
        **({"part": f"{metadata.part}, all of it"} if metadata.part else {}),
        **metadata.notes,
    }
    _facts(console, facts)

    channel = samples.index // np.uint32(metadata.rows * metadata.columns)
    cells = len(samples) * metadata.rows * metadata.columns
    table = _table("channel", "unit", "hits an object", "occupancy", "minimum", "median", "maximum")
    for number, layer in enumerate(metadata.channels):
        value = samples.value[channel == number]
        occupancy = f"{len(value) / max(cells, 1):.2%}"
        table.add_row(
            layer.name, layer.unit, f"{len(value) / max(len(samples), 1):.1f}", occupancy, *_range(value)
        )
    console.print(table)

    table = _table("column", "type", "unit", "minimum", "median", "maximum")
    units = {quantity.name: quantity.unit for quantity in metadata.kinematics}
    if metadata.task in every():
        units["target"] = every()[metadata.task].goal.quantity.unit
    columns = {name: getattr(samples, name) for name in (*store.IDENTITY, *store.SEED, "target")}
    columns |= samples.kinematics
    for name, column in columns.items():
        numbers = () if name == "sample" else _range(column)
        table.add_row(
            name, "string" if name == "sample" else str(column.dtype), units.get(name, ""), *numbers
        )
    table.add_row("index", "list of uint32", "", *_range(samples.index))
    table.add_row("value", "list of float32", "as its channel")
    console.print(table)
    displays.picture(samples, metadata.origin, picture)
    console.print(f"picture: {picture}")


def _ntuple(path: Path, picture: Path, console: Console) -> None:
    with ntuple.open_tree(path) as tree:
        usable, reasons = _usable(path, tree)
        scanned = min(tree.num_entries, EVENTS)
        writers = list(dict.fromkeys(checked.notes["ntuple"] for _, checked in usable))
        facts = {
            "file": path,
            "sha256": sha256(path),
            "written by": "; ".join(writers) or "nothing that is known",
            "tasks": ", ".join(_use(task, checked.layout) for task, checked in usable) or "none",
            **{f"not for {name}": reason for name, reason in reasons.items()},
            **{
                name: note
                for _, checked in usable
                for name, note in checked.notes.items()
                if name != "ntuple"
            },
            "tracks at": next((at for _, checked in usable if (at := checked.layout.tracks)), "no tracks"),
            "events from": usable[0][1].origin if usable else ntuple.UNKNOWN,
            "events": tree.num_entries,
            "ranges of": f"the first {scanned} events",
        }
        _facts(console, facts)
        units = {name: unit for task, checked in usable for name, unit in _units(task, checked.layout)}
        table = _table("branch", "type", "unit", "values an event", "occupancy", "minimum", "maximum")
        for branch in tree.branches:
            numeric = isinstance(branch.interpretation, uproot.AsDtype | uproot.AsJagged)
            numbers = _scan(branch, scanned) if numeric and scanned else ()
            table.add_row(branch.name, branch.typename, units.get(branch.name, ""), *numbers)
        console.print(table)
        if usable and _draw_event(tree, usable, scanned, picture):
            console.print(f"picture: {picture}")


def _usable(path: Path, tree: uproot.TTree) -> tuple[list[tuple[Task, Ntuple]], dict[str, str]]:
    """Tasks that can use an ntuple, with the channels that are there, and why others cannot."""
    usable, reasons = [], {}
    contents = ntuple.contents_of(tree)
    for task in supervised().values():
        task = layouts.with_channels_there(contents, task)
        try:
            usable.append((task, ntuple.check(path, task)))
        except E2EError as error:
            reasons[task.name] = str(error).removeprefix(f"{path}: ")
    return usable, reasons


def _use(task: Task, layout: Layout) -> str:
    there, channels = len(task.channels), len(every()[task.name].channels)
    said = [f"{there} of {channels} channels"] if there < channels else []
    said += ["no truth"] if layout.truth is None else []
    return f"{task.name} ({', '.join(said)})" if said else task.name


def _units(task: Task, layout: Layout) -> Iterator[tuple[str, str]]:
    """Branches of an ntuple that a task reads, with their units."""
    for channel in task.channels:
        yield layout.images[channel.name].branch, channel.unit
    for quantity in task.kinematics:
        for source in layout.kinematics.get(quantity.name, ()):
            if source.kind == "branch":
                yield source.branches[0], quantity.unit
    if layout.truth is not None:
        yield layout.truth.branch, task.goal.quantity.unit


def _scan(branch: uproot.TBranch, stop: int) -> tuple[str, ...]:
    """Values an event, occupancy, minimum and maximum of the first ``stop`` entries of a branch."""
    size, filled, low, high = 0, 0, np.inf, -np.inf
    for start in range(0, stop, CHUNK):
        array = branch.array(entry_start=start, entry_stop=min(start + CHUNK, stop))
        values = ak.to_numpy(ak.flatten(array, axis=None))
        if len(values):
            size += len(values)
            filled += np.count_nonzero(values)
            low, high = min(low, values.min()), max(high, values.max())
    if not size:
        return ("0",)
    return f"{size / stop:.6g}", f"{filled / size:.2%}", _number(low), _number(high)


def _draw_event(tree: uproot.TTree, usable: list[tuple[Task, Ntuple]], stop: int, picture: Path) -> bool:
    """Draw the first of ``stop`` events that has an object of each usable task, or of the first of them.

    False when none has, or when its frames are of the wrong size.
    """
    counts = [
        ak.to_numpy(ak.num(tree[checked.layout.seeds[0]].array(entry_stop=stop))) for _, checked in usable
    ]
    events = np.flatnonzero(np.all(counts, axis=0)), np.flatnonzero(counts[0])
    for entry in np.concatenate(events)[:1].tolist():
        panels = {
            channel.name: _panel(tree, task, checked.layout, channel, entry)
            for task, checked in usable
            for channel in task.channels
        }
        if None in panels.values():
            return False
        name = ntuple.event_name(tree, entry)
        displays.detector(list(panels.values()), name, usable[0][1].origin, picture)
        return True
    return False


def _panel(
    tree: uproot.TTree, task: Task, layout: Layout, channel: Channel, entry: int
) -> displays.Panel | None:
    """Frame of a channel in an event and where the objects of a task are in it; None for another size."""
    one = {"entry_start": entry, "entry_stop": entry + 1}
    frame = ak.to_numpy(tree[layout.images[channel.name].branch].array(**one)[0])
    shape = task.frame_shape(channel)
    if len(frame) != shape[0] * shape[1]:
        return None
    seeds = np.stack([ak.to_numpy(tree[branch].array(**one)[0]) for branch in layout.seeds], axis=1)
    cells = middle(seeds, task.seed_cell)
    return displays.Panel(channel, frame.reshape(shape), cells // channel.cell)


def _facts(console: Console, facts: dict[str, object]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        console.print(f"{name:{width}}  {value}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        words = column in ("channel", "column", "branch", "type", "unit")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table


def _range(values: np.ndarray) -> tuple[str, ...]:
    """Minimum, median and maximum of the known values; nothing where there are none."""
    values = values[~np.isnan(values)]
    return (_number(values.min()), _number(np.median(values)), _number(values.max())) if len(values) else ()


def _number(value: np.number) -> str:
    return str(value) if isinstance(value, np.integer) else f"{value:.5g}"
