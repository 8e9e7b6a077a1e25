"""Figures of one model trained with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2e.plots import style

DRAWN = {  # those of a classifier, and of a regression
    "auc": "ROC AUC",
    "auc_minus_bdt": "ROC AUC minus that of the BDT",
    "mean_absolute_error": "Mean absolute error [GeV]",
    "relative_error_68": "|m / m(true) - 1|, 68 % below",
}


def repeats(
    path: str | Path, seeds: Sequence[int], merits: Mapping[str, Mapping[str, Any]], origin: str
) -> None:
    """The two main figures of merit by seed, with 68 % intervals, and their mean and standard deviation."""
    names = [name for name in DRAWN if name in merits]
    figure, panels = style.figure(columns=len(names))
    places = np.arange(len(seeds))
    for axes, name in zip(panels, names, strict=True):
        merit = merits[name]
        value = np.array([each["value"] for each in merit["seeds"]])
        interval = np.array([each["interval_68"] for each in merit["seeds"]])
        axes.errorbar(places, value, np.abs(interval - value[:, None]).T, fmt="o", label="68 % interval")
        mean, spread = merit["mean"], merit["standard_deviation"]
        axes.axhspan(mean - spread, mean + spread, color="grey", alpha=0.3, label="mean and spread of seeds")
        axes.axhline(mean, color="grey")
        axes.set(xlabel="Seed", ylabel=DRAWN[name], xlim=(-0.5, len(seeds) - 0.5))
        axes.set_xticks(places, [str(seed) for seed in seeds])
        axes.minorticks_off()
    panels[0].legend(fontsize=12)
    style.label(panels[0], style.events(origin))
    style.save(figure, path)
