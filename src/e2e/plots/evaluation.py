"""Figures of training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.files import read_csv
from e2e.learning.statistics import Estimate
from e2e.plots import style
from e2e.plots.displays import QUANTITIES
from e2e.tasks import Crop

ROWS, COLUMNS = 6, 15  # on either side of the seed of a crop of 32 x 32, shown in an attribution
JET = 20  # on each side of the seed of a jet: 0.35 in eta and phi
WATCHED = {  # column of a history: names of the loss and of itself
    "validation_auc": ("Binary cross-entropy", "Validation ROC AUC"),
    "validation_mae": ("Huber loss of log(mass), standardised", "Validation mean absolute error [GeV]"),
}


def history(source: str | Path, origin: str) -> Figure:
    """Losses, and what was watched, by epoch, from the history CSV of a training."""
    table = read_csv(source, ["epoch", "training_loss", "validation_loss"])
    figure, (left, right) = style.figure(columns=2)
    for name in ("training", "validation"):
        left.plot(table["epoch"], table[f"{name}_loss"], marker="o", label=name)
    best = table.loc[table["validation_loss"].idxmin(), "epoch"]
    left.axvline(best, color="grey", linestyle=":", label="kept")
    watched = next(name for name in WATCHED if name in table)
    left.set(xlabel="Epoch", ylabel=WATCHED[watched][0])
    left.legend()
    right.plot(table["epoch"], table[watched], marker="o", color="tab:orange")
    right.set(xlabel="Epoch", ylabel=WATCHED[watched][1])
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.minorticks_off()
    style.label(left, style.events(origin))
    return figure


def roc(
    signal: NDArray,
    curves: Mapping[str, Mapping[str, Estimate]],
    classes: Sequence[str],
    origin: str,
) -> Figure:
    """Rejection of ``classes[0]`` at the efficiencies ``signal`` [n], with 68 % bands, for each discriminant.

    A curve holds the estimates ``auc`` and ``background`` (efficiencies [n]).
    """
    figure, axes = style.figure()
    for name, curve in curves.items():
        efficiency = curve["background"]
        shown = efficiency.value > 0
        low, high = np.quantile(efficiency.replicas[:, shown], (0.16, 0.84), axis=0)
        value, error = float(curve["auc"].value), float(curve["auc"].replicas.std())
        (line,) = axes.plot(
            signal[shown], 1 / efficiency.value[shown], label=f"{name}, AUC {value:.4f} $\\pm$ {error:.4f}"
        )
        with np.errstate(divide="ignore"):
            axes.fill_between(
                signal[shown], 1 / high, 1 / low, color=line.get_color(), alpha=0.25, linewidth=0
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


def attribution(
    objects: Samples,
    frames: NDArray[np.float32],
    contributions: NDArray[np.float32],
    crop: Crop,
    origin: str,
) -> Figure:
    """Crops beside the contributions of their cells to the logit, channel by channel, a row an object.

    ``frames`` and ``contributions`` are [N, C, H, W]; the cells around the seed are shown.
    """
    reach, width = ((ROWS, COLUMNS), 6.0) if crop.rows == 32 else ((JET, JET), 3.4)
    top, left = max(crop.seed_row - reach[0], 0), max(crop.seed_column - reach[1], 0)
    window = np.s_[:, :, top : crop.seed_row + reach[0] + 1, left : crop.seed_column + reach[1] + 1]
    energies = [channel.unit == "GeV" for channel in objects.channels]
    energy, contributions = frames[window][:, energies].sum(axis=1), contributions[window]
    rows, columns = energy.shape[1:]
    first_row, first_column = top - crop.seed_row - 0.5, left - crop.seed_column - 0.5
    extent = (first_column, first_column + columns, first_row, first_row + rows)

    figure, axes = style.figure(
        len(energy), 1 + len(objects.channels), width, 2.6, squeeze=False, sharex=True, sharey=True
    )
    largest = max(np.quantile(np.abs(contributions[contributions != 0]), 0.98), 1e-6)
    for i, (crop_axis, *others) in enumerate(axes):
        shown = np.where(energy[i] > 0, energy[i], np.nan)
        crops = crop_axis.imshow(shown, norm=LogNorm(0.05, 50), origin="lower", extent=extent)
        crop_axis.set_ylabel(objects.classes[int(objects.target[i])])
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
    for axis, channel in zip(axes[0, 1:], objects.channels, strict=True):
        style.label(axis, "", f"of {QUANTITIES.get(channel.name, channel.name)}")
    style.label(axes[0, 0], style.events(origin))
    figure.supxlabel("Columns from the seed (phi)", fontsize=16)
    figure.supylabel("Rows from the seed (eta)", fontsize=16)
    return figure
