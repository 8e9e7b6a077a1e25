"""The results that the workflow has left of a task, in one place.

results = Results("results/demo/tau")
results.models, results.metrics("particlenet"), results.part("test").objects
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from e2e import tasks
from e2e.benchmark.methods import CMSRUN
from e2e.data import parquet, store
from e2e.data.split import PARTS, REMEDY
from e2e.data.store import Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import read_csv, read_json
from e2e.learning.measures import measures
from e2e.tasks import Task

BDT = "bdt"  # folder of the reference
BLOCK = 32  # objects that are read together: neighbours in a file


def latest(results: Path, task: str) -> Path:
    """The folder results/<run>/<task> whose models were measured last.

    Raises E2EError where no run has measured a model of the task.
    """
    found = [path for path in results.glob(f"*/{task}/*/metrics.json") if path.parent.name != BDT]
    if not found:
        raise E2EError(f"{results}/*/{task}: no run has results of a model; make them with `make demo`")
    return max(found, key=lambda path: path.stat().st_mtime).parents[1]


class Results:
    """What lies in ``folder``, results/<run>/<task>, of these ``models`` (default: of all that have metrics).

    ``run`` is the name of the run, ``task`` is the task with the channels of the stores, ``stores`` are its
    files, ``origin`` tells where their events come from. Raises E2EError where the folder has none.
    """

    def __init__(self, folder: str | Path, models: Sequence[str] | None = None):
        self.folder = Path(folder)
        self.run = self.folder.absolute().parent.name
        split = self.folder / "split.parquet"
        files = parquet.read_table(split, REMEDY, ["file"])["file"].unique() if split.exists() else []
        self.stores = [self.folder / "store" / name for name in files]
        found = sorted(path.parent.name for path in self.folder.glob("*/metrics.json"))
        self.models = [name for name in found if name != BDT] if models is None else list(models)
        if not (self.stores and self.models):
            raise E2EError(
                f"{self.folder}: holds no results of a model; make them with `make demo`, or "
                f"`snakemake --cores all {self.folder}/notebook.html`"
            )
        metadata = store.read_metadata(self.stores[0])
        self.task: Task = tasks.task(metadata.task, len(metadata.channels))
        self.origin = metadata.origin
        self.part = cache(self._part)
        self.metrics = cache(self._metrics)

    def _part(self, name: str) -> Stream:
        """The objects with truth of one part of the split."""
        return Stream(self.stores, self.folder / "split.parquet", name)

    def _metrics(self, model: str) -> dict[str, Any]:
        """metrics.json of a model or, as ``BDT``, of the reference."""
        return read_json(self.folder / model / "metrics.json")

    def examples(self, objects: int = 2000) -> Samples:
        """About so many objects of the training part with their hits, from all over the files."""
        training = self.part("train")
        blocks = min(-(-objects // BLOCK), -(-len(training) // BLOCK))
        first = np.linspace(0, max(len(training) - BLOCK, 0), blocks).astype(int)
        positions = np.unique(first[:, None] + np.arange(BLOCK))
        return training.samples(positions[positions < len(training)])

    def split(self) -> pd.DataFrame:
        """Events and objects by class in each part."""
        return pd.DataFrame(read_json(self.folder / "split.json")["parts"]).T.loc[list(PARTS)]

    def shared_events(self) -> int:
        """Events with objects in more than one part, which must be none."""
        return read_json(self.folder / "split.json")["events_in_several_parts"]

    def histories(self) -> dict[str, pd.DataFrame]:
        """Of each model: a row an epoch of its training."""
        return {model: read_csv(self.folder / model / "history.csv", ["epoch"]) for model in self.models}

    def predictions(self) -> dict[str, NDArray[np.float64]]:
        """Logits, or masses in GeV, of the objects of the test part by each model and each reference."""
        known, test = measures(self.task), self.part("test").objects
        scores = {model: self.folder / model / "scores.parquet" for model in self.models}
        return {
            **{model: known.read(path, test) for model, path in scores.items()},
            **known.references(self.folder / BDT / "scores.parquet", test),
        }

    def roc(self, of: str | None = None) -> dict[str, Any]:
        """ROC curves of the models and of what they are compared with, as ``classification.curves``.

        Of more than two classes, those of the class ``of`` against all others; raises E2EError without it.
        """
        ours, others, record = {}, {}, {}
        for model in self.models:
            metrics = self.metrics(model)
            if each := metrics.get("classes"):
                if of not in each:
                    raise E2EError(
                        f"{self.folder}: a curve is of one class, roc(of); choose {', '.join(each)}"
                    )
                record = each[of]["roc"]
            else:
                record = metrics["roc"]
            others = dict(record["curves"])
            ours[model] = others.pop(metrics["model"])
        return record | {"curves": ours | others}

    def compare(self, one: NDArray, other: NDArray) -> dict[str, Any]:
        """Difference of two ``predictions`` in the AUC, or the mean absolute error, by a paired bootstrap."""
        test = self.part("test")
        return measures(self.task).compare(test.objects, one, other, test.weight)

    def training_seconds(self) -> dict[str, float]:
        """Wall time of the training of each model."""
        files = {model: self.folder / model / "training_time.json" for model in self.models}
        return {model: read_json(file)["wall_s"] for model, file in files.items()}

    @property
    def in_cmsrun(self) -> bool:
        """Whether these very models were run in cmsRun, which reads ntuples but not files of images."""
        records = [self.folder / model / "agreement.json" for model in self.models]
        return all(
            record.exists()
            and read_json(record)["model_sha256"] == read_json(record.with_name("model.json"))["sha256"]
            for record in records
        )

    def agreement(self, model: str) -> dict[str, Any]:
        """agreement.json of a model: how far PyTorch, ONNX Runtime and cmsRun are apart."""
        return read_json(self.folder / model / "agreement.json")

    def machine(self) -> str:
        """The processors on which the models were measured in cmsRun."""
        records = [read_json(self.folder / model / "benchmark/benchmark.json") for model in self.models]
        return ", ".join(sorted({record["machine"]["cpu"]["model"] for record in records}))

    def timings(self, model: str) -> list[dict[str, Any]]:
        """The points of benchmark.json that were measured in cmsRun with one thread."""
        points = read_json(self.folder / model / "benchmark/benchmark.json")["points"]
        wanted = (CMSRUN, 1, "ok")
        return [point for point in points if (point["method"], point["threads"], point["status"]) == wanted]
