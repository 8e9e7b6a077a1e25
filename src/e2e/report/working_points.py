"""Figures of what passes fixed cuts on the score, and of the tracks that each kind of objects shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from e2e.learning.working_points import ALL
from e2e.report import style
from e2e.report.side_by_side import points
from e2e.tasks import Task


def draw(task: Task, measured: Mapping[str, Any], origin: str) -> Figure:
    """Shares of each kind of objects that pass, against transverse momentum, with 68 % intervals.

    A row a working point, a panel a class; ``measured`` is a record of ``working_points.measure``. Without
    momenta, the shares of all.
    """
    names, passing = list(measured["points"]), measured["passing"]
    edges = np.array(measured["momentum"]["edges"])
    momentum = next(q for q in task.kinematics if q.name == measured["momentum"]["name"])
    figure, rows = style.figure(len(names), len(passing), height=4.2, squeeze=False, sharex=True)
    for name, axes in zip(names, rows, strict=True):
        for axis, (label, kinds) in zip(axes, passing.items(), strict=True):
            for number, (kind, content) in enumerate(kinds.items()):
                entries = content[name]["by_momentum"] or [content[name]]
                value, error = points(entries)
                middle = (edges[1:] + edges[:-1]) / 2 if len(edges) else np.zeros(1)
                shift = 0.06 * (number - len(kinds) / 2) * (np.diff(edges) if len(edges) else 1.0)
                axis.errorbar(
                    middle + shift,
                    value,
                    error,
                    fmt="s" if kind == ALL else "o",
                    markersize=5,
                    color="black" if kind == ALL else f"C{number - 1}",
                    label=f"{kind} ({content['objects']}): {_percent(content[name])}",
                )
            axis.set_ylabel(f"Share of {label}s that pass")
            axis.set_ylim(bottom=0)
            axis.legend(fontsize="xx-small", ncols=2)
        asked = measured["points"][name]["signal_efficiency"]
        style.label(axes[0], style.events(origin), f"{name}: {asked:.0%}")
    for axis in rows[-1]:
        axis.set_xlabel(f"{momentum.name} [{momentum.unit}]")
    return figure


def tracks(found: Mapping[str, Any], origin: str) -> Figure:
    """Shares of each kind of objects (rows) by the number of tracks that are found (columns)."""
    rows = {
        name if kind == ALL else f"{name}: {kind}": content["shares"]
        for name, kinds in found.items()
        for kind, content in kinds.items()
    }
    shares = np.array(list(rows.values()))
    figure, axes = style.figure(height=0.55 * len(rows) + 1.5)
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (i, j), value in np.ndenumerate(shares):
        colour = "white" if value > 0.5 else "black"
        axes.text(j, i, f"{value:.0%}", ha="center", va="center", color=colour, fontsize="small")
    most = shares.shape[1] - 1
    axes.set(xlabel="Tracks of the vertex above 1 GeV, within 0.4")
    axes.set_xticks(range(most + 1), [*map(str, range(most)), f"{most} or more"])
    axes.set_yticks(range(len(rows)), rows, fontsize="small")
    axes.minorticks_off()
    figure.colorbar(image, ax=axes, label="Share of the kind")
    style.label(axes, style.events(origin))
    return figure


def _percent(summary: Mapping[str, Any]) -> str:
    return "-" if summary["value"] is None else f"{summary['value']:.1%}"
