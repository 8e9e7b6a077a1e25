"""The one look of all figures: CMS style, the origin of the events on every plot, deterministic bytes.

figure, axes = style.figure(columns=2)
style.label(axes[0], style.SIMULATION, "electron / photon")
style.save(figure, output / "roc.png", output / "roc.pdf")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
import numpy as np
from hist import Hist
from hist.axis import Variable
from hist.storage import Weight
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from e2e.errors import E2EError
from e2e.files import whole, whole_folder

# What a plot says of its events: architecture.md, "simulated is said to be simulated".
SIMULATION = "Fast simulation (not CMS full simulation)"
ORIGINS = {
    "e2e simulation": SIMULATION,
    "simulation": "Simulation",
    "detector data": "CMS data",
    "unknown": "Events of unknown origin",
    "mixed": "Events of several origins",
}

# The first two colours of the CMS palette, everywhere in this order.
COLOURS = {"photon": "#5790fc", "electron": "#f89c20"}

# Figures are drawn without pyplot, so no display is needed and none stays open.
matplotlib.rcParams.update(mplhep.style.CMS)
matplotlib.rcParams.update(
    {
        "font.size": 16,
        "axes.linewidth": 1.2,
        "xtick.major.size": 7,
        "xtick.minor.size": 3.5,
        "ytick.major.size": 7,
        "ytick.minor.size": 3.5,
        "lines.linewidth": 1.8,
        "savefig.dpi": 120,
    }
)

# Without them the bytes of a figure change with the clock and the version of matplotlib.
_NO_METADATA = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def events(origin: str) -> str:
    """Label of events by the ``origin`` in a sample store's metadata."""
    return ORIGINS[origin]


def p_value(versus: Mapping[str, Any]) -> str:
    """That of a paired comparison: a number or, at the smallest that its replicas can give, a bound."""
    sign = "<=" if versus["p_value"] <= versus["least_p_value"] else "="
    return f"{sign} {versus['p_value']:.2g}"


def figure(
    rows: int = 1, columns: int = 1, width: float = 7.0, height: float = 5.5, **subplots: object
) -> tuple[Figure, Axes]:
    """A figure and its axes (an array of them if several); ``width`` and ``height`` are inches per axes.

    Further arguments go to ``Figure.subplots`` (``sharex``, ``height_ratios``, ...).
    """
    drawing = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return drawing, drawing.subplots(rows, columns, **subplots)


def panels(
    number: int, width: float = 7.0, height: float = 5.0, columns: int = 2
) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, no more than ``columns`` side by side, so that a page can show it."""
    columns = min(number, columns)
    drawing, axes = figure(-(-number // columns), columns, width, height, squeeze=False)
    for spare in axes.flat[number:]:
        spare.set_visible(False)
    return drawing, list(axes.flat[:number])


def message(text: str) -> Figure:
    """A figure that says ``text`` where there is nothing to draw."""
    drawing, axes = figure(height=2.0)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    return drawing


def label(axes: Axes, origin: str, right: str = "") -> None:
    """Write above ``axes`` where the events come from (left) and what they are (right)."""
    size = 0.85 * matplotlib.rcParams["font.size"]
    axes.set_title(origin, loc="left", fontsize=size, fontstyle="italic")
    axes.set_title(right, loc="right", fontsize=size)


def shares(
    axes: Axes,
    values: ArrayLike,
    edges: ArrayLike,
    weight: ArrayLike | None = None,
    label: str = "",
    **look: str,
) -> None:
    """Draw which share of ``values`` [N] lies between each two ``edges``, with statistical uncertainties.

    Values are weighted by ``weight`` [N]. Those beyond the outer edges count in the whole, and ``label`` says
    their share where it is more than 0.5 %.
    """
    filled = Hist(Variable(np.asarray(edges, float)), storage=Weight())
    filled.fill(np.asarray(values, float), weight=None if weight is None else np.asarray(weight, float))
    inside, everything = filled.sum().value, filled.sum(flow=True).value
    if everything - inside > 0.005 * everything:
        label += f" ({100 * (1 - inside / everything):.1f} % beyond)"
    mplhep.histplot(
        filled.values() / max(everything, 1e-12),
        filled.axes[0].edges,
        yerr=np.sqrt(filled.variances()) / max(everything, 1e-12),
        ax=axes,
        label=label,
        **look,
    )


def save_all(figures: Mapping[str, Figure], folder: str | Path) -> None:
    """Write each figure as <its name>.png and .pdf to ``folder``, which appears whole or not at all."""
    with whole_folder(folder) as scratch:
        for name, drawing in figures.items():
            save(drawing, *(scratch / f"{name}{suffix}" for suffix in _NO_METADATA))


def save(figure: Figure, *paths: str | Path) -> None:
    """Write ``figure`` to each path (.png or .pdf), whole or not at all, the same bytes each time.

    Raises E2EError for another suffix.
    """
    for path in map(Path, paths):
        if path.suffix not in _NO_METADATA:
            raise E2EError(f"{path}: figures are written as {' or '.join(_NO_METADATA)}")
        with whole(path) as scratch:
            figure.savefig(scratch, metadata=_NO_METADATA[path.suffix])
