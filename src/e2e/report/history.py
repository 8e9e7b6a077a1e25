"""Figures of trainings by epoch, and of the search for an architecture's hyperparameters."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from e2e.files import read_csv
from e2e.report import style
from e2e.report.merits import WATCHED, merit
from e2e.tasks import Task


def draw(source: str | Path, origin: str) -> Figure:
    """Losses, and what was watched, by epoch, from the history CSV of a training."""
    table = read_csv(source, ["epoch", "training_loss", "validation_loss"])
    figure, (left, right) = style.figure(columns=2)
    for name in ("training", "validation"):
        left.plot(table["epoch"], table[f"{name}_loss"], marker="o", label=name)
    best = table.loc[table["validation_loss"].idxmin(), "epoch"]
    left.axvline(best, color="grey", linestyle=":", label="kept")
    watched = next(name for name in WATCHED if name in table)
    left.set(xlabel="Epoch", ylabel=WATCHED[watched].loss)
    left.legend()
    right.plot(table["epoch"], table[watched], marker="o", color="tab:orange")
    right.set(xlabel="Epoch", ylabel=f"Validation part: {WATCHED[watched].label}")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.minorticks_off()
    style.label(left, style.events(origin))
    return figure


def trials(table: pd.DataFrame, task: Task, origin: str) -> Figure:
    """Lowest validation loss of each trial, and of the best trial so far.

    ``table`` has columns trial, state (complete or pruned) and validation_loss.
    """
    figure, axes = style.figure()
    for state, filled in {"complete": "full", "pruned": "none"}.items():
        chosen = table[table["state"] == state]
        axes.plot(
            chosen["trial"], chosen["validation_loss"], "o", color="tab:blue", fillstyle=filled, label=state
        )
    complete = table[table["state"] == "complete"]
    best = complete["validation_loss"].cummin().reindex(table.index).ffill()
    axes.step(table["trial"], best, where="post", color="tab:orange", label="best so far")
    axes.set(xlabel="Trial", ylabel=merit(task).loss)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    style.label(axes, style.events(origin), "Validation part")
    return figure
