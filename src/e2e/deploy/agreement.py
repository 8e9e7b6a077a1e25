"""Do PyTorch, ONNX Runtime in Python and cmsRun give the same scores, object by object?"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uproot

from e2e.deploy.contract import OUTPUTS, TOLERANCES
from e2e.errors import E2EError
from e2e.files import whole, write_json
from e2e.plots import style
from e2e.plots.agreement import differences

# cmsRun knows no sample names; run numbers differ between samples.
IDENTITY = ["run", "lumi", "event", "object"]
TREE = "scores"


def agreement(
    torch_scores: str | Path,
    onnx_scores: str | Path,
    cmsrun_root: str | Path,
    output_json: str | Path,
    figure: str | Path,
) -> dict[str, Any]:
    """Compare three ways of scoring on every object of ``torch_scores``; write the record and the figure.

    The first two are scores tables (parquet), the third is the file of E2EScoreWriter. They are joined
    by run, lumi, event and object; ONNX Runtime and cmsRun may have scored further objects.

    Raises:
        E2EError: naming the object, where one is missing, appears twice or has a score that is not
            finite; where any pair differs by more than 1e-5 in score or 1e-4 in logit (the worst
            object, with all its values); or where the scores are constant. Nothing is written then.
    """
    reference = _table(torch_scores, "PyTorch")
    ways = {"PyTorch": reference, "ONNX Runtime": _table(onnx_scores, "ONNX Runtime")}
    ways["cmsRun"] = read_scores(cmsrun_root)
    joined = _join(ways)

    pairs = _compare(joined, TOLERANCES)
    spread = joined["score"].std().to_dict()
    for way, deviation in spread.items():
        if not deviation > TOLERANCES["score"]:
            raise E2EError(
                f"all {len(joined)} scores of {way} are {joined['score', way].iloc[0]:.6g}: constant scores "
                "are no agreement; look at the model and at the frames it is given"
            )
    record = {
        "n_objects": len(joined),
        "max_abs_diff": max(pair["score"]["max"] for pair in pairs.values()),
        "max_abs_diff_logit": max(pair["logit"]["max"] for pair in pairs.values()),
        "tolerances": TOLERANCES,
        "pairs": pairs,
        "scores": {
            way: {
                name: float(getattr(joined["score", way], name)()) for name in ("mean", "std", "min", "max")
            }
            for way in ways
        },
        "model_sha256": ways["ONNX Runtime"].attrs.get("model_sha256"),
    }
    origin = style.origin(bool(reference["target"].notna().any()))
    with whole(figure) as scratch:
        differences(joined, TOLERANCES, origin, scratch)
        write_json(output_json, record)
    return record


def backends_equal(scores_a: str | Path, scores_b: str | Path, tolerance: float = 1e-6) -> dict[str, Any]:
    """Compare the score files of two cmsRun backends, which must hold the same objects.

    Raises:
        E2EError: an object is in one file only, appears twice or has a score that is not finite, or
            a score or logit differs by more than ``tolerance``.
    """
    ways = {str(path): read_scores(path) for path in (scores_a, scores_b)}
    joined = _join(ways)
    if extra := len(ways[str(scores_b)]) - len(joined):
        raise E2EError(f"{scores_b}: has {extra} objects that {scores_a} lacks; run both on the same files")
    (pair,) = _compare(joined, dict.fromkeys(OUTPUTS, tolerance)).values()
    return {
        "n_objects": len(joined),
        "max_abs_diff": pair["score"]["max"],
        "max_abs_diff_logit": pair["logit"]["max"],
        "tolerance": tolerance,
    }


def read_scores(path: str | Path) -> pd.DataFrame:
    """The tree of E2EScoreWriter as a table: run, lumi, event, object, score, logit.

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
            return _checked(file[trees[0]].arrays([*IDENTITY, *OUTPUTS], library="pd"), path)
    except FileNotFoundError:
        raise E2EError(f"{path}: no such file; run cmsRun first") from None
    except (OSError, ValueError, uproot.KeyInFileError) as error:
        raise E2EError(f"{path}: not a file of E2EScoreWriter ({str(error).splitlines()[0]})") from None


def _table(path: str | Path, way: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise E2EError(f"{path}: scores of {way} cannot be read ({str(error).splitlines()[0]})") from None
    if missing := {*IDENTITY, *OUTPUTS, "target"} - set(table):
        raise E2EError(f"{path}: not a scores table: column {min(missing)} is missing")
    return _checked(table, path)


def _checked(table: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """``table``, once each object is there once and has finite numbers."""
    twice = table[table.duplicated(IDENTITY)]
    if len(twice):
        raise E2EError(
            f"{path}: {_name(twice[IDENTITY].iloc[0])} appears more than once; give each file once"
        )
    bad = table[~np.isfinite(table[list(OUTPUTS)]).all(axis=1)]
    if len(bad):
        values = ", ".join(f"{output} {bad.iloc[0][output]:g}" for output in OUTPUTS)
        raise E2EError(f"{path}: {_name(bad[IDENTITY].iloc[0])} has {values}; look for NaN among its hits")
    return table


def _join(ways: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Columns (score | logit, way) of the objects of the first way, all of which must be in the others."""
    first, *others = ways
    joined = ways[first].set_index(IDENTITY)[list(OUTPUTS)]
    if not len(joined):
        raise E2EError(f"{first} scored no objects: there is nothing to compare")
    tables = [joined]
    for way in others:
        table = ways[way].set_index(IDENTITY)[list(OUTPUTS)]
        missing = joined.index.difference(table.index)
        if len(missing):
            worst = dict(zip(IDENTITY, missing[0], strict=True))
            raise E2EError(
                f"{way} has no score for {len(missing)} of {len(joined)} objects of {first}, "
                f"the first being {_name(worst)}; run it on all files"
            )
        tables.append(table.loc[joined.index])
    return pd.concat(dict(zip(ways, tables, strict=True)), axis=1).swaplevel(axis=1).astype(np.float64)


def _compare(joined: pd.DataFrame, tolerances: dict[str, float]) -> dict[str, Any]:
    """Largest and mean difference of each pair of ways; raises E2EError where one exceeds its tolerance."""
    pairs: dict[str, Any] = {}
    for name, tolerance in tolerances.items():
        for a, b in combinations(joined[name].columns, 2):
            difference = (joined[name, a] - joined[name, b]).abs()
            if difference.max() > tolerance:
                worst = difference.idxmax()
                values = "; ".join(
                    f"{way}: "
                    + ", ".join(f"{output} {joined.loc[worst, (output, way)]:.8g}" for output in OUTPUTS)
                    for way in joined[name].columns
                )
                raise E2EError(
                    f"{a} and {b} differ in {name} by up to {difference.max():.3g} (tolerance {tolerance:g}, "
                    f"exceeded by {(difference > tolerance).sum()} of {len(joined)} objects), most for "
                    f"{_name(dict(zip(IDENTITY, worst, strict=True)))}: {values}; "
                    "compare channel order, crop and units of the frames that each is given"
                )
            pairs.setdefault(f"{a} - {b}", {})[name] = {
                "max": float(difference.max()),
                "mean": float(difference.mean()),
            }
    return pairs


def _name(row: Any) -> str:
    return " ".join(f"{column} {row[column]}" for column in IDENTITY)
