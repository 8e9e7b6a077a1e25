"""Division of events into training, validation and test parts by a hash of their identity.

The part of an event depends on (sample, run, lumi, event) and on nothing else: not on the order or
number of files, on other events, or on the machine. All objects of an event fall into one part.
A file that says of itself that it is of one part stays in that part as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from e2e.data import parquet
from e2e.data.store import IDENTITY, Metadata, StoreFile
from e2e.errors import E2EError
from e2e.files import write_json

PARTS = ("train", "validation", "test")
FRACTIONS = (0.7, 0.1, 0.2)
REMEDY = "make the split anew"
EVENT = ["sample", "run", "lumi", "event"]
COLUMNS = [*IDENTITY, "file", "row", "part", "target"]


def _mix(x: np.ndarray) -> np.ndarray:
    """One step of splitmix64: its increment and finaliser, on uint64 (modulo 2^64).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), with
    the constants of Vigna's reference implementation.
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def part(sample: np.ndarray, run: np.ndarray, lumi: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Part of each event, as uint8 positions in ``PARTS``; all arguments are arrays [N].

    The hash starts from the first 8 bytes (little endian) of BLAKE2b of the sample's name, takes in
    run, lumi and event by splitmix64 one after the other, and its top 53 bits are a fraction in
    [0, 1) that is compared with the cumulative ``FRACTIONS``.
    """
    names, name = np.unique(np.asarray(sample, str), return_inverse=True)
    digests = [hashlib.blake2b(n.encode(), digest_size=8).digest() for n in names.tolist()]
    state = np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)[name]
    for number in (run, lumi, event):
        state = _mix(state ^ np.asarray(number, np.uint64))
    fraction = (state >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(np.cumsum(FRACTIONS)[:-1], fraction, side="right").astype(np.uint8)


def _parts(objects: pd.DataFrame, metadata: Metadata) -> np.ndarray:
    """Names of the parts [N] of the objects of a file; raises E2EError where it claims one that is none."""
    if metadata.part is None:
        return np.array(PARTS)[part(*(objects[name].to_numpy() for name in EVENT))]
    if metadata.part not in PARTS:
        raise E2EError(
            f"sample {metadata.sample!r} of {metadata.source} says it is of part {metadata.part!r}; "
            f"parts are {', '.join(PARTS)}"
        )
    return np.full(len(objects), metadata.part)


def write_split(paths: Sequence[str | Path], output: str | Path, summary: str | Path) -> None:
    """Write the part of every object of the store files ``paths``.

    ``output`` (parquet) has one row an object: sample, run, lumi, event, object, file (base name of
    the store), row (position in it), part, target. ``summary`` (JSON) counts objects per part and
    class (if the task has any), and events per part. Hits are not read. Raises E2EError when an object
    occurs twice, since copies of an event under one identity are a fault of the input, and for files of other
    classes.
    """
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        raise E2EError(f"store files of equal names cannot be split together: {', '.join(map(str, paths))}")
    files = [StoreFile(path) for path in paths]
    for file in files:
        if file.metadata.classes != files[0].metadata.classes:
            raise E2EError(
                f"{file.path} and {files[0].path} name other classes: their targets do not mean the same; "
                "convert them for one task"
            )
    tables = []
    for file, name in zip(files, names, strict=True):
        objects = file.objects()
        place = {"file": name, "row": np.arange(len(objects), dtype=np.uint32)}
        own = {"part": _parts(objects, file.metadata), "target": objects["target"]}
        tables.append(objects[list(IDENTITY)].assign(**place, **own))
    table = pd.concat(tables, ignore_index=True)

    twice = table[table.duplicated(list(IDENTITY), keep=False)].sort_values(list(IDENTITY), kind="stable")
    if len(twice):
        first, second = twice.iloc[0], twice.iloc[1]
        raise E2EError(
            f"object {first['object']} of event {first.run}:{first.lumi}:{first.event}, "
            f"sample {first['sample']!r}, is in {first.file} row {first.row} and again in "
            f"{second.file} row {second.row}: give each "
            "simulated file its own run number, or leave one of the files out"
        )

    schema = pa.schema(
        [
            *(
                (name, pa.string() if kind is str else pa.from_numpy_dtype(kind))
                for name, kind in IDENTITY.items()
            ),
            ("file", pa.string()),
            ("row", pa.uint32()),
            ("part", pa.string()),
            ("target", pa.float32()),
        ]
    )
    arrow = pa.Table.from_pandas(table, schema, preserve_index=False).replace_schema_metadata()
    parquet.write_table(output, arrow)
    write_json(summary, _summary(table, files[0].metadata.classes))


def _summary(table: pd.DataFrame, classes: Sequence[str]) -> dict:
    events = table.drop_duplicates([*EVENT, "part"])
    counts = {}
    for name in PARTS:
        target = table.target[table.part == name]
        counts[name] = {
            "events": int((events.part == name).sum()),
            "objects": len(target),
            **{label: int((target == code).sum()) for code, label in enumerate(classes)},
            "without truth": int(target.isna().sum()),
        }
    return {
        "fractions": dict(zip(PARTS, FRACTIONS, strict=True)),
        "parts": counts,
        "events_in_several_parts": int(events.duplicated(EVENT).sum()),
    }


def read_part(
    paths: Sequence[str | Path], split: str | Path, name: str, labelled: bool = True
) -> Iterator[tuple[StoreFile, pd.DataFrame]]:
    """The store files of a split, and of each the objects of one part (``PARTS``).

    With ``labelled`` only those with truth. ``paths`` are the files the split was made from. A table has the
    columns of ``StoreFile.objects``; its index is the row in the file. Raises E2EError when ``split`` does
    not belong to the files.
    """
    if name not in PARTS:
        raise E2EError(f"no part {name!r}; choose one of: {', '.join(PARTS)}")
    table = parquet.read_table(split, REMEDY, COLUMNS)
    files = {Path(path).name: StoreFile(path) for path in paths}
    if differing := {file for file in files if files[file].rows} ^ set(table.file):  # some may be empty
        raise E2EError(
            f"{split}: made from other store files (differing: {', '.join(sorted(differing))}); {REMEDY}"
        )
    for file_name, rows in table.groupby("file", sort=False):
        file = files[file_name]
        objects = file.objects()
        if not objects[list(IDENTITY)].equals(rows[list(IDENTITY)].reset_index(drop=True)):
            raise E2EError(f"{split}: objects of {file.path} have changed since; {REMEDY}")
        chosen = (rows.part == name).to_numpy()
        yield file, objects[chosen & objects.target.notna() if labelled else chosen]
