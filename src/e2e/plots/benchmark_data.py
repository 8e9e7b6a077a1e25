"""Figure of the benchmark of data: each ratio with its spread, and the one aimed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2e.plots import style

_REACHED, _MISSED, _NO_AIM = "#5790fc", "#e42536", "#9c9ca1"


def draw(comparisons: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the comparisons of a record (docs/benchmark.md) from top to bottom.

    Each has its median ratio as a bar, its 16-84 % range, and a mark at the ratio aimed at.
    """
    figure, axes = style.figure(width=13.0, height=1.2 + 0.42 * len(comparisons))
    place = np.arange(len(comparisons))
    ratios = [entry["ratio"] for entry in comparisons]
    median = np.array([ratio["median"] for ratio in ratios])
    spread = [[r["median"] - r["p16"] for r in ratios], [r["p84"] - r["median"] for r in ratios]]
    colours = {True: _REACHED, False: _MISSED, None: _NO_AIM}
    lowest = min(0.3, *(median / 2))
    axes.barh(
        place,
        median - lowest,
        left=lowest,
        color=[colours[entry["reached"]] for entry in comparisons],
        xerr=spread,
        error_kw={"linewidth": 1.2},
    )
    aims = [(i, entry["aim"]) for i, entry in enumerate(comparisons) if entry["aim"] is not None]
    axes.scatter(
        [aim for _, aim in aims],
        [i for i, _ in aims],
        marker="|",
        s=500,
        color="black",
        label="aim",
        zorder=3,
    )
    for i, ratio in enumerate(ratios):
        axes.annotate(
            f"{ratio['median']:.3g}",
            (ratio["p84"], i),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize="x-small",
        )
    axes.set_xscale("log")
    axes.set_xlim(lowest, 6 * max(ratio["p84"] for ratio in ratios))
    axes.set_yticks(place, [entry["name"] for entry in comparisons], fontsize="small")
    axes.invert_yaxis()
    axes.tick_params(axis="y", which="minor", left=False, right=False)
    axes.set_xlabel("Ratio of rates (of sizes)")
    axes.legend(loc="lower right")
    style.label(axes, "Synthetic jets and fast simulation")
    style.save(figure, path)
