"""Tables of scores: a row an object with its identity, target, the outputs of a model and kinematics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from e2e.data import parquet
from e2e.data.store import IDENTITY, SEED
from e2e.errors import E2EError


def write_scores(path: str | Path, objects: pd.DataFrame, **outputs: NDArray[np.float32]) -> None:
    """Write sample, run, lumi, event, object, target, the ``outputs`` and the kinematics, a row an object."""
    columns = {**objects[[*IDENTITY, "target"]], **outputs, **kinematics(objects)}
    table = pa.table({name: pa.array(np.asarray(column)) for name, column in columns.items()})
    parquet.write_table(path, table)


def read_scores(path: str | Path, outputs: Iterable[str] = ()) -> pd.DataFrame:
    """A table that ``e2e predict`` or a measurement wrote, which must have these ``outputs``.

    Raises E2EError for a file that is missing, damaged or no such table.
    """
    return parquet.read_table(path, "make the scores again", [*IDENTITY, "target", *outputs])


def read_output(path: str | Path, objects: pd.DataFrame, output: str) -> NDArray[np.float64]:
    """The column ``output`` [N] of the table ``path`` in the order of ``objects``.

    Raises E2EError where the table is of other objects.
    """
    key = list(IDENTITY)
    table = read_scores(path, [output])
    if len(table) != len(objects) or table.duplicated(key).any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    merged = objects[key].merge(table, on=key, how="left", validate="one_to_one")
    if merged[output].isna().any():
        raise E2EError(f"{path}: not the test part of these stores; make it again")
    return merged[output].to_numpy()


def kinematics(objects: pd.DataFrame) -> pd.DataFrame:
    """What a table of objects holds besides identity, seed and target."""
    return objects.drop(columns=[*IDENTITY, *SEED, "target"], errors="ignore")
