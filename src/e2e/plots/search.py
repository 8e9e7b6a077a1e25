"""Figure of a search for the numbers of a model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from e2e.plots import style
from e2e.plots.evaluation import WATCHED
from e2e.tasks import Task


def history(path: str | Path, trials: pd.DataFrame, task: Task, origin: str) -> None:
    """Lowest validation loss of each trial, and of the best trial so far.

    ``trials`` has columns trial, state (complete or pruned) and validation_loss.
    """
    figure, axes = style.figure()
    for state, filled in {"complete": "full", "pruned": "none"}.items():
        chosen = trials[trials["state"] == state]
        axes.plot(
            chosen["trial"], chosen["validation_loss"], "o", color="tab:blue", fillstyle=filled, label=state
        )
    complete = trials[trials["state"] == "complete"]
    best = complete["validation_loss"].cummin().reindex(trials.index).ffill()
    axes.step(trials["trial"], best, where="post", color="tab:orange", label="best so far")
    loss, _ = WATCHED["validation_auc" if task.classes else "validation_mae"]
    axes.set(xlabel="Trial", ylabel=loss)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    style.label(axes, style.events(origin), "Validation part")
    style.save(figure, path)
