"""How far PyTorch, ONNX Runtime and cmsRun are apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from e2e.plots import style

_FLOOR = 1e-9  # equal values are drawn here: below what float32 can resolve of a score


def differences(joined: pd.DataFrame, tolerances: Mapping[str, float], origin: str, path: str | Path) -> None:
    """Histograms of \\|difference\\| of each pair of ways, a panel an output, with the tolerances.

    ``joined`` has columns (output, way), one row an object; ``tolerances`` maps an output to its limit.
    """
    drawing, panels = style.figure(columns=len(tolerances))
    for axes, (output, tolerance) in zip(panels, tolerances.items(), strict=True):
        bins = np.logspace(np.log10(_FLOOR), np.log10(10 * tolerance), 41)
        for a, b in combinations(joined[output].columns, 2):
            difference = (joined[output, a] - joined[output, b]).abs().clip(lower=_FLOOR)
            axes.hist(difference, bins, histtype="step", linewidth=1.8, label=f"{a} - {b}")
        axes.axvline(tolerance, color="black", linestyle="--", label=f"tolerance {tolerance:g}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.set_xlabel(f"|difference in {output}| (0 drawn at {_FLOOR:g})")
        axes.set_ylabel("Objects")
        axes.legend()
        style.label(axes, origin, f"{len(joined)} objects")
    style.save(drawing, path)
