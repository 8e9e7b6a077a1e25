"""Measured results as small records to commit: one a model and seed, tied to their configuration.

python -m e2e.records results/published docs/records   writes those of a run, where it was made
python -m e2e.records --check docs/records             says which are of another configuration now
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e import runs, tasks
from e2e.benchmark.machine import lasting, machine
from e2e.config import beginning, entries, read
from e2e.errors import E2EError
from e2e.files import read_json, write_json
from e2e.learning.repeats import figures_of_merit
from e2e.version import git_revision

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = "bdt"  # folder of the reference


def write(run: Path, output: Path, repository: Path = REPOSITORY) -> list[Path]:
    """Write a record of each training in the folder ``run`` (results/<run>), and return their paths.

    They are ``output``/<run>/<task>/<model>/seed_<n>.json, of the reference (``bdt``), too, and hold the
    ``command`` that makes it, git's ``revision`` and the ``machine`` of now, the configuration's file, what
    it says of the training (``entry``) and its SHA-256, the objects of each part, and the figures of merit
    with their intervals. Raises E2EError for a folder without results, for results of no configuration of the
    ``repository`` or of none of its models, and where tracked files have changed since the last commit.
    """
    name = run.resolve().name
    revision = git_revision()
    if revision.endswith("-dirty"):
        raise E2EError(f"{run}: files of the repository have changed since {revision}; commit them first")
    file = _configuration(name, repository)
    if file is None:
        raise E2EError(f"{run}: no configuration of the repository has `run: {name}`; add it to config/")
    config, about = read(file), lasting(machine())
    records = {}
    for task in config["tasks"]:
        folder = run / task
        for path in sorted([*folder.glob("*/metrics.json"), *folder.glob("*/seed_*/metrics.json")]):
            place = path.parent.relative_to(folder)
            model, metrics = place.parts[0], read_json(path)
            if model != REFERENCE and model not in config["tasks"][task]["models"]:
                raise E2EError(
                    f"{path}: {file} has no such model; remove the folder, or name the model there"
                )
            said = entry(config, task, model, metrics["seed"])
            records[Path(name, task, model, f"seed_{metrics['seed']}.json")] = {
                "command": f"snakemake --cores all results/{name}/{task}/{place}/metrics.json",
                "revision": revision,
                "machine": about,
                "configuration": {
                    "file": str(file.relative_to(repository)),
                    "entry": said,
                    "sha256": digest(said),
                },
                "task": task,
                "model": model,
                "seed": metrics["seed"],
                "training_data": metrics["training_data"],
                "objects": metrics["objects"],
                "metrics": figures_of_merit(metrics),
                "others": {
                    column: figures_of_merit({"versus": {}, **of})
                    for column, of in metrics.get("others", {}).items()
                },
            }
    if not records:
        raise E2EError(f"{run}: holds no results of a model; make them with `make all CONFIG={file}`")
    for path, record in records.items():
        write_json(output / path, record)
    return [output / path for path in records]


def stale(folder: Path, repository: Path = REPOSITORY) -> list[str]:
    """Of each record in ``folder`` whose configuration says something else today: a sentence."""
    found, known = [], {}
    for path in sorted(folder.glob("*/*/*/*.json")):
        record = read_json(path)
        run, task, model = path.relative_to(folder).parts[:3]
        file = _configuration(run, repository)
        if file is not None and file not in known:
            known[file] = read(file)
        config = known.get(file, {"tasks": {}})
        models = [*config["tasks"].get(task, {"models": ()})["models"], REFERENCE]
        if task not in config["tasks"] or model not in models:
            found.append(f"{path}: {record['configuration']['file']} no longer has {task}/{model}; remove it")
            continue
        now = entry(config, task, model, record["seed"])
        if digest(now) != record["configuration"]["sha256"]:
            keys = ", ".join(_changed(record["configuration"]["entry"], now)) or "its digest"
            found.append(
                f"{path}: stale: {file.relative_to(repository)} has changed in {keys} since it was measured; "
                f"measure it again ({record['command']}), and write the records anew"
            )
    return found


def entry(config: Mapping[str, Any], task: str, model: str, seed: int) -> dict[str, Any]:
    """What a configuration, with its defaults, says of a training: all that its result depends on."""
    settings, others = config["tasks"][task], ("models", "pretrainings", "declared")
    said: dict[str, Any] = {"task": {key: value for key, value in settings.items() if key not in others}}
    made = tasks.task(task).simulation
    if settings["source"] == "simulation" and made and made.pooled:
        said["pileup"] = config["pileup"]
    if model == REFERENCE:
        return said
    of = entries(config)[task, model]
    said["model"] = of | {"trainer": of["trainer"] | {"seed": seed}}
    begun = beginning(config, task, model)
    if isinstance(begun, tuple):
        said["begins with"] = entry(config, *begun, entries(config)[begun]["trainer"]["seed"])
    return said


def digest(said: Mapping[str, Any]) -> str:
    """SHA-256 of an ``entry``."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _configuration(run: str, repository: Path) -> Path | None:
    return runs.configurations(repository).get(run)


def _changed(before: Any, now: Any, place: str = "") -> list[str]:
    """Dotted names of what differs."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return [] if before == now else [place]
    return [
        name
        for key in sorted({*before, *now})
        for name in _changed(before.get(key), now.get(key), f"{place}.{key}".lstrip("."))
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write records, or check those that are there; bad input and stale records give 1."""
    parser = argparse.ArgumentParser(prog="python -m e2e.records", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="say which records are stale, and write nothing")
    parser.add_argument(
        "folders", type=Path, nargs="+", help="results/RUN and docs/records; the latter to check"
    )
    chosen = parser.parse_args(arguments)
    if len(chosen.folders) != (1 if chosen.check else 2):
        parser.error("name results/RUN and the folder of records; with --check the latter alone")
    try:
        if chosen.check:
            found = stale(*chosen.folders)
            print("\n".join(found) or "All records are of today's configurations.")
            return int(bool(found))
        print(f"{len(write(*chosen.folders))} records written to {chosen.folders[1]}")
    except E2EError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
