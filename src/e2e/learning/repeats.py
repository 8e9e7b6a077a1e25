"""What the seed of a training changes: one model trained with several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2e.errors import E2EError
from e2e.files import read_json


def repeats(metrics: Sequence[str | Path]) -> dict[str, Any]:
    """Mean and spread of the ``metrics`` files of one model, trained with a seed each.

    The record holds the seeds and, of each figure of merit, its value and intervals for each seed, their
    mean, and their standard deviation (that of a sample: divided by n - 1); the last two are null where a
    value is. Raises E2EError for fewer than two files, and for files of
    different models or data.
    """
    contents = [read_json(path) for path in metrics]
    seeds = [content["seed"] for content in contents]
    if len(contents) < 2:
        raise E2EError(f"{metrics[0]}: a spread takes two trainings or more; set `repeats: 2` or higher")
    for path, content in zip(metrics, contents, strict=True):
        if any(content[key] != contents[0][key] for key in ("model", "training_data", "objects")):
            raise E2EError(f"{path}: of another model or other data than {metrics[0]}; evaluate both again")
    merits = [figures_of_merit(content) for content in contents]
    summary = {name: _summary(seeds, [merit[name] for merit in merits]) for name in merits[0]}
    return {
        "model": contents[0]["model"],
        "origin": contents[0]["training_data"]["origin"],
        "seeds": seeds,
        "figures_of_merit": summary,
    }


def figures_of_merit(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Those of a test part as a whole, each with value and intervals, of the metrics of a model."""
    versus = {f"versus {name}": content["difference"] for name, content in metrics["versus"].items()}
    if "classes" in metrics:
        areas = {f"auc of {name}": content["auc"] for name, content in metrics["classes"].items()}
        return {"auc": metrics["auc"], "accuracy": metrics["accuracy"], **versus, **areas}
    if "auc" in metrics:
        return {
            "auc": metrics["auc"],
            **versus,
            **{
                f"background_rejection_at_{entry['signal_efficiency']}": entry["rejection"]
                for entry in metrics["background_rejection"]
            },
            "expected_calibration_error": metrics["calibration"]["expected_calibration_error"],
        }
    names = ["mean_absolute_error", "mean_relative_error", "relative_error_68", "bias", "slope", "resolution"]
    names += ["coverage"] if "coverage" in metrics else []
    return {name: metrics[name] for name in names} | versus


def _summary(seeds: Sequence[int], estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = [estimate["value"] for estimate in estimates]
    known = None not in values
    return {
        "mean": float(np.mean(values)) if known else None,
        "standard_deviation": float(np.std(values, ddof=1)) if known else None,
        "seeds": [{"seed": seed, **estimate} for seed, estimate in zip(seeds, estimates, strict=True)],
    }
