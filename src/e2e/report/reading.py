"""How fast data move, measured and drawn: `python -m e2e.report.reading RECORD.json FIGURE.png`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from e2e.benchmark.reading import REPOSITORY, benchmark
from e2e.errors import E2EError
from e2e.files import output_path, write_json
from e2e.report import style

_REACHED, _MISSED, _NO_AIM = "#5790fc", "#e42536", "#9c9ca1"


def draw(record: Mapping[str, Any]) -> Figure:
    """The comparisons of a record (docs/benchmark.md) from top to bottom.

    Each has its median ratio as a bar, its 16-84 % range, and a mark at the ratio aimed at.
    """
    comparisons = record["comparisons"]
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
    return figure


def main() -> int:
    """Measure all comparisons, and write and draw their record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, metavar="RECORD.json")
    parser.add_argument("figure", type=Path, metavar="FIGURE.png")
    parser.add_argument("--config", type=Path, default=REPOSITORY / "config.yaml")
    parser.add_argument(
        "--files", type=Path, nargs="*", help="ntuples of real jets (default: data/ of E2E_SHARED, if set)"
    )
    arguments = parser.parse_args()
    files = arguments.files
    if files is None:
        shared = os.environ.get("E2E_SHARED")
        files = sorted(Path(shared, "data").glob("*rhtree.root")) if shared else []
    try:
        for output in (arguments.record, arguments.figure):
            output_path(output, arguments.config, *files)
        content = benchmark(arguments.config, files)
        style.save(draw(content), arguments.figure)
        write_json(arguments.record, content)
    except E2EError as error:
        print(f"bench-reading: error: {error}", file=sys.stderr)
        return 1
    for entry in content["comparisons"]:
        aim = "" if entry["aim"] is None else f" (aim {entry['aim']:g})"
        print(f"{entry['ratio']['median']:8.2f}{aim:12} {entry['name']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
