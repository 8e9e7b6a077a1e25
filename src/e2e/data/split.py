"""The split: of each object its part, and the weight that gives the classes equal kinematics.

The part is that of its event (``parts.part``); a file that says of itself that it is of one part stays in
that part as a whole. Weights are fitted on the training part, once for all who train and measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from e2e import tasks
from e2e.data import parquet
from e2e.data.parts import ALL, EVENT, FRACTIONS, PARTS, Labels, part
from e2e.data.store import IDENTITY, Metadata, StoreFile
from e2e.errors import E2EError
from e2e.files import write_json

REMEDY = "make the split anew"
COLUMNS = [*IDENTITY, "file", "row", "part", "target", "weight"]


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
    """Write the part and the weight of every object of the store files ``paths``.

    ``output`` (parquet) has one row an object: sample, run, lumi, event, object, file (base name of
    the store), row (position in it), part, target, weight (see ``balance.fit``; null without truth, and for
    all where the training part lacks a class, or its classes have no kinematics in common). ``summary``
    (JSON) counts objects per part and class (if the task has any), and events per part. Hits are not read.
    Raises E2EError when an object occurs twice, since copies of an event under one identity are a fault of
    the input, and for files of other classes.
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
        tables.append(objects.assign(**place, part=_parts(objects, file.metadata)))
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

    table["weight"] = _weights(table, tasks.task(files[0].metadata.task))
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
            ("weight", pa.float32()),
        ]
    )
    arrow = pa.Table.from_pandas(table[COLUMNS], schema, preserve_index=False).replace_schema_metadata()
    parquet.write_table(output, arrow)
    write_json(summary, _summary(table, files[0].metadata.classes))


def _weights(table: pd.DataFrame, task: tasks.Task) -> NDArray[np.float32]:
    """Weights [N] of objects, NaN where there is no truth, or nothing to weight a class against."""
    from e2e.data import balance  # brings scikit-learn, which readers do not need

    weight = np.full(len(table), np.nan, np.float32)
    known = table.target.notna().to_numpy()
    train = table[known & (table.part == "train").to_numpy()]
    if train.target.nunique() >= len(task.classes) and not balance.fault(train, task):
        weight[known] = balance.fit(train, task)(table[known])
    return weight


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
    paths: Sequence[str | Path],
    split: str | Path,
    name: str,
    labelled: bool = True,
    labels: Labels = ALL,
) -> Iterator[tuple[StoreFile, pd.DataFrame]]:
    """The store files of a split, and of each the objects of one part (``PARTS``).

    With ``labelled`` only those with truth, and of these the ``labels`` alone. ``paths`` are the files the
    split was made from. A table has the columns of ``StoreFile.objects`` and the ``weight``; its index is the
    row in the file. Raises E2EError when ``split`` does not belong to the files.
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
        objects["weight"] = rows.weight.to_numpy()
        chosen = (rows.part == name).to_numpy()
        if labelled:
            chosen = chosen & objects.target.notna().to_numpy()
            if labels.share < 1.0:
                chosen = chosen & labels.of(*(objects[column].to_numpy() for column in EVENT))
        yield file, objects[chosen]
