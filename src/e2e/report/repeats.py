"""Figures of one model trained with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from e2e.report import style

VERSUS = "versus "  # how the name of a difference to a reference begins
LABELS = {
    "auc": "ROC AUC",
    "mean_absolute_error": "Mean absolute error [GeV]",
    "relative_error_68": "|m / m(true) - 1|, 68 % below",
}


def draw(record: Mapping[str, Any]) -> Figure:
    """The two main figures of merit by seed, with 68 % intervals, and their mean and standard deviation.

    ``record`` is that of ``learning.repeats``. The two are, of a classifier, the AUC and its difference to
    the reference.
    """
    seeds, merits = record["seeds"], record["figures_of_merit"]
    names = [name for name in merits if name in LABELS or ("auc" in merits and name.startswith(VERSUS))][:2]
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
        label = LABELS.get(name) or f"ROC AUC minus that of the {name.removeprefix(VERSUS)}"
        axes.set(xlabel="Seed", ylabel=label, xlim=(-0.5, len(seeds) - 0.5))
        axes.set_xticks(places, [str(seed) for seed in seeds])
        axes.minorticks_off()
    panels[0].legend(fontsize=12)
    style.label(panels[0], style.events(record["origin"]))
    return figure
