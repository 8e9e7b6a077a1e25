"""Figures of training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.learning.statistics import Roc, auc
from e2e.plots import style
from e2e.tasks import Channel

WINDOW = 9  # cells on either side of the seed that are shown in an attribution


def history(source: str | Path, path: str | Path, simulation: bool) -> None:
    """Losses and validation AUC by epoch, from the history CSV of a training."""
    table = pd.read_csv(source)
    figure, (left, right) = style.figure(columns=2)
    for name in ("training", "validation"):
        left.plot(table["epoch"], table[f"{name}_loss"], marker="o", label=name)
    best = table.loc[table["validation_loss"].idxmin(), "epoch"]
    left.axvline(best, color="grey", linestyle=":", label="kept")
    left.set(xlabel="Epoch", ylabel="Binary cross-entropy")
    left.legend()
    right.plot(table["epoch"], table["validation_auc"], marker="o", color="tab:orange")
    right.set(xlabel="Epoch", ylabel="Validation ROC AUC")
    style.label(left, style.origin(simulation))
    style.save(figure, path)


def roc(path: str | Path, target: NDArray, curves: Mapping[str, NDArray], simulation: bool) -> None:
    """Background rejection against signal efficiency, for each discriminant of ``curves``."""
    figure, axes = style.figure()
    ones = np.ones((1, len(target)), np.float32)
    for name, discriminant in curves.items():
        signal, background = (values[0] for values in Roc(discriminant, target).efficiencies(ones))
        shown = (background > 0) & (signal > 0.02)
        value = auc(discriminant, target)
        axes.plot(signal[shown], 1 / background[shown], label=f"{name}, AUC {max(value, 1 - value):.4f}")
    axes.set(
        xlabel="Electron efficiency", ylabel="Photon rejection (1 / efficiency)", yscale="log", xlim=(0, 1)
    )
    axes.legend()
    style.label(axes, style.origin(simulation))
    style.save(figure, path)


def scores(
    path: str | Path, target: NDArray, score: NDArray, classes: Sequence[str], simulation: bool
) -> None:
    """Distribution of the score by class."""
    figure, axes = style.figure()
    for number, name in enumerate(classes):
        axes.hist(
            score[target == number],
            bins=np.linspace(0, 1, 51),
            density=True,
            histtype="step",
            linewidth=2,
            label=name,
            color=style.COLOURS.get(name),
        )
    axes.set(xlabel=f"Score, P({classes[1]})", ylabel="Objects per unit of score, normalised", xlim=(0, 1))
    axes.legend()
    style.label(axes, style.origin(simulation))
    style.save(figure, path)


def calibration(path: str | Path, measured: Mapping[str, Any], simulation: bool) -> None:
    """Reliability curve: fraction of signal against mean score, with 68 % intervals."""
    figure, axes = style.figure()
    score = np.array([entry["mean_score"] for entry in measured["bins"]])
    fraction, errors = _points([entry["signal_fraction"] for entry in measured["bins"]])
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.errorbar(score, fraction, errors, fmt="o", markersize=5)
    error = measured["expected_calibration_error"]["value"]
    axes.set(xlabel="Mean score", ylabel="Fraction of electrons", xlim=(0, 1), ylim=(0, 1))
    axes.text(0.05, 0.82, f"calibration error {error:.4f}\n({measured['error_if_perfect']:.4f} if perfect)")
    style.label(axes, style.origin(simulation))
    style.save(figure, path)


def dependence(
    path: str | Path,
    measured: Mapping[str, Sequence[Mapping[str, Any]]],
    kinematics: Sequence[Channel],
    simulation: bool,
) -> None:
    """AUC in bins of each kinematic quantity, with 68 % intervals."""
    figure, axes = style.figure(columns=len(kinematics), width=5.5, sharey=True)
    for axis, channel in zip(axes, kinematics, strict=True):
        bins = measured[channel.name]
        edges = np.array([[entry["low"], entry["high"]] for entry in bins]).reshape(-1, 2)
        value, errors = _points([entry["auc"] for entry in bins])
        centre = edges.mean(axis=1)
        axis.errorbar(centre, value, errors, np.abs(edges - centre[:, None]).T, fmt="o", markersize=5)
        unit = "" if channel.unit == "1" else f" [{channel.unit}]"
        axis.set(xlabel=f"{channel.name}{unit}")
    axes[0].set(ylabel="ROC AUC")
    style.label(axes[0], style.origin(simulation))
    style.save(figure, path)


def attribution(
    path: str | Path,
    objects: Samples,
    frames: NDArray[np.float32],
    contributions: NDArray[np.float32],
    simulation: bool,
) -> None:
    """Crops beside the contributions of their cells to the logit, channel by channel, a row an object.

    ``frames`` and ``contributions`` are [N, C, H, W]; the cells around the middle are shown.
    """
    _, channels, rows, columns = frames.shape
    window = np.s_[
        max(rows // 2 - WINDOW, 0) : rows // 2 + WINDOW, max(columns // 2 - WINDOW, 0) : columns // 2 + WINDOW
    ]
    figure, axes = style.figure(len(frames), 1 + channels, 4.6, 3.4, squeeze=False)
    largest = max(np.abs(contributions).max(), 1e-6)
    for i, row in enumerate(axes):
        energy = frames[i, 0][window]
        image = row[0].imshow(np.where(energy > 0, energy, np.nan), norm=LogNorm(0.05, 50), origin="lower")
        figure.colorbar(image, ax=row[0], label="GeV")
        row[0].set_ylabel(f"{objects.classes[int(objects.target[i])]}\nrow")
        for j in range(channels):
            image = row[1 + j].imshow(
                contributions[i, j][window], cmap="RdBu_r", vmin=-largest, vmax=largest, origin="lower"
            )
            figure.colorbar(image, ax=row[1 + j], label="logit")
    for axis, name in zip(axes[0], ["crop", *(channel.name for channel in objects.channels)], strict=True):
        axis.set_title(name if name == "crop" else f"attribution to {name}", fontsize=14)
    for axis in axes[-1]:
        axis.set_xlabel("column")
    figure.suptitle(style.origin(simulation), fontstyle="italic", fontsize=14)
    style.save(figure, path)


def _points(summaries: Sequence[Mapping[str, Any]]) -> tuple[NDArray, NDArray]:
    """Values [N] and lengths of error bars [2, N] of 68 % intervals."""
    value = np.array([entry["value"] for entry in summaries], float)
    interval = np.array([entry["interval_68"] for entry in summaries], float).reshape(-1, 2)
    return value, np.abs(interval - value[:, None]).T
