"""Says what is in a file: schema, units, counts, ranges, checksum, and a picture."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from rich import box
from rich.console import Console
from rich.table import Table

from e2e.data import ntuple, store
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.plots import displays
from e2e.tasks import TASKS, Task

EVENTS = 500  # an ntuple's ranges are those of its first events: whole frames take 2 ms each
CHUNK = 100


def inspect(path: str | Path, picture: str | Path | None = None) -> None:
    """Print a description of an RHTree ntuple (``.root``) or a sample store (``.parquet``).

    The picture goes to ``picture``, by default to ``<stem>.png`` in the working directory: the mean
    crop and a few objects of a store, the first event with an object of an ntuple. Raises E2EError for
    any other file.
    """
    path = Path(path)
    describe = {".parquet": _store, ".root": _ntuple}.get(path.suffix)
    if describe is None:
        raise E2EError(f"{path}: neither an ntuple (.root) nor a sample store (.parquet)")
    console = Console(width=160, soft_wrap=True, highlight=False, markup=False)
    describe(path, Path(picture or f"{path.stem}.png"), console)


def _store(path: Path, picture: Path, console: Console) -> None:
    metadata = store.read_metadata(path)
    samples = store.read(path)
    events = samples.identity().drop_duplicates(["sample", "run", "lumi", "event"])
    counts = [
        *(f"{np.count_nonzero(samples.target == code)} {name}" for code, name in enumerate(metadata.classes)),
        f"{np.count_nonzero(np.isnan(samples.target))} without truth",
    ]
    facts = {
        "file": path,
        "sha256": sha256(path),
        "task": metadata.task,
        "sample": metadata.sample,
        "source": metadata.source,
        "source sha256": metadata.source_sha256,
        "events from": "simulation" if metadata.simulation else "detector",
        "objects": f"{len(samples)} in {len(events)} events: {', '.join(counts)}",
        "rejected": ", ".join(f"{count} {reason}" for reason, count in metadata.rejected.items()) or "none",
        "crop": " x ".join(map(str, metadata.shape)) + " (channels x ieta x iphi)",
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
    columns = {name: getattr(samples, name) for name in (*store.IDENTITY, "target")} | samples.kinematics
    for name, column in columns.items():
        numbers = () if name == "sample" else _range(column)
        table.add_row(
            name, "string" if name == "sample" else str(column.dtype), units.get(name, ""), *numbers
        )
    table.add_row("index", "list of uint32", "", *_range(samples.index))
    table.add_row("value", "list of float32", "as its channel")
    console.print(table)
    displays.picture(samples, metadata.simulation, picture)
    console.print(f"picture: {picture}")


def _ntuple(path: Path, picture: Path, console: Console) -> None:
    with ntuple.open_tree(path) as tree:
        names = set(tree.keys())
        task = next((task for task in TASKS.values() if names.issuperset(ntuple.vector_branches(task))), None)
        scanned = min(tree.num_entries, EVENTS)
        facts = {
            "file": path,
            "sha256": sha256(path),
            "task": task.name if task else f"none; branches of none of {', '.join(TASKS)} are complete",
            "events from": "simulation" if ntuple.is_simulation(tree) else "detector",
            "events": tree.num_entries,
            "ranges of": f"the first {scanned} events",
        }
        _facts(console, facts)
        units = {layer.name: layer.unit for layer in (*task.channels, *task.kinematics)} if task else {}
        table = _table("branch", "type", "unit", "values an event", "occupancy", "minimum", "maximum")
        for branch in tree.branches:
            numeric = isinstance(branch.interpretation, uproot.AsDtype | uproot.AsJagged)
            numbers = _scan(branch, scanned) if numeric and scanned else ()
            table.add_row(branch.name, branch.typename, units.get(branch.name, ""), *numbers)
        console.print(table)
        if task and _draw_event(tree, task, scanned, picture):
            console.print(f"picture: {picture}")


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


def _draw_event(tree: uproot.TTree, task: Task, stop: int, picture: Path) -> bool:
    """Draw the first of ``stop`` events that has an object; False when none has, or its frames do not fit."""
    rows, columns = (tree[branch].array(entry_stop=stop) for branch in task.seeds)
    for entry in np.flatnonzero(ak.to_numpy(ak.num(rows)))[:1]:
        frames = [tree[c.name].array(entry_start=entry, entry_stop=entry + 1)[0] for c in task.channels]
        if any(len(frame) != task.detector[0] * task.detector[1] for frame in frames):
            return False
        frames = [ak.to_numpy(frame).reshape(task.detector) for frame in frames]
        name = ":".join(str(tree[branch].array(entry_stop=entry + 1)[entry]) for branch in ntuple.IDENTITY)
        seeds = ak.to_numpy(rows[entry]), ak.to_numpy(columns[entry])
        displays.detector(frames, seeds, task.channels, name, ntuple.is_simulation(tree), picture)
        return True
    return False


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
