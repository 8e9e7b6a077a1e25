"""Figures of one network: its training, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2e.learning.measures import measures
from e2e.report import masses, side_by_side, style, working_points
from e2e.report.displays import QUANTITIES
from e2e.report.merits import MANY_CLASSES, MASS, TWO_CLASSES, merit
from e2e.tasks import Task


def figures(
    task: Task,
    metrics: Mapping[str, Any],
    scores: pd.DataFrame,
    explained: Mapping[str, NDArray],
    reference: Mapping[str, Any],
    reference_scores: pd.DataFrame,
) -> dict[str, Figure]:
    """All figures of a network, by name, from what ``learning.evaluation`` has written of it.

    ``reference`` and ``reference_scores`` are the metrics and scores of the reference.
    """
    draw = {TWO_CLASSES: _of_two, MANY_CLASSES: _of_many, MASS: _of_masses}[merit(task).kind]
    return draw(task, metrics, scores, explained, reference, reference_scores)


def _of_two(
    task: Task,
    metrics: Mapping[str, Any],
    scores: pd.DataFrame,
    explained: Mapping[str, NDArray],
    reference: Mapping[str, Any],
    *_: Any,
) -> dict[str, Figure]:
    name, origin = metrics["model"], metrics["training_data"]["origin"]
    target, score = scores["target"].to_numpy(), {name: scores["score"].to_numpy()}
    found = {
        "roc": roc(metrics["roc"], task.classes, origin),
        "scores": side_by_side.scores(target, score, scores["weight"].to_numpy(), task.classes, origin),
        "calibration": side_by_side.calibrations({name: metrics}, task.classes[1], origin),
        "kinematics": side_by_side.dependences({name: metrics}, task.kinematics, origin),
        "attribution": attribution(task, explained, origin),
    }
    if "working_points" in metrics:
        found["working_points"] = working_points.draw(task, metrics["working_points"], origin)
    if "tracks_found" in reference:
        found["tracks_found"] = working_points.tracks(reference["tracks_found"], origin)
    return found


def _of_many(
    task: Task,
    metrics: Mapping[str, Any],
    scores: pd.DataFrame,
    explained: Mapping[str, NDArray],
    *_: Any,
) -> dict[str, Figure]:
    """Those of each class against all others, and which class is taken for which."""
    origin, weight = metrics["training_data"]["origin"], scores["weight"].to_numpy()
    target = scores["target"].to_numpy()
    found = {}
    for i, (name, measured) in enumerate(metrics["classes"].items()):
        found[f"roc_{i}"] = roc(measured["roc"], ("others", name), origin)
        given = {f"score of {name}": scores[f"score_{i}"].to_numpy()}
        found[f"scores_{i}"] = side_by_side.scores(target, given, weight, task.classes, origin, name)
    return {
        "confusion": confusion(metrics["confusion"], task.classes, origin),
        **found,
        "calibration": side_by_side.calibrations(metrics["classes"], "object of the class", origin),
        "kinematics": side_by_side.dependences(metrics["classes"], task.kinematics, origin),
        "attribution": attribution(task, explained, origin),
    }


def _of_masses(
    task: Task,
    metrics: Mapping[str, Any],
    scores: pd.DataFrame,
    explained: Mapping[str, NDArray],
    reference: Mapping[str, Any],
    reference_scores: pd.DataFrame,
) -> dict[str, Figure]:
    name, origin = metrics["model"], metrics["training_data"]["origin"]
    measured, target = {name: metrics}, scores["target"].to_numpy()
    mass = {name: scores["mass"].to_numpy()}
    others = {task.reference: reference_scores["mass"].to_numpy()}
    measured[task.reference] = reference
    for column, label in measures(task).others.items():
        if column in reference["others"]:
            others[label] = reference_scores[column].to_numpy()
            measured[label] = reference["others"][column]
    return {
        "correlation": side_by_side.correlations(target, mass, origin),
        "errors": masses.dependence(measured, origin),
        "residuals": masses.residuals(target, {**mass, **others}, origin),
    }


def confusion(shares: Sequence[Sequence[float]], classes: Sequence[str], origin: str) -> Figure:
    """Shares of the objects of each class (rows) by the class that is the likeliest (columns)."""
    figure, axes = style.figure()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            colour = "white" if share > 0.5 else "black"
            axes.text(j, i, f"{share:.1%}", ha="center", va="center", color=colour, fontsize="small")
    axes.set(xlabel="Likeliest class", ylabel="True class")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.minorticks_off()
    figure.colorbar(image, ax=axes, label="Share of the true class, weighted")
    style.label(axes, style.events(origin))
    return figure


def roc(measured: Mapping[str, Any], classes: Sequence[str], origin: str) -> Figure:
    """Rejection of ``classes[0]`` at efficiencies of ``classes[1]``, with 68 % bands, for each discriminant.

    ``measured`` is a record of ``classification.curves``.
    """
    figure, axes = style.figure()
    signal = np.array(measured["signal_efficiency"])
    for name, curve in measured["curves"].items():
        efficiency, low, high = (np.array(curve[key]) for key in ("background_efficiency", "low", "high"))
        shown = efficiency > 0
        label = f"{name}, AUC {curve['auc']:.4f} $\\pm$ {curve['standard_error']:.4f}"
        (line,) = axes.plot(signal[shown], 1 / efficiency[shown], label=label)
        with np.errstate(divide="ignore"):
            axes.fill_between(
                signal[shown],
                1 / high[shown],
                1 / low[shown],
                color=line.get_color(),
                alpha=0.25,
                linewidth=0,
            )
    background, wanted = (name.capitalize() for name in classes)
    axes.set(
        xlabel=f"{wanted} efficiency",
        ylabel=f"{background} rejection (1 / efficiency)",
        yscale="log",
        xlim=(0, 1),
    )
    axes.legend()
    style.label(axes, style.events(origin))
    return figure


def attribution(task: Task, explained: Mapping[str, NDArray], origin: str) -> Figure:
    """Crops beside the contributions of their cells to the logit, channel by channel, a row an object.

    ``explained`` holds the arrays of ``classification.explained``; the cells around the seed are shown.
    """
    crop, frames, contributions = task.crop, explained["frames"], explained["contributions"]
    reach = task.shown
    width = 0.8 + 2.6 * (2 * reach[1] + 1) / (2 * reach[0] + 1)  # inches, of equal cells
    top, left = max(crop.seed_row - reach[0], 0), max(crop.seed_column - reach[1], 0)
    window = np.s_[:, :, top : crop.seed_row + reach[0] + 1, left : crop.seed_column + reach[1] + 1]
    energies = [channel.unit == "GeV" for channel in task.channels]
    energy, contributions = frames[window][:, energies].sum(axis=1), contributions[window]
    rows, columns = energy.shape[1:]
    first_row, first_column = top - crop.seed_row - 0.5, left - crop.seed_column - 0.5
    extent = (first_column, first_column + columns, first_row, first_row + rows)

    figure, axes = style.figure(
        len(energy), 1 + len(task.channels), width, 2.6, squeeze=False, sharex=True, sharey=True
    )
    largest = max(np.quantile(np.abs(contributions[contributions != 0]), 0.98), 1e-6)
    for i, (crop_axis, *others) in enumerate(axes):
        shown = np.where(energy[i] > 0, energy[i], np.nan)
        crops = crop_axis.imshow(shown, norm=LogNorm(0.05, 50), origin="lower", extent=extent)
        crop_axis.set_ylabel(task.classes[int(explained["target"][i])])
        for axis, values in zip(others, contributions[i], strict=True):
            logits = axis.imshow(
                values, cmap="RdBu_r", vmin=-largest, vmax=largest, origin="lower", extent=extent
            )
    figure.colorbar(crops, ax=axes[:, 0], location="bottom", label="GeV", shrink=0.8, aspect=40)
    figure.colorbar(
        logits,
        ax=axes[:, 1:],
        location="bottom",
        label="Contribution to the logit",
        shrink=0.8,
        aspect=80,
    )
    for axis, channel in zip(axes[0, 1:], task.channels, strict=True):
        style.label(axis, "", f"of {QUANTITIES.get(channel.name, channel.name)}")
    style.label(axes[0, 0], style.events(origin))
    figure.supxlabel("Columns from the seed (phi)", fontsize=16)
    figure.supylabel("Rows from the seed (eta)", fontsize=16)
    return figure
