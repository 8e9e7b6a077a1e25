"""A search for the hyperparameters of network and training that give the lowest validation loss, by Optuna.

It is kept in a database, so that a killed search goes on after its last trial, with what it would have tried.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import yaml
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from e2e import models
from e2e.errors import E2EError
from e2e.files import fresh_folder, output_path, owned_folder, sha256, whole
from e2e.learning import batches
from e2e.learning.loop import LossError
from e2e.learning.train import train
from e2e.tasks import Task

# Of AdamW, both searched on a logarithmic scale.
RANGES = {"learning_rate": (3e-4, 3e-2), "weight_decay": (1e-4, 0.3)}
RANDOM = 10  # trials before the sampler has enough to learn from
UNPRUNED = 5  # trials that are trained to the end, whatever their losses
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def search(
    stores: Sequence[str | Path],
    split: str | Path,
    best: str | Path,
    table: str | Path,
    *,
    study: str | Path,
    model: str,
    task: Task,
    trials: int,
    epochs: int,
    trunk: str | Path | None = None,
    code: str = "",
    threads: int | None = None,
    **entry: Any,
) -> tuple[pd.DataFrame, str]:
    """Train ``trials`` variants of a model for ``epochs`` each, and write the best as a configuration entry.

    ``entry`` is that of the model, and ``trunk`` the file that its ``init`` names. Varied are learning rate
    and weight decay (``RANGES``), and those hyperparameters of ``models.space`` that its ``network`` does not
    give; with ``trunk`` those of the head alone. The first trial is the model itself, within these ranges.
    All trials have the seed and the training and validation parts of the model; the test part is not opened.
    Those whose validation loss is worse than the median of the others at the same epoch are given up
    (pruned).

    ``best`` (YAML) gets the entry, under the name of ``model`` with ``_tuned``; ``table`` (CSV) a row a
    trial. ``study`` is an SQLite file that survives a kill and a full disk: the same call goes on with the
    trial that was ended. Trials of other settings, data or ``code`` (any text that changes with it) stay in
    the file and do not count. Returns the table, and the origin of the events. Raises E2EError as ``train``
    does, if no trial was trained to its end, and where SQLite cannot use ``study``.
    """
    trainer = entry["trainer"]
    space = {
        name: choices
        for name, choices in models.space(entry["architecture"]).items()
        if name not in entry["network"] and (trunk is None or name in models.HEAD)
    }
    origin = batches.identity(stores, len(batches.stream(stores, split, "train", task)))
    about = [task.name, len(task.channels), entry, epochs, space, RANGES, origin, code]
    if trunk:
        about.append(sha256(trunk))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    output_path(study).parent.mkdir(parents=True, exist_ok=True)
    scratch = owned_folder(Path(study).with_name("trial"))
    with _database(study):
        found = optuna.create_study(
            storage=f"sqlite:///{study}",
            study_name=hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest(),
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(UNPRUNED, n_warmup_steps=max(1, epochs // 4)),
        )
        for trial in found.get_trials(states=(TrialState.RUNNING,)):
            found.tell(trial.number, state=TrialState.FAIL)  # killed
        while (done := len(found.get_trials(states=DONE))) < trials:
            # A seed of its own for each trial: after a kill, the next one is what it would have been.
            found.sampler = optuna.samplers.TPESampler(
                n_startup_trials=RANDOM, seed=1000 * trainer["seed"] + done
            )
            if done == 0 and not found.get_trials(states=(TrialState.WAITING,)):
                found.enqueue_trial(_first(space, trainer))
            trial = found.ask()
            variant = _variant(entry, space, trial)
            fresh_folder(scratch)
            loss = _loss(
                trial,
                [stores, split, *(scratch / name for name in ("model.pt", "history.csv"))],
                checkpoints=scratch / "checkpoints",
                task=task,
                **variant | {"trainer": variant["trainer"] | {"epochs": epochs, "devices": 1}, "init": trunk},
                threads=threads,
            )
            found.tell(trial, loss, TrialState.PRUNED if loss is None else TrialState.COMPLETE)
            said = "given up" if loss is None else f"validation loss {loss:.4f}"
            print(f"trial {done + 1}/{trials}: {said}; {_inline(trial.params)}", file=sys.stderr)
        finished = found.get_trials(states=DONE)
    shutil.rmtree(scratch, ignore_errors=True)

    if all(trial.state == TrialState.PRUNED for trial in finished):
        raise E2EError(f"{study}: in no trial was the loss finite; look at the stores with `e2e inspect`")
    rows = pd.DataFrame([_row(i, trial) for i, trial in enumerate(finished, start=1)])
    with whole(table) as path:
        rows.to_csv(path, index=False)
    chosen = min((trial for trial in finished if trial.state == TrialState.COMPLETE), key=lambda t: t.value)
    number = 1 + finished.index(chosen)
    remark = f"""\
# Validation loss {chosen.value:.4f} after {epochs} epochs: trial {number} of {len(finished)}.
# The first trial, {model} itself, had {rows["validation_loss"][0]:.4f}.
# An entry for `models:` of {task.name}; its metrics say whether it is better.
"""
    entry = yaml.safe_dump({f"{model}_tuned": _variant(entry, space, chosen)}, sort_keys=False)
    with whole(best) as path:
        path.write_text(remark + entry)
    return rows, origin["origin"]


@contextmanager
def _database(study: str | Path) -> Iterator[None]:
    """Raise what SQLite says of its file in the block, such as that the disk is full, as `E2EError`."""
    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, sqlite3.Error):
            cause = cause.__cause__
        if cause is None:
            raise
        raise E2EError(
            f"{study}: cannot be used as a study ({cause}); look at the free space and the permissions, "
            "then go on with the same command; or move it away"
        ) from None


def _first(space: Mapping[str, Sequence[Any]], trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the trial that is the model itself."""
    rates = {name: min(max(trainer[name], low), high) for name, (low, high) in RANGES.items()}
    return rates | {name: json.dumps(choices[0]) for name, choices in space.items()}


def _variant(
    entry: Mapping[str, Any], space: Mapping[str, Sequence[Any]], trial: Trial | FrozenTrial
) -> dict[str, Any]:
    """The entry of a model with what a trial proposes, to three digits."""
    hyperparameters = {
        name: json.loads(trial.suggest_categorical(name, [json.dumps(choice) for choice in choices]))
        for name, choices in space.items()
    }
    rates = {
        name: float(f"{trial.suggest_float(name, *limits, log=True):.3g}") for name, limits in RANGES.items()
    }
    return {
        **entry,
        "network": dict(entry["network"]) | hyperparameters,
        "trainer": dict(entry["trainer"]) | rates,
    }


def _loss(trial: Trial, outputs: list[Any], **arguments: Any) -> float | None:
    """Lowest validation loss of a trial; None where it was given up, or was not finite."""

    def report(epoch: int, loss: float) -> None:
        trial.report(loss, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        return train(*outputs, **arguments, report=report)["validation_loss"]
    except (optuna.TrialPruned, LossError):
        return None


def _row(number: int, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": number,
        "state": "complete" if trial.state == TrialState.COMPLETE else "pruned",
        "epochs": len(trial.intermediate_values),
        "validation_loss": min(trial.intermediate_values.values(), default=float("nan")),
        **trial.params,
    }


def _inline(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in parameters.items()
    )
