"""Figure of how a network and its reference keep where the detector changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from e2e import tasks
from e2e.report import style
from e2e.report.merits import merit

NETWORK = "network"
REFERENCE_COLOUR = "#717581"


def draw(record: Mapping[str, Any]) -> Figure:
    """Differences of each figure of merit to that of the unchanged detector, by change, with 68 % intervals.

    ``record`` is that of ``learning.robustness``; what was simulated once more stands below.
    """
    metric = merit(tasks.task(record["task"]))
    figures = list(record["nominal"][NETWORK])
    changes = [*record["changes"], *record["resimulated"]]
    columns = min(len(figures), 3)
    rows = -(-len(figures) // columns)
    figure, axes = style.figure(
        rows, columns, width=5.8, height=1.6 + 0.36 * len(changes), squeeze=False, sharey=True
    )
    for spare in axes.flat[len(figures) :]:
        spare.set_visible(False)
    places = np.arange(len(changes))
    drawn = {
        NETWORK: (record["model"], "C0", -0.16),
        record["reference"]: (record["reference"], REFERENCE_COLOUR, 0.16),
    }
    for axis, name in zip(axes.flat, figures, strict=False):
        unit = metric.of_unit if name == metric.key else ""
        for who, (said, colour, shift) in drawn.items():
            found = [change[who][name]["difference"] for change in changes]
            value = np.array([each["value"] for each in found], float)
            ends = np.array([each["interval_68"] for each in found], float)
            nominal = record["nominal"][who][name]["value"]
            axis.errorbar(
                value,
                places + shift,
                xerr=np.abs(ends - value[:, None]).T,
                fmt="o",
                color=colour,
                markersize=6,
                label=f"{said}: {nominal:.3f}{unit}",
            )
        if record["resimulated"]:
            axis.axhline(len(record["changes"]) - 0.5, color="black", linewidth=0.8)
        axis.axvline(0.0, color="black", linewidth=1.0, linestyle=":")
        label = metric.label if name == metric.key else name
        axis.set(xlabel=f"{label} - nominal")
        axis.locator_params(axis="x", nbins=5)
        axis.legend(
            fontsize=11, loc="upper left", bbox_to_anchor=(0.0, -0.14), title="Nominal", title_fontsize=11
        )
    first = axes.flat[0]
    first.set_yticks(places, [change["label"] for change in changes])
    first.set_ylim(len(changes) - 0.4, -0.6)
    for axis in axes.flat:
        axis.tick_params(axis="y", which="minor", left=False, right=False)
    style.label(first, style.events(record["training_data"]["origin"]))
    right = axes.flat[min(len(figures), columns) - 1]
    style.label(right, "", f"{record['task']}, {record['objects']:,} test objects")
    return figure
