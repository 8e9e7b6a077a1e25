"""Scores of an exported model on ntuples and sample stores, through ONNX Runtime."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from e2e.data import convert, parquet, scalars
from e2e.data.domain import Counts
from e2e.data.store import Metadata, Samples, StoreFile
from e2e.deploy.contract import LOGIT, SCORE, Contract, columns, load_contract
from e2e.deploy.runtime import inconsistent, load, run
from e2e.errors import E2EError
from e2e.files import Kind, local_path, output_path
from e2e.tasks import Channel

SCORES = Kind(
    "a table of scores",
    (".parquet",),
    lambda path: all(mark in parquet.footer(path) for mark in (parquet.KEY.encode(), b'"model_sha256"')),
)
BATCH_CELLS = 256 * 2 * 32 * 32  # values a call: enough to keep the processor busy, 2 MB of frames


def scores(
    model_onnx: str | Path, chunks: Iterable[Samples], output: str | Path, threads: int = 1
) -> pd.DataFrame:
    """Write the scores table of the objects of one or more ``chunks`` to ``output`` (parquet), and return it.

    Columns: the identity of each object, target (NaN without truth), the outputs of the model, kinematics.
    The table's ``attrs``, kept in the file, hold ``model_sha256``, ``trained_with``, ``near_ties`` and
    ``origin``.

    Raises:
        E2EError: the model cannot be used, its channels are not those of the objects, which may also lack a
            scalar that it takes, or an output is not finite; no table is left.
    """
    contract, opened = load(model_onnx, threads=threads)
    batch = max(1, BATCH_CELLS // math.prod(contract.task.shape))
    names = [expected.name for expected in contract.outputs]
    tables = []
    for samples in chunks:
        if samples.channels != contract.task.channels:
            raise E2EError(
                f"the objects have channels {_names(samples.channels)}, but {model_onnx} takes "
                f"{_names(contract.task.channels)}; convert them anew for task {contract.task.name}"
            )
        scalars.require(model_onnx, scalars.columns_of(samples), contract.task)
        for start in range(0, max(1, len(samples)), batch):  # without objects, a table without rows
            piece = samples[start : start + batch]
            frames, *beside = scalars.inputs(piece, contract.task)
            found = run(opened, frames, *beside)
            given = columns({name: found[name] for name in names})
            _check_finite(model_onnx, piece, frames, given)
            _check_consistent(model_onnx, piece, found)
            tables.append(piece.identity().assign(target=piece.target, **given, **piece.kinematics))
    table = pd.concat(tables, ignore_index=True)
    table.attrs = {
        "model_sha256": contract.sha256,
        "trained_with": contract.trained_with,
        "near_ties": contract.near_ties,
        "origin": contract.training_data["origin"],
    }
    parquet.write_table(output, table)
    return table


def predict(
    model_onnx: str | Path, source: str | Path, output: str | Path, own_columns: bool = False
) -> pd.DataFrame:
    """Write the scores table of every object of ``source``, an RHTree ntuple or a store file, to ``output``.

    The ``attrs`` of the table that is returned hold ``rejected``, the objects without a row by reason, too.
    ``own_columns``: see ``convert``. Says on standard error where tracks lie elsewhere than the model has
    learned, crops of a store are turned otherwise, or many objects lie outside the model's domain.

    Raises:
        E2EError: the model, the source or their combination cannot be used; no output is left.
    """
    source, model_onnx = local_path(source), local_path(model_onnx)
    output_path(output, source, model_onnx, model_onnx.with_suffix(".json"), kind=SCORES)
    contract = load_contract(model_onnx)
    if source.suffix == ".parquet":
        file = StoreFile(source)
        metadata, chunks = file.metadata, file.groups()
    else:
        metadata, chunks = convert.samples(
            contract.task, source, sample=source.stem, progress=False, own_columns=own_columns
        )
    if metadata.channels == contract.task.channels:  # of another task: refused below, whatever its tracks
        _compare(contract, source, metadata)
    counts = Counts(contract.domain, contract.task) if contract.domain else None
    # A chunk without objects tells what they are, where there is no other.
    looked_at = _looked_at(source, contract, chain([metadata.nothing()], chunks), counts)
    table = scores(model_onnx, looked_at, output)
    for outside in counts.outside() if counts else ():
        _warn(source, f"{outside}; model {contract.model} was trained elsewhere")
    table.attrs["rejected"] = metadata.rejected
    return table


def _looked_at(
    source: Path, contract: Contract, chunks: Iterable[Samples], counts: Counts | None
) -> Iterator[Samples]:
    """The same chunks, once they are known to have what the model takes, and are counted."""
    for samples in chunks:
        if samples.channels == contract.task.channels:  # others are refused where they are scored
            scalars.require(source, scalars.columns_of(samples), contract.task)
            if counts:
                counts.add(samples)
        yield samples


def _compare(contract: Contract, source: Path, metadata: Metadata) -> None:
    trained = f"model {contract.model} was trained on"
    if metadata.tracks != contract.tracks:
        _warn(source, f"tracks lie at {metadata.tracks}, but {trained} tracks at {contract.tracks}")
    if metadata.orientation != contract.task.crop.orientation:
        here, there = (
            "turned to run outwards" if orientation else "as in the detector"
            for orientation in (metadata.orientation, contract.task.crop.orientation)
        )
        _warn(source, f"rows of crops are {here}, but {trained} crops with rows {there}")


def _warn(source: Path, difference: str) -> None:
    print(f"e2e: warning: {source}: {difference}; expect worse scores", file=sys.stderr)


def _check_consistent(model_onnx: str | Path, samples: Samples, given: dict[str, np.ndarray]) -> None:
    """Raises E2EError where a score is not that of its logit."""
    for first in np.flatnonzero(inconsistent(given))[:1]:
        raise E2EError(
            f"{model_onnx}: gives {SCORE.name} {given[SCORE.name][first]} beside {LOGIT.name} "
            f"{given[LOGIT.name][first]} for {_named(samples, first)}, which do not belong together; "
            "export it anew"
        )


def _named(samples: Samples, number: int) -> str:
    return " ".join(f"{name} {value}" for name, value in samples.identity().iloc[number].items())


def _check_finite(
    model_onnx: str | Path, samples: Samples, frames: np.ndarray, given: dict[str, np.ndarray]
) -> None:
    """Raises E2EError where an output is not finite, and says whether hits or model are at fault."""
    bad = np.flatnonzero(~np.isfinite(np.stack(list(given.values()))).all(axis=0))
    if not len(bad):
        return
    first = int(bad[0])
    finite = np.isfinite(frames[first]).all(axis=(1, 2))
    wrong = [
        channel.name for channel, is_finite in zip(samples.channels, finite, strict=True) if not is_finite
    ]
    reason = (
        f"its hits in {', '.join(wrong)} are not all finite: look at the source"
        if wrong
        else "its frame is finite, so the model is at fault: its weights are not finite, or it overflows"
    )
    raise E2EError(
        f"{model_onnx}: gives {', '.join(f'{name} {values[first]:g}' for name, values in given.items())} for "
        f"{_named(samples, first)}; {reason}"
    )


def _names(channels: tuple[Channel, ...]) -> str:
    return ", ".join(f"{channel.name} [{channel.unit}]" for channel in channels)
