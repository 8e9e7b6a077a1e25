"""Models of a task side by side, each in the colour that it has in all figures of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from e2e.deploy.providers import PROVIDERS
from e2e.report import style
from e2e.report.merits import WATCHED
from e2e.report.samples import by_class
from e2e.tasks import Quantity


def histories(tables: Mapping[str, pd.DataFrame], seconds: Mapping[str, float], origin: str) -> Figure:
    """Losses by epoch (training part dotted, epoch kept ringed), and what was watched by time.

    ``seconds`` is the wall time of each training, of which every epoch is given an equal part.
    """
    figure, (left, right) = style.figure(columns=2)
    for number, (name, table) in enumerate(tables.items()):
        colour = f"C{number}"
        left.plot(table["epoch"], table["training_loss"], color=colour, linestyle=":")
        left.plot(table["epoch"], table["validation_loss"], color=colour, label=name)
        kept = table.loc[table["validation_loss"].idxmin()]
        left.plot(kept["epoch"], kept["validation_loss"], "o", color=colour, fillstyle="none", markersize=10)
        watched = next(column for column in WATCHED if column in table)
        minutes = table["epoch"] * seconds[name] / len(table) / 60
        right.plot(minutes, table[watched], color=colour, marker="o", markersize=4)
    left.set(xlabel="Epoch", ylabel=WATCHED[watched].loss)
    right.set(
        xlabel="Wall time of the training [min]",
        ylabel=f"Validation part: {WATCHED[watched].label}",
        xlim=(0, None),
    )
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.minorticks_off()
    left.legend(fontsize="small")
    style.label(left, style.events(origin))
    style.label(right, "", "dotted: training part; ring: kept")
    return figure


def scores(
    target: NDArray,
    predictions: Mapping[str, NDArray],
    weight: NDArray,
    classes: tuple[str, ...],
    origin: str,
    of: str | None = None,
) -> Figure:
    """Distributions of the scores [N] by class, weighted, a panel a model: those of the class ``of``.

    Default is the second class.
    """
    figure, panels = style.panels(len(predictions))
    for axes, (name, score) in zip(panels, predictions.items(), strict=True):
        for code, (label, chosen) in enumerate(by_class(target, classes)):
            style.shares(axes, score[chosen], np.linspace(0, 1, 41), weight[chosen], label, color=f"C{code}")
        axes.set(xlabel=f"Score, P({of or classes[1]})", ylabel="Share of objects", xlim=(0, 1))
        style.label(axes, style.events(origin) if axes is panels[0] else "", name)
    panels[0].legend(fontsize="small")
    return figure


def calibrations(measured: Mapping[str, Mapping[str, Any]], signal: str, origin: str) -> Figure:
    """Reliability curves: fraction of the class ``signal`` against mean score, with 68 % intervals."""
    figure, axes = style.figure()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    for name, metrics in measured.items():
        calibration, bins = metrics["calibration"], metrics["calibration"]["bins"]
        fraction, errors = points([entry["signal_fraction"] for entry in bins])
        error, perfect = calibration["expected_calibration_error"]["value"], calibration["error_if_perfect"]
        label = f"{name}, error {error:.4f} ({perfect:.4f} if perfect)"
        score = [entry["mean_score"] for entry in bins]
        axes.errorbar(score, fraction, errors, fmt="o", markersize=5, label=label)
    axes.set(xlabel="Mean score", ylabel=f"Fraction of {signal}s", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize="small")
    style.label(axes, style.events(origin))
    return figure


def dependences(
    measured: Mapping[str, Mapping[str, Any]], kinematics: Sequence[Quantity], origin: str
) -> Figure:
    """AUC in bins of each kinematic quantity that is known, with 68 % intervals."""
    some = next(iter(measured.values()))["dependence"]
    known = [quantity for quantity in kinematics if some.get(quantity.name)]
    if not known:
        return style.message("These files hold no kinematics.")
    figure, panels = style.panels(len(known))
    for axes, quantity in zip(panels, known, strict=True):
        for name, metrics in measured.items():
            bins = metrics["dependence"][quantity.name]
            edges = np.array([[entry["low"], entry["high"]] for entry in bins])
            value, errors = points([entry["auc"] for entry in bins])
            axes.errorbar(edges.mean(axis=1), value, errors, np.ptp(edges, axis=1) / 2, fmt="o", label=name)
        unit = "" if quantity.unit == "1" else f" [{quantity.unit}]"
        axes.set(xlabel=quantity.name + unit, ylabel="ROC AUC")
    panels[0].legend(fontsize="small")
    style.label(panels[0], style.events(origin))
    return figure


def correlations(target: NDArray, masses: Mapping[str, NDArray], origin: str) -> Figure:
    """Numbers of objects by true and by measured mass, a panel a way of measuring."""
    figure, panels = style.panels(len(masses))
    edges = np.linspace(target.min(), target.max(), 41)
    for axes, (name, mass) in zip(panels, masses.items(), strict=True):
        *_, image = axes.hist2d(target, np.clip(mass, edges[0], edges[-1]), bins=edges, norm=LogNorm())
        axes.plot(edges, edges, color="black", linestyle="--", linewidth=1)
        axes.set(xlabel="True mass [GeV]", ylabel="Measured mass [GeV]")
        figure.colorbar(image, ax=axes, label="Objects")
        style.label(axes, style.events(origin) if axes is panels[0] else "", name)
    return figure


def costs(timings: Mapping[str, Sequence[Mapping[str, Any]]], machine: str, origin: str) -> Figure:
    """Objects a second, and the time of the model in an event, by objects an event, with 16-84 % ranges.

    ``timings`` are the points of each model, measured in cmsRun with one thread of ``machine``.
    """
    figure, (left, right) = style.figure(columns=2)
    for number, (name, measured) in enumerate(timings.items()):
        for provider in sorted({point["provider"] for point in measured}):
            line = [point for point in measured if point["provider"] == provider]
            linestyle = PROVIDERS[provider].linestyle
            look = {"color": f"C{number}", "linestyle": linestyle, "label": f"{name}, {provider}"}
            for axes, quantity in ((left, "objects_per_s"), (right, "call_ms")):
                bands = pd.DataFrame([point[quantity] for point in line], [point["batch"] for point in line])
                axes.plot(bands["median"], marker="o", **look)
                axes.fill_between(
                    bands.index, bands["p16"], bands["p84"], color=look["color"], alpha=0.25, linewidth=0
                )
    sizes = sorted({point["batch"] for measured in timings.values() for point in measured})
    for axes, label in ((left, "Objects / s"), (right, "Model in one event [ms]")):
        axes.set(xscale="log", yscale="log", xlabel="Objects in an event (batch size)", ylabel=label)
        axes.set_xticks(sizes, sizes)
        axes.minorticks_off()
    left.legend(fontsize="small")
    style.label(left, style.events(origin))
    style.label(right, "", f"cmsRun, one thread of {machine}")
    return figure


def points(summaries: Sequence[Mapping[str, Any]]) -> tuple[NDArray, NDArray]:
    """Values [N] and lengths of error bars [2, N] of 68 % intervals; NaN where undefined."""
    value = np.array([entry["value"] for entry in summaries], float)
    interval = np.array([entry["interval_68"] for entry in summaries], float).reshape(-1, 2)
    return value, np.abs(interval - value[:, None]).T
