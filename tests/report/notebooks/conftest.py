"""Results as the workflow leaves them: a store, its split, and two models and a reference that guess."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from e2e.data import store
from e2e.data.scores import write_scores
from e2e.data.split import write_split
from e2e.data.store import Metadata, Samples
from e2e.data.stream import Stream
from e2e.files import write_json
from e2e.learning import regression, working_points
from e2e.learning.classification import curves, measure, sigmoid
from e2e.report import style
from e2e.tasks import Task, task

OBJECTS = 300
MODELS = {"good": 1.0, "bad": 5.0}  # spread of their answers about the truth


@pytest.fixture(scope="session")
def results_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """Function (task, in_cmsrun) -> folder of results of the models ``good`` and ``bad``."""
    made = {}

    def make(name: str, in_cmsrun: bool = False) -> Path:
        if (name, in_cmsrun) not in made:
            folder = tmp_path_factory.mktemp("work") / "results/toy" / name
            made[name, in_cmsrun] = write_results(folder, task(name), in_cmsrun)
        return made[name, in_cmsrun]

    return make


def write_results(folder: Path, task: Task, in_cmsrun: bool) -> Path:
    objects = write_store(folder, task)
    generator = np.random.default_rng(2)
    for model, spread in {**MODELS, "bdt": 2.0}.items():
        write_model(folder / model, task, objects, generator.normal(0, spread, len(objects)))
        history = {"epoch": [1, 2, 3], "training_loss": [0.7, 0.5, 0.4], "validation_loss": [0.7, 0.5, 0.6]}
        history["validation_auc" if task.classes else "validation_mae"] = [0.5, 0.6, 0.6]
        pd.DataFrame(history).to_csv(folder / model / "history.csv", index=False)
        write_json(folder / model / "training_time.json", {"wall_s": 90.4})
        if in_cmsrun:
            write_cmsrun(folder / model, task)
    return folder


def write_store(folder: Path, task: Task) -> pd.DataFrame:
    """Objects with a hit in each of some cells; returns those of the test part."""
    generator = np.random.default_rng(1)
    hits = np.sort(generator.choice(np.prod(task.shape), (OBJECTS, 50), replace=True), axis=1)
    hits = [np.unique(row) for row in hits]
    classes = generator.integers(2, size=OBJECTS) if task.classes else generator.uniform(4, 10, OBJECTS)
    columns = {quantity.name: generator.uniform(0, 1, OBJECTS) for quantity in task.kinematics}
    if task.kinds:  # those of taus
        others = generator.choice([1, 21, 11, 13], OBJECTS)
        columns["gen_pdgId"] = np.where(classes == 1, 15, others).astype(float)
        columns["gen_Prongs"] = classes * generator.choice([1.0, 3.0], OBJECTS)
        columns["gen_Pi0s"] = classes * generator.integers(2, size=OBJECTS)
    samples = Samples(
        sample=np.full(OBJECTS, "toy"),
        run=np.ones(OBJECTS, np.uint32),
        lumi=np.ones(OBJECTS, np.uint32),
        event=np.arange(OBJECTS, dtype=np.uint64) + 1,
        object=np.zeros(OBJECTS, np.uint32),
        target=classes.astype(np.float32),
        kinematics={name: column.astype(np.float32) for name, column in columns.items()},
        offsets=np.concatenate([[0], np.cumsum([len(row) for row in hits])]),
        index=np.concatenate(hits).astype(np.uint32),
        value=generator.exponential(1, sum(map(len, hits))).astype(np.float32),
        channels=task.channels,
        classes=task.classes,
        shape=task.shape,
    )
    metadata = Metadata(
        task=task.name,
        sample="toy",
        channels=task.channels,
        rows=task.crop.rows,
        columns=task.crop.columns,
        kinematics=task.kinematics,
        classes=task.classes,
        source="toy.root",
        source_sha256="0" * 64,
        origin="e2e simulation",
        rejected={},
    )
    path = folder / "store/toy_000.parquet"
    store.write(path, [samples], metadata)
    write_split([path], folder / "split.parquet", folder / "split.json")
    return Stream([path], folder / "split.parquet", "test").objects


def write_model(folder: Path, task: Task, objects: pd.DataFrame, noise: np.ndarray) -> None:
    target = objects["target"].to_numpy()
    about = {
        "model": "resnet" if task.classes else "cnn",
        "seed": 1,
        "parameters": 1234,
        "objects": {"train": OBJECTS - len(objects), "test": len(objects)},
    }
    if folder.name == "bdt":
        about = {"others": {}}
    if task.classes:
        logit = (2 * target - 1 + noise).astype(np.float32)
        weight = np.ones(len(objects), np.float32)
        write_scores(folder / "scores.parquet", objects, score=sigmoid(logit), logit=logit, weight=weight)
        metrics = measure(objects, logit, np.abs(noise), weight)
        drawn = {"resnet": logit, task.reference: logit, "transverse energy": np.abs(noise)}
        metrics["roc"] = curves(objects, drawn, weight)
        if task.working_points:
            part = SimpleNamespace(objects=objects, target=target, weight=weight)
            metrics["working_points"] = working_points.measure(task, part, logit, part, logit)
            metrics["tracks_found"] = working_points.tracks_found(task, objects, np.ones(len(target), int))
    else:
        mass = (target * np.exp(noise / 20)).astype(np.float32)
        mean = {"mean": np.full(len(mass), 7, np.float32)} if folder.name == "bdt" else {}
        write_scores(folder / "scores.parquet", objects, mass=mass, **mean)
        metrics = regression.measure(objects, mass)
        if mean:
            about["others"] = {name: regression.measure(objects, each) for name, each in mean.items()}
    write_json(folder / "metrics.json", {**about, **metrics})
    drawing, _ = style.figure()
    style.save(drawing, folder / "figures/attribution.png")


def write_cmsrun(folder: Path, task: Task) -> None:
    name = "score" if task.classes else "mass"
    pairs = {pair: {name: {"max": largest}} for pair, largest in (("a - b", 1e-7), ("a - c", 3e-6))}
    write_json(folder / "model.json", {"sha256": "0"})
    record = {
        "model_sha256": "0",
        "n_objects": 60,
        "tolerances": {name: 1e-4},
        "pairs": pairs,
        "near_ties": [{}],
    }
    write_json(folder / "agreement.json", record)
    point = {"method": "cmsRun", "provider": "CPU", "threads": 1, "status": "ok", "peak_rss_bytes": 3e8}
    points = [
        point
        | {
            "batch": batch,
            "call_ms": {"median": 2.0 * batch, "p16": 1.9 * batch, "p84": 2.2 * batch},
            "objects_per_s": {"median": 400.0 + batch, "p16": 390.0, "p84": 420.0},
        }
        for batch in (1, 8)
    ]
    others = [point | {"threads": 2}, point | {"status": "failed"}, point | {"method": "PyTorch"}]
    machine = {"cpu": {"model": "a processor"}}
    write_json(folder / "benchmark/benchmark.json", {"machine": machine, "points": points + others})
