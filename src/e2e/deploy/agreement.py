"""Do PyTorch (or Keras), ONNX Runtime in Python and cmsRun give the same outputs, object by object?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uproot

from e2e.data import ntuple, store
from e2e.data.scalars import inputs
from e2e.data.scores import read_scores
from e2e.data.store import IDENTITY
from e2e.deploy.contract import LOGIT, MASS, SCORE, WIDTH, Output, numbers_of
from e2e.errors import E2EError
from e2e.tasks import Task

KEY = list(IDENTITY)
# cmsRun knows no sample, but which of its input files an event came from: simulated ones may all be of run 1.
CMSRUN_KEY = ["file", *KEY[1:]]
TREE = "scores"
PLURAL = {SCORE.name: "scores", MASS.name: "masses"}  # in the record


@dataclass(frozen=True)
class Agreement:
    """What a comparison found: the ``record``, and the outputs of all objects but near-ties.

    ``joined`` has columns (output, way), one row an object; ``outputs`` are single numbers;
    ``origin`` is that of the events.
    """

    record: dict[str, Any]
    joined: pd.DataFrame
    outputs: tuple[Output, ...]
    origin: str


def agreement(
    trained_scores: str | Path,
    onnx_scores: str | Path,
    cmsrun_root: str | Path,
    samples: Sequence[str],
    model_pt: str | Path | None = None,
    stores: Sequence[str | Path] = (),
) -> Agreement:
    """Compare three methods of running a model on every object of ``trained_scores``.

    The first two are scores tables (parquet): of the framework that trained the model, and of ONNX Runtime.
    The third is the file of E2EScoreWriter, and ``samples`` are the names of the samples of the files that
    cmsRun read, in their order. They are joined by sample, run, lumi, event and object; ONNX Runtime and
    cmsRun may have scored further objects.

    Of a model that knows near-ties, as many objects as ``ties.allowed`` may differ by more than the tolerance
    if each is shown to be one: ``model_pt`` and the ``stores`` with its objects are for this. They are listed
    in the record, whose other numbers are those of the other objects.

    Raises:
        E2EError: naming the object, where one is missing, appears twice or has an output that is not
            finite; where any pair differs by more than the tolerance of an output (the worst
            object, with all its values); or where score or mass is constant.
    """
    onnx = _table(onnx_scores)
    trained_with = onnx.attrs.get("trained_with", "PyTorch")
    reference = _table(trained_scores)
    methods = {
        trained_with: reference,
        "ONNX Runtime": onnx,
        "cmsRun": _of_samples(read_tree(cmsrun_root), samples, cmsrun_root),
    }
    outputs = numbers_of(reference.columns)
    first = [output for output in outputs if _kind(output) == _kind(outputs[0])]
    joined = _join(methods, outputs, KEY)
    for method in methods:
        spreads = {output.name: joined[output.name][method].std() for output in first}
        if not max(spreads.values()) > outputs[0].tolerance:
            value = joined[outputs[0].name][method].iloc[0]
            raise E2EError(
                f"{outputs[0].name} of {method} is {value:.6g} for all {len(joined)} objects: a "
                "constant is no agreement; look at the model and at the frames it is given"
            )
    ties = pd.DataFrame(index=joined.index[:0])
    if model_pt is not None and onnx.attrs.get("near_ties"):
        ties = _near_ties(joined, outputs, model_pt, stores)
    compared = joined.drop(ties.index)
    pairs = _compare(compared, outputs)
    record = {
        "n_objects": len(joined),
        **_largest(pairs, outputs),
        "tolerances": {output.name: output.tolerance for output in outputs},
        "pairs": pairs,
        "near_ties": [
            {"sample": sample, **dict(zip(KEY[1:], numbers, strict=True)), "differences": row.to_dict()}
            for (sample, *numbers), row in ties.iterrows()
        ],
        **{
            PLURAL.get(output.name, output.name): {
                method: {name: float(getattr(values, name)()) for name in ("mean", "std", "min", "max")}
                for method, values in joined[output.name].items()
            }
            for output in first
        },
        "model_sha256": onnx.attrs.get("model_sha256"),
    }
    return Agreement(record, compared, outputs, onnx.attrs.get("origin", ntuple.UNKNOWN))


def hosts_equal(scores_a: str | Path, scores_b: str | Path, tolerance: float = 1e-6) -> dict[str, Any]:
    """Compare the score files of two hosts of cmsRun, which must hold the same objects.

    Raises:
        E2EError: an object is in one file only, appears twice or has an output that is not finite, or
            an output differs by more than ``tolerance``.
    """
    methods = {str(path): read_tree(path) for path in (scores_a, scores_b)}
    outputs = tuple(
        replace(output, tolerance=tolerance) for output in numbers_of(methods[str(scores_a)].columns)
    )
    joined = _join(methods, outputs, CMSRUN_KEY)
    if extra := len(methods[str(scores_b)]) - len(joined):
        raise E2EError(f"{scores_b}: has {extra} objects that {scores_a} lacks; run both on the same files")
    return {
        "n_objects": len(joined),
        **_largest(_compare(joined, outputs), outputs),
        "tolerance": tolerance,
    }


def read_tree(path: str | Path) -> pd.DataFrame:
    """The tree of E2EScoreWriter as a table: file, run, lumi, event, object, and the outputs of the model.

    ``file`` counts the input files of the job from 0.

    A job without events knows no outputs, and its empty table has none.

    Raises:
        E2EError: the file is missing or unreadable, or does not hold exactly one such tree.
    """
    try:
        with uproot.open(path) as file:
            trees = [
                key for key in file.keys(cycle=False, filter_classname="TTree") if key.split("/")[-1] == TREE
            ]
            if len(trees) != 1:
                raise E2EError(
                    f"{path}: holds {len(trees)} trees called {TREE}, expected one; give a file that cmsRun "
                    "wrote with one E2EScoreWriter"
                )
            tree = file[trees[0]]
            names = [output.name for output in numbers_of(tree.keys())] if tree.num_entries else []
            return _checked(tree.arrays([*CMSRUN_KEY, *names], library="pd"), path, CMSRUN_KEY)
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; run cmsRun first") from None
    except (OSError, ValueError, uproot.KeyInFileError) as error:
        raise E2EError(f"{path}: not a file of E2EScoreWriter ({str(error).splitlines()[0]})") from None


def _table(path: str | Path) -> pd.DataFrame:
    table = read_scores(path)
    for output in numbers_of(table.columns):
        if output.name not in table:
            raise E2EError(f"{path}: column {output.name} is missing; make the scores again")
    return _checked(table, path, KEY)


def _of_samples(table: pd.DataFrame, samples: Sequence[str], path: str | Path) -> pd.DataFrame:
    """A table of cmsRun with the samples of its input files; each object is once in a sample."""
    files = table["file"].to_numpy()
    if len(files) and files.max() >= len(samples):
        raise E2EError(
            f"{path}: has scores of input file {files.max() + 1}, but there are {len(samples)}; "
            "run cmsRun anew"
        )
    named = table.assign(sample=np.array(samples, object)[files])
    return _checked(named.drop(columns="file"), path, KEY)


def _checked(table: pd.DataFrame, path: str | Path, key: list[str]) -> pd.DataFrame:
    """``table``, once each object is there once and has finite numbers."""
    twice = table[table.duplicated(key)]
    if len(twice):
        raise E2EError(f"{path}: {_name(twice[key].iloc[0])} appears more than once; give each file once")
    names = [output.name for output in numbers_of(table.columns) if output.name in table]
    bad = table[~np.isfinite(table[names]).all(axis=1)]
    if len(bad):
        values = ", ".join(f"{name} {bad.iloc[0][name]:g}" for name in names)
        raise E2EError(
            f"{path}: {_name(bad[key].iloc[0])} has {values}; `e2e predict` says whether it is the model "
            "or the hits"
        )
    return table


def _join(methods: dict[str, pd.DataFrame], outputs: Sequence[Output], key: list[str]) -> pd.DataFrame:
    """Columns (output, method) of the objects of the first method, all of which must be in the others."""
    first, *others = methods
    names = [output.name for output in outputs]
    joined = methods[first].set_index(key).reindex(columns=names)
    if not len(joined):
        raise E2EError(f"{first} scored no objects: there is nothing to compare")
    tables = [joined]
    for method in others:
        table = methods[method].set_index(key)
        missing = joined.index.difference(table.index)
        if len(missing):
            worst = dict(zip(key, missing[0], strict=True))
            raise E2EError(
                f"{method} has nothing for {len(missing)} of {len(joined)} objects of {first}, "
                f"the first being {_name(worst)}; run it on all files"
            )
        if lacking := [name for name in names if name not in table]:
            raise E2EError(f"{method} has no {lacking[0]}, but {first} has; give results of one model")
        tables.append(table.loc[joined.index, names])
    return pd.concat(dict(zip(methods, tables, strict=True)), axis=1).swaplevel(axis=1).astype(np.float64)


def _pairs(joined: pd.DataFrame, output: Output) -> dict[tuple[str, str], pd.Series]:
    """Difference of each object between each pair of methods."""
    values = joined[output.name]
    return {
        (a, b): pd.Series(output.difference(values[a], values[b]), joined.index)
        for a, b in combinations(values.columns, 2)
    }


def _compare(joined: pd.DataFrame, outputs: Sequence[Output]) -> dict[str, Any]:
    """Largest and mean difference of each pair of methods; E2EError where one exceeds its tolerance."""
    pairs: dict[str, Any] = {}
    for output in outputs:
        kind = "relative tolerance" if output.relative else "tolerance"
        for (a, b), difference in _pairs(joined, output).items():
            if difference.max() > output.tolerance:
                worst = difference.idxmax()
                name = _name(dict(zip(joined.index.names, worst, strict=True)))
                values = "; ".join(
                    f"{method}: "
                    + ", ".join(f"{one.name} {joined.loc[worst, (one.name, method)]:.8g}" for one in outputs)
                    for method in joined[output.name].columns
                )
                raise E2EError(
                    f"{a} and {b} differ in {output.name} by up to {difference.max():.3g} ({kind} "
                    f"{output.tolerance:g}, exceeded by {(difference > output.tolerance).sum()} of "
                    f"{len(joined)} objects), most for {name}: "
                    f"{values}; compare channel order, crop and units of the frames that each is given"
                )
            pairs.setdefault(f"{a} - {b}", {})[output.name] = {
                "max": float(difference.max()),
                "mean": float(difference.mean()),
            }
    return pairs


def _kind(output: Output) -> str:
    """``score`` of ``score`` and of ``score_0``."""
    return re.sub(r"_\d+$", "", output.name)


def _largest(pairs: dict[str, Any], outputs: Sequence[Output]) -> dict[str, float]:
    """By ``max_abs_diff`` (score), ``max_abs_diff_logit``, ``max_rel_diff`` (mass), of all classes.

    And by ``max_rel_diff_width``.
    """
    names = {SCORE.name: "max_abs_diff", LOGIT.name: "max_abs_diff_logit"}
    names |= {MASS.name: "max_rel_diff", WIDTH.name: "max_rel_diff_width"}
    largest = dict.fromkeys((names[_kind(output)] for output in outputs), 0.0)
    for output in outputs:
        name = names[_kind(output)]
        largest[name] = max(largest[name], *(pair[output.name]["max"] for pair in pairs.values()))
    return largest


def _near_ties(
    joined: pd.DataFrame, outputs: Sequence[Output], model_pt: str | Path, stores: Sequence[str | Path]
) -> pd.DataFrame:
    """Largest difference in each output of the objects that are near-ties; none where there are too many."""
    from e2e.deploy import ties  # PyTorch, which the other comparisons do without
    from e2e.deploy.network import deployed

    largest = pd.concat(
        {output.name: pd.concat(_pairs(joined, output), axis=1).max(axis=1) for output in outputs}, axis=1
    )
    beyond = largest[(largest > pd.Series({output.name: output.tolerance for output in outputs})).any(axis=1)]
    if not 0 < len(beyond) <= ties.allowed(len(joined)):
        return beyond[:0]
    network, _ = deployed(model_pt)
    beyond, (frames, *beside) = _inputs(beyond, stores, network.task)
    return beyond[ties.near_ties(network, frames, {name: beyond[name].to_numpy() for name in beyond}, beside)]


def _inputs(
    objects: pd.DataFrame, stores: Sequence[str | Path], task: Task
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Those of ``objects``, by identity, that are in the stores, and what a model takes of them."""
    found, given = [], []
    for path in stores:
        for samples in store.iterate(path):
            identities = pd.MultiIndex.from_frame(samples.identity())
            rows = np.flatnonzero(identities.isin(objects.index))
            found.append(objects.loc[identities[rows]])
            given.append(inputs(samples[rows], task))
    return pd.concat(found), [np.concatenate(pieces) for pieces in zip(*given, strict=True)]


def _name(identity: Mapping[str, Any] | pd.Series) -> str:
    return " ".join(f"{column} {value}" for column, value in identity.items())
