"""How far PyTorch, ONNX Runtime and cmsRun are apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from e2e.deploy.agreement import Agreement
from e2e.report import style

_FLOOR = 1e-9  # equal values are drawn here: below what float32 resolves of a score


def draw(found: Agreement) -> Figure:
    """Histograms of the difference of each pair of methods, a panel an output, with the tolerances."""
    joined, outputs = found.joined, found.outputs
    rows = 1 if len(outputs) <= 2 else 2  # scores above logits
    drawing, panels = style.figure(rows, len(outputs) // rows)
    for axes, output in zip(np.atleast_1d(panels).flat, outputs, strict=True):
        tolerance = output.tolerance
        bins = np.logspace(np.log10(_FLOOR), np.log10(10 * tolerance), 31)
        values = joined[output.name]
        pairs = list(combinations(values.columns, 2))
        for width, (a, b) in zip((6, 3.5, 1.5), pairs, strict=True):  # equal histograms stay visible
            difference = np.maximum(output.difference(values[a], values[b]), _FLOOR)
            axes.hist(difference, bins, histtype="step", linewidth=width, label=f"{a} - {b}")
        axes.axvline(tolerance, color="black", linestyle="--")
        axes.annotate(
            f"tolerance {tolerance:.0e}",
            (tolerance, 0.7),
            rotation=90,
            ha="right",
            va="bottom",
            fontsize="small",
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 100 * len(joined))
        kind = "relative difference" if output.relative else "difference"
        axes.set_xlabel(f"|{kind} in {output.name}|  (0 drawn at {_FLOOR:.0e})")
        axes.set_ylabel("Objects")
        axes.legend(loc="upper left")
        style.label(axes, style.events(found.origin), f"{len(joined)} objects")
    return drawing
