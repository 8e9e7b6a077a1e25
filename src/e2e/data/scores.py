"""Tables of scores: a row an object with its identity, target, the outputs of a model and kinematics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from e2e.data import parquet
from e2e.data.store import IDENTITY


def read_scores(path: str | Path, outputs: Iterable[str] = ()) -> pd.DataFrame:
    """A table that ``e2e predict`` or a measurement wrote, which must have these ``outputs``.

    Raises E2EError for a file that is missing, damaged or no such table.
    """
    return parquet.read_table(path, "make the scores again", [*IDENTITY, "target", *outputs])
