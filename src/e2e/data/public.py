"""Converts the public image files, in one of ``public_layouts``, to the sample store.

They come from CERNBox (docs/how-to/cernbox.md), and are told apart by their columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from e2e import tasks
from e2e.data import image_files, ntuple, store
from e2e.data.image_files import ImageFile
from e2e.data.images import hits
from e2e.data.public_layouts import LAYOUTS, SIGNIFICANT, Layout
from e2e.data.store import Metadata, Samples
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.geometry import middle
from e2e.tasks import TRACKS, Task

EMPTY = "empty_crop"
MANY = 20  # different values in blocks of equal pixels: fewer could be a coincidence


def is_image_file(path: str | Path) -> bool:
    """Whether a file is HDF5 or parquet, so that ``convert`` reads it or says why not.

    Raises E2EError for a file that cannot be opened, or that is cut off.
    """
    file = image_files.open_file(path)
    if file is None:
        return False
    file.close()
    return True


def layout(path: str | Path) -> str | None:
    """Name of the public layout of a file, by its columns; None for any other file.

    Raises E2EError for a file that cannot be opened, or that is cut off.
    """
    file = image_files.open_file(path)
    if file is None:
        return None
    with file:
        found = _layout(file)
    return found.name if found else None


def _layout(file: ImageFile) -> Layout | None:
    return next((layout for layout in LAYOUTS if layout.image in file.names), None)


def convert(
    task: Task,
    source: str | Path,
    output: str | Path,
    sample: str | None = None,
    part: str | None = None,
    progress: bool = True,
    drop_empty: bool = False,
) -> Metadata:
    """Write the objects of a public file to the store file ``output``, whole or not at all.

    An object's identity is (SHA-256 of the file, 0, 0, row, 0): a file is the same under any name.
    Of its images the first channels are taken, as many as the task has. Values are rounded to float32
    in the channel's unit; a hit is a value that is then not 0. Quantities that the file has not, or that are
    not finite there, are NaN; so are seeds, unless the file tells their rows and columns. Crops of electrons
    and photons whose seed, the brightest crystal of the mean image, has another place than the task's are
    moved there.
    ``sample`` names the sample (default: the file's name up to the first dot). ``part`` is the part of
    the split that all objects belong to: by default ``test`` for a file that came as one (".test." in
    its name), else none; ``split`` divides those, too. ``drop_empty`` leaves out crops of electrons and
    photons without any hit, of which there are some; without it they are kept, and counted by class.

    The ``notes`` of the returned metadata say how labels and channels were told apart, where seeds were
    found, what was left out, and how many kinematics are not finite. Raises E2EError, naming file, column
    and row, for a file of another layout or task, a missing column, images of the wrong shape, pixels and
    targets that are not finite, and damage.
    """
    with opened(task, source, sample, part, progress, drop_empty) as (metadata, pieces):
        store.write(output, pieces, metadata)
    return metadata


@contextmanager
def opened(
    task: Task | None,
    source: str | Path,
    sample: str | None = None,
    part: str | None = None,
    progress: bool = False,
    drop_empty: bool = False,
) -> Iterator[tuple[Metadata, Iterator[Samples]]]:
    """What ``convert`` makes of a public file, piece by piece; without a ``task``, for the file's own."""
    source = Path(source)
    file = image_files.open_file(source)
    if file is None:
        raise E2EError(
            f"{source}: neither HDF5 nor parquet, but {_beginning(source)}; fetch it again, or convert an "
            "ntuple instead"
        )
    with file:
        task = task or _task(file)
        found = _check(file, task)
        names = [name for name in found.targets if name in file.names][:1]
        names += [name for name in (*found.kinematics, *found.at) if name in file.names]
        columns = {name: _column(file, found, name) for name in names}
        kinematics, unknown = _kinematics(found, task, columns, file.rows(found.image))
        target, labels = _target(file, found, columns, kinematics)
        moved, seed = _seed(file, found, task)
        seeds, counted = _seeds(found, task, columns, len(target))
        empty = _empty(file, found, task)
        kept = ~empty if drop_empty else np.ones(len(target), bool)
        metadata = Metadata(
            task=task.name,
            sample=sample or source.name.split(".")[0],
            channels=task.channels,
            rows=task.crop.rows,
            columns=task.crop.columns,
            kinematics=task.kinematics,
            classes=task.classes,
            source=source.name,
            source_sha256=sha256(source),
            origin=ntuple.SIMULATION,
            rejected={EMPTY: int(empty.sum())} if drop_empty and found.seeds else {},
            part=_part(source, part),
            tracks=found.tracks if set(TRACKS) & set(task.channels) else None,
            notes={
                "layout": found.name,
                "target": labels,
                "channels": _channel_order(file, found, task),
                **seed,
                **counted,
                **_empty_crops(empty, target, task, drop_empty),
                **{name: note for name, note in found.notes.items() if np.isfinite(kinematics[name]).any()},
                **unknown,
            },
        )
        yield (
            metadata,
            _samples(
                file, found, task, metadata.source_sha256, target, kinematics, seeds, moved, kept, progress
            ),
        )


def _task(file: ImageFile) -> Task:
    """The task that a file belongs to, with the channels that the file has; any for a file of no layout."""
    found = _layout(file) or LAYOUTS[0]
    task = tasks.task(found.task)
    there = found.image in file.names and file.rows(found.image)
    return replace(task, channels=task.channels[: file.shape(found.image)[0]]) if there else task


def _beginning(source: Path) -> str:
    with open(source, "rb") as file:
        start = file.read(100)
    return "an HTML page" if start.lstrip().startswith(b"<") else f"a file that starts with {start[:8]!r}"


def _part(source: Path, part: str | None) -> str | None:
    if part is None:
        return "test" if ".test." in source.name else None
    return None if part == "split" else part


def _check(file: ImageFile, task: Task) -> Layout:
    """The layout of a file that holds what ``task`` looks at; raises E2EError otherwise."""
    found = _layout(file)
    here = ", ".join(sorted(file.names)) or "no column"
    if found is not None:
        wanted = {*found.required, *found.targets, *found.kinematics, *found.at}
        wanted -= {*file.names}
        if misplaced := file.misplaced(wanted):
            raise E2EError(f"{file.path}: {misplaced}")
    if found is None:
        images = [layout.image for layout in LAYOUTS]
        if {*store.IDENTITY, *store.HITS} <= set(file.names):
            raise E2EError(f"{file.path}: a sample store already; it needs no conversion")
        if {*store.IDENTITY, "target"} <= set(file.names):
            raise E2EError(
                f"{file.path}: a table of scores that another program has written again, without what says "
                "which model gave them; make it anew with e2e predict"
            )
        if misplaced := file.misplaced(images):
            raise E2EError(f"{file.path}: {misplaced}")
        raise E2EError(
            f"{file.path}: not a public layout: it has {here}; expected images in one of {', '.join(images)}"
        )
    if found.task != task.name:
        raise E2EError(
            f"{file.path}: a {found.name} file, which belongs to task {found.task}, not {task.name}"
        )
    missing = [name for name in found.required if name not in file.names]
    if found.labelled and not any(name in file.names for name in found.targets):
        missing.append(" or ".join(found.targets))
    if missing:
        raise E2EError(f"{file.path}: no column {', '.join(missing)} beside {found.image}; it has {here}")
    if not file.rows(found.image):
        raise E2EError(f"{file.path}: {found.image} is empty; fetch or write the file again")
    shape = file.shape(found.image)
    if shape[0] not in found.channels or shape[1:] != task.shape[1:]:
        expected = " or ".join(_by((channels, *task.shape[1:])) for channels in found.channels)
        raise E2EError(
            f"{file.path}: {found.image} holds images of {_by(shape)} (channels x rows x columns); "
            f"those of a {found.name} file are {expected}"
        )
    if shape[0] < len(task.channels):
        raise E2EError(
            f"{file.path}: {found.image} has {shape[0]} channels; choose {shape[0]} channels for "
            f"{task.name}, not {len(task.channels)}"
        )
    return found


def _column(file: ImageFile, found: Layout, name: str) -> np.ndarray:
    """A column of numbers beside the images; targets are finite, as float32 too."""
    values = file.numbers(name)
    rows = file.rows(found.image)
    if len(values) != rows:
        raise E2EError(f"{file.path}: {name} has {len(values)} rows, {found.image} {rows}; fetch it again")
    if name in found.targets:
        with np.errstate(over="ignore"):
            _require(file, name, values, np.isfinite(values.astype(np.float32)), "a number")
    return values


def _require(file: ImageFile, name: str, values: np.ndarray, good: np.ndarray, meaning: str) -> None:
    for row in np.flatnonzero(~good)[:1]:
        raise E2EError(f"{file.path}: {name} is {values[row]:g} at row {row}; expected {meaning}")


def _target(
    file: ImageFile, found: Layout, columns: dict[str, np.ndarray], kinematics: dict[str, np.ndarray]
) -> tuple[np.ndarray, str]:
    """Target of each object, float32 with NaN where there is none, and where it comes from."""
    name = next((name for name in found.targets if name in columns), None)
    if name is None:
        return np.full(file.rows(found.image), np.nan, np.float32), "none: the file has no labels"
    values = columns[name]
    if found.flags:
        _require(file, name, values, np.isin(values, (0, 1)), "0 or 1")
    return found.meaning(name, values, kinematics)


def _kinematics(
    found: Layout, task: Task, columns: dict[str, np.ndarray], count: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The task's quantities, float32 [``count``], NaN where unknown; and how many of them are not finite."""
    kinematics = {quantity.name: np.full(count, np.nan, np.float32) for quantity in task.kinematics}
    notes = {}
    for column, name in found.kinematics.items():
        if column in columns:
            kinematics[name], bad = store.known(columns[column])
            if bad:
                notes[f"{name} that is not finite"] = f"null for {bad} objects"
    return kinematics, notes


def _seeds(
    found: Layout, task: Task, columns: dict[str, np.ndarray], count: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Row and column of each seed in the detector, float32 [``count``] with NaN where unknown; a note.

    They count in towers, as the analyzer's seeds do, or in crystals: a crop of a jet fits the detector from
    row 62 on, beyond the number of any tower. A pair of values that are no cell of the detector is NaN.
    """
    unknown = {name: np.full(count, np.nan, np.float32) for name in store.SEED}
    if not found.at or not {*found.at} <= {*columns}:
        return unknown, {}
    places, cell = [columns[name].astype(np.float64) for name in found.at], task.seed_cell
    inside = np.logical_and.reduce(
        [  # False for NaN
            (place >= 0) & (place < size) & (place == np.floor(place))
            for place, size in zip(places, task.detector, strict=True)
        ]
    )
    towers = not np.any(places[0][inside] >= task.detector[0] // cell)
    note = f"by {' and '.join(found.at)}, which count "
    note += f"towers of {cell} x {cell} crystals" if towers else "crystals"
    if bad := np.count_nonzero(~inside):
        note += f"; null for {bad} objects, in no cell of the detector"
    seeds = {
        name: np.where(inside, middle(place, cell) if towers else place, np.nan).astype(np.float32)
        for name, place in zip(store.SEED, places, strict=True)
    }
    return seeds, {"seeds": note}


def _seed(file: ImageFile, found: Layout, task: Task) -> tuple[tuple[int, int], dict[str, str]]:
    """By how many rows and columns crops are to be moved, and what the first images tell of their seed.

    The converter of the public crops cuts them so that it lies at row and column 16, that of later ones at
    15. Jets, whose towers show their place, come as they should. Raises E2EError for any other place.
    """
    if not found.seeds:
        return (0, 0), {}
    wanted = task.crop.seed_row, task.crop.seed_column
    energy = next(file.images(found.image, 1)).reshape(-1, task.crop.rows * task.crop.columns).astype(float)
    energy[~np.isfinite(energy)] = 0  # which is said later, with its place
    first, second = np.argsort(energy.mean(axis=0))[-2:][::-1]
    ahead = energy[:, first] - energy[:, second]
    if len(energy) < 2 or ahead.mean() <= SIGNIFICANT * ahead.std() / np.sqrt(len(energy)):
        return (0, 0), {
            "seed": f"at row {wanted[0]}, column {wanted[1]}, as documented: the mean image does not tell"
        }
    place = divmod(int(first), task.crop.columns)
    if not {*place} <= {*found.seeds}:
        raise E2EError(
            f"{file.path}: the mean image is brightest at row {place[0]}, column {place[1]}, but crops have "
            f"their seed at {' or '.join(map(str, found.seeds))}; cut them around the seed"
        )
    moved = wanted[0] - place[0], wanted[1] - place[1]
    note = f"at row {place[0]}, column {place[1]} of the mean of the first {len(energy)} images"
    if any(moved):
        note += f"; moved to {wanted[0]}, {wanted[1]}: " + " and ".join(
            f"the first {axis} is left out, the last one empty"
            for axis, by in zip(("row", "column"), moved, strict=True)
            if by
        )
    return moved, {"seed": note}


def _empty(file: ImageFile, found: Layout, task: Task) -> np.ndarray:
    """Which crops of electrons and photons have no hit, bool [N]; other images are not known to be so."""
    if not found.seeds:
        return np.zeros(file.rows(found.image), bool)
    batches = file.images(found.image, len(task.channels))
    return np.concatenate([~images.any(axis=(1, 2, 3)) for images in batches])


def _empty_crops(empty: np.ndarray, target: np.ndarray, task: Task, dropped: bool) -> dict[str, str]:
    """What notes say of crops without any hit: how many there are of each class."""
    if not empty.any():
        return {}
    counts = [np.count_nonzero(empty & (target == number)) for number in range(len(task.classes))]
    told = ", ".join(f"{count} of {name}" for count, name in zip(counts, task.classes, strict=True))
    return {"empty crops": f"{told}; {'left out' if dropped else 'kept'}"}


def _moved(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Images [N, C, H, W] moved by rows and columns; what leaves them is lost, what comes in is 0."""
    if not (rows or columns):
        return images
    moved = np.zeros_like(images)
    to, there = zip(
        *(_overlap(by, size) for by, size in zip((rows, columns), images.shape[2:], strict=True)), strict=True
    )
    moved[:, :, to[0], to[1]] = images[:, :, there[0], there[1]]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where what is left of an axis moved ``by`` comes to lie, and where it was."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


def _channel_order(file: ImageFile, found: Layout, task: Task) -> str:
    """What the first images tell of the order of channels: HCAL towers are blocks of equal pixels.

    Raises E2EError when other channels show them than those of the task that should.
    """
    order = f"{', '.join(channel.name for channel in task.channels)}, as documented"
    if left_out := found.holds[len(task.channels) : file.shape(found.image)[0]]:
        order += f" (left out: {', '.join(left_out)})"
    towers = [number for number, channel in enumerate(task.channels) if channel.cell > 1]
    if not towers:
        return order
    first = next(file.images(found.image, len(task.channels)))
    cell = task.channels[towers[0]].cell
    seen = [number for number in range(len(task.channels)) if _in_blocks(first[:, number], cell)]
    if not seen:
        return f"{order}; no channel shows the {cell} x {cell} equal pixels of a tower"
    if seen != towers:
        raise E2EError(
            f"{file.path}: {found.image} shows the {cell} x {cell} equal pixels of HCAL towers in channel "
            f"{seen[0]}, but {task.channels[towers[0]].name} is channel {towers[0]}; reorder the channels"
        )
    return f"{order}; {task.channels[towers[0]].name} shows the {cell} x {cell} equal pixels of its towers"


def _in_blocks(images: np.ndarray, cell: int) -> bool:
    """Whether images [N, H, W] consist of aligned blocks of cell x cell equal pixels, of many values."""
    count, rows, columns = images.shape
    blocks = images.reshape(count, rows // cell, cell, columns // cell, cell)
    smallest, largest = blocks.min(axis=(2, 4)), blocks.max(axis=(2, 4))
    return np.array_equal(smallest, largest) and len(np.unique(largest)) > MANY


def _samples(
    file: ImageFile,
    found: Layout,
    task: Task,
    digest: str,
    target: np.ndarray,
    kinematics: dict[str, np.ndarray],
    seeds: dict[str, np.ndarray],
    moved: tuple[int, int],
    kept: np.ndarray,
    progress: bool,
) -> Iterator[Samples]:
    """The objects of a file that are ``kept``, a batch at a time, crops ``moved`` by rows and columns."""
    factors = np.array(found.factors[: len(task.channels)], np.float32).reshape(-1, 1, 1)
    start = 0
    label = f"Converting {file.path.name}"
    with tqdm(total=len(target), desc=label, unit="objects", disable=not progress) as bar:
        for images in file.images(found.image, len(task.channels)):
            if found.factors:
                with np.errstate(over="ignore"):  # said below, with its place
                    images *= factors
            _check_finite(file, found, images, start)
            rows = slice(start, start + len(images))
            offsets, index, value = hits(_moved(images, *moved))
            piece = Samples(
                sample=np.full(len(images), digest),
                run=np.zeros(len(images), np.uint32),
                lumi=np.zeros(len(images), np.uint32),
                event=np.arange(rows.start, rows.stop, dtype=np.uint64),
                object=np.zeros(len(images), np.uint32),
                target=target[rows],
                kinematics={name: column[rows] for name, column in kinematics.items()},
                **{name: column[rows] for name, column in seeds.items()},
                offsets=offsets,
                index=index,
                value=value,
                channels=task.channels,
                classes=task.classes,
                shape=task.shape,
            )
            yield piece if kept[rows].all() else piece[np.flatnonzero(kept[rows])]
            start = rows.stop
            bar.update(len(images))


def _check_finite(file: ImageFile, found: Layout, images: np.ndarray, start: int) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(images.sum()):  # several times faster than isfinite of each value
            return
    for row, channel, i, j in np.argwhere(~np.isfinite(images))[:1]:
        raise E2EError(
            f"{file.path}: {found.image} is {images[row, channel, i, j]} at row {start + row}, channel "
            f"{channel}, pixel ({i}, {j}); a pixel without a hit is 0: fetch or write the file again"
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
