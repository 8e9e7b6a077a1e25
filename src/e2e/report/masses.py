"""Figures of the measurement of a mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2e.report import style

LABELS = {"mass": "True mass [GeV]", "transverse_momentum": "True transverse momentum [GeV]"}


def residuals(target: NDArray, masses: Mapping[str, NDArray], origin: str) -> Figure:
    """Distribution of measured over true mass, for each way of measuring it."""
    figure, axes = style.figure()
    for name, mass in masses.items():
        ratio = np.clip(mass / target, 0, 2.5)
        axes.hist(ratio, bins=np.linspace(0, 2.5, 76), density=True, histtype="step", linewidth=2, label=name)
    axes.axvline(1.0, color="grey", linestyle=":")
    axes.set(xlabel="Measured / true mass", ylabel="Objects per unit, normalised", xlim=(0, 2.5))
    axes.legend()
    style.label(axes, style.events(origin))
    return figure


def dependence(measured: Mapping[str, Mapping[str, Any]], origin: str) -> Figure:
    """Relative error and bias against true mass and momentum, with 68 % intervals, for each way of measuring.

    The error is that below which 68 % of the objects lie, around the true mass: the width around a median
    would be smallest for an answer that is always the same.
    """
    names = list(next(iter(measured.values()))["dependence"])
    figure, axes = style.figure(2, len(names), squeeze=False, sharex="col", sharey="row", height=4.0)
    for column, name in enumerate(names):
        for label, content in measured.items():
            bins = content["dependence"][name]
            edges = np.array([[entry["low"], entry["high"]] for entry in bins])
            centre = edges.mean(axis=1)
            for row, quantity in enumerate(("relative_error_68", "bias")):
                value = np.array([entry[quantity]["value"] for entry in bins])
                interval = np.array([entry[quantity]["interval_68"] for entry in bins])
                axes[row, column].errorbar(
                    centre,
                    value,
                    np.abs(interval - value[:, None]).T,
                    np.abs(edges - centre[:, None]).T,
                    fmt="o",
                    markersize=4,
                    label=label,
                )
        axes[1, column].axhline(0.0, color="grey", linestyle=":")
        axes[1, column].set(xlabel=LABELS[name])
    axes[0, 0].set(ylabel="68 % have |m / m(true) - 1| below", ylim=(0, None))
    axes[1, 0].set(ylabel="Bias of m / m(true)")
    axes[0, 0].legend(fontsize=12)
    style.label(axes[0, 0], style.events(origin))
    return figure
