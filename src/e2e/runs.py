"""Runs: each configuration names one, and all that is made with it lies in results/<run>/<task>/<model>."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from e2e.errors import E2EError
from e2e.tasks import every

SHARED = ("benchmark", "cmssw")  # folders of results/ that belong to no run
# What stands beside the models of a task in a comparison, and so is no name of one.
BESIDE = ("calorimetric", "mean", "reference", "trees", "with_reconstruction")
TASK_FOLDERS = (
    "bdt",
    "downloads",
    "logs",
    "ntuples",
    "pretrainings",
    "resimulated",
    "resources",
    "simulation",
    "store",
)


def configurations(repository: Path) -> dict[str, Path]:
    """The configurations that come with a repository, by the run that they name."""
    found: dict[str, Path] = {}
    for file in [repository / "config.yaml", *sorted((repository / "config").glob("*.yaml"))]:
        named = re.search(r"^run: *['\"]?(\w+)", file.read_text(errors="replace"), re.MULTILINE)
        if named:
            found.setdefault(named[1], file)
    return found


def configuration(targets: Iterable[str], repository: Path) -> Path:
    """The configuration of the run in which ``targets`` lie; config.yaml, if they lie in none.

    Raises E2EError where no configuration of the repository has that run, or the runs are several.
    """
    known = configurations(repository)
    runs = {parts[0]: target for target, parts in _in_results(targets)}
    if len(runs) > 1:
        raise E2EError(f"{' and '.join(runs.values())} are of {len(runs)} runs; ask for one run at a time")
    for run, target in runs.items():
        if run in every():
            raise E2EError(
                f"{target}: before the task comes the run: results/default/{run}/...; "
                f"the runs are: {', '.join(known)}"
            )
        if run not in known:
            raise E2EError(
                f"{target}: no configuration here has `run: {run}`{_close(run, known)}; they have: "
                f"{', '.join(known)} (for a configuration of your own, add --configfile)"
            )
        return known[run]
    return repository / "config.yaml"


def check_name(run: str, configfiles: Collection[Path], repository: Path) -> None:
    """Refuse a configuration which would replace what another one, of the repository, has made."""
    owner = configurations(repository).get(run)
    if owner and configfiles and not any(path.resolve() == owner.resolve() for path in configfiles):
        raise E2EError(
            f"run = {run}: so is that of {owner.relative_to(repository)}, whose results would be replaced\n"
            f"  corrected line:  run: my_{run}"
        )


def check_targets(targets: Iterable[str], run: str, tasks: Mapping[str, Collection[str]]) -> None:
    """Refuse targets of another run, or of a task or model that the run does not have.

    ``tasks`` are the names of the run's tasks, each with those of its models.
    """
    for target, (own, *parts) in _in_results(targets):
        if own != run:
            raise E2EError(
                f"{target} is of run {own}, but the configuration given is that of run {run}; "
                f"without --configfile: snakemake {target}"
            )
        if not parts:
            continue
        task, *parts = parts
        if len(parts) > 0 and task not in tasks:
            raise E2EError(
                f"{target}: run {run} has no task {task}{_close(task, tasks)}; it has: {', '.join(tasks)}"
            )
        if len(parts) > 1 and parts[0] not in (*tasks[task], *TASK_FOLDERS):
            names = ", ".join((*tasks[task], "bdt"))
            close = _close(parts[0], tasks[task])
            raise E2EError(
                f"{target}: task {task} of run {run} has no model {parts[0]}{close}; it has: {names}"
            )


def _in_results(targets: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Those targets that are files of runs, with their parts below results/."""
    for target in targets:
        top, *parts = Path(os.path.relpath(target)).parts or [""]
        if top == "results" and parts and parts[0] not in SHARED:
            yield target, parts


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
