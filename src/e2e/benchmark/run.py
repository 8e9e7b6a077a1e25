"""What inference costs: cmsRun, a bare ONNX Runtime loop, a session per event and the training's framework.

docs/benchmark.md says what each number means.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from e2e.benchmark.inputs import Batch, prepare
from e2e.benchmark.machine import machine
from e2e.benchmark.methods import BARE, CMSRUN, PER_EVENT, CmsRun, in_cmsrun, in_python, without_device
from e2e.benchmark.statistics import band, line, percentiles
from e2e.data.scores import read_scores
from e2e.deploy.contract import Contract, load_contract
from e2e.deploy.providers import CPU, PROVIDERS, Provider
from e2e.deploy.runtime import session
from e2e.errors import E2EError
from e2e.files import sha256, temporary_folder, whole, whole_folder, write_json
from e2e.plots import style
from e2e.plots.benchmark import draw
from e2e.version import git_revision

THREADS_BATCH = 8  # threads are compared at the batch size nearest to this
NEAR_TIES = 0.05  # part of the calls' objects, which are few and repeated, that near-ties may make


@dataclass
class Point:
    """One method on one provider at one batch size and number of threads, and what was measured there."""

    method: str
    provider: str
    threads: int
    batch: Batch
    contract: Contract
    measure: Callable[[], dict[str, Any]]
    unavailable: str | None
    measurements: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None

    def repeat(self) -> None:
        """Measure once more, unless there is no device or it failed before."""
        if self.unavailable or self.failure:
            return
        try:
            measurement = self.measure()
            output, values = self.contract.outputs[0], measurement.pop("values")
            difference = output.difference(values, self.batch.values[: len(values)])
            wrong = np.mean(~(difference <= output.tolerance))
            if wrong > (NEAR_TIES if self.contract.near_ties else 0):
                raise E2EError(f"its {output.name} differs from the reference by {difference.max():.3g}")
            self.measurements.append({**measurement, "max_diff": float(difference.max())})
        except E2EError as error:
            self.failure = str(error)

    def summary(self) -> dict[str, Any]:
        """The point as it stands in the record: its setting, its status, and its numbers if it has any."""
        setting = {
            "method": self.method,
            "provider": self.provider,
            "threads": self.threads,
            "batch": self.batch.size,
        }
        if self.unavailable:
            return {**setting, "status": "no device", "reason": self.unavailable}
        if self.failure:
            return {**setting, "status": "failed", "reason": self.failure}
        try:
            throughput = self._cmsrun() if self.method == CMSRUN else self._python()
        except E2EError as error:
            return {**setting, "status": "failed", "reason": str(error)}
        return {
            **setting,
            "status": "ok",
            "repeats": len(self.measurements),
            "call_ms": band(self._calls()),
            "peak_rss_bytes": max(self._each("peak_rss_bytes")),
            "max_diff": max(self._each("max_diff")),
            **throughput,
        }

    def _python(self) -> dict[str, Any]:
        names = ("objects_per_s", "load_ms", "first_ms")
        return {
            **{name: band(self._each(name)) for name in names},
            "call_percentiles_ms": percentiles(self._calls()),
        }

    def _cmsrun(self) -> dict[str, Any]:
        """Throughput by a line through the wall times of all runs; the time of each module in an event."""
        walls = [wall for runs in self._each("walls_s") for wall in runs.items()]
        seconds, error, start = line(*zip(*walls, strict=True))
        many = max(events for events, _ in walls)
        if not seconds > error:
            few = min(events for events, _ in walls)
            raise E2EError(
                f"{few} and {many} events take the same time ({seconds * 1e3:.2g} +- {error * 1e3:.2g} ms an "
                "event): raise benchmark.events, and let nothing else run on the machine"
            )
        labels = self.measurements[0]["modules_ms"]
        return {
            "objects_per_s": band([self.batch.size * n / (wall - start) for n, wall in walls if n == many]),
            "events": many,
            "events_per_s": {"value": 1 / seconds, "error": error / seconds**2},
            "start_s": start,
            "modules_ms": {
                label: float(np.median([times[label] for times in self._each("modules_ms")]))
                for label in labels
            },
        }

    def samples(self) -> Iterator[dict[str, Any]]:
        """The raw samples, one row each."""
        setting = {name: getattr(self, name) for name in ("method", "provider", "threads")}
        for repeat, measurement in enumerate(self.measurements):
            row = {**setting, "batch": self.batch.size, "repeat": repeat}
            for value in measurement["calls_ms"]:
                yield {**row, "quantity": "call_ms", "value": value}
            for name in ("objects_per_s", "peak_rss_bytes", "load_ms", "first_ms"):
                if name in measurement:
                    yield {**row, "quantity": name, "value": float(measurement[name])}
            for events, wall in measurement.get("walls_s", {}).items():
                yield {**row, "quantity": f"wall_s of {events} events", "value": wall}

    def _each(self, name: str) -> list[Any]:
        return [measurement[name] for measurement in self.measurements]

    def _calls(self) -> np.ndarray:
        return np.concatenate(self._each("calls_ms"))


def benchmark(
    model_pt: str | Path,
    model_onnx: str | Path,
    ntuples: Mapping[str | Path, str],
    reference: str | Path,
    cmsrun: CmsRun,
    settings: Mapping[str, Any],
    record: str | Path,
    samples: str | Path,
    figures: str | Path,
    own_columns: bool = False,
) -> dict[str, Any]:
    """Measure a model by every method; write record (JSON), raw samples (parquet) and a folder of figures.

    ``reference`` is the scores table of the test objects: inputs are made from their events in
    ``ntuples``, which are files by name with their samples, and all timed scores (masses of a regression)
    are compared with it.
    ``cmsrun(arguments, log)`` runs cmsRun on the packages' configuration. ``settings`` holds
    ``batch_sizes`` (objects an event), ``threads`` (of cmsRun), ``repeats`` and ``events`` (the most that
    Python is timed on in a repeat; cmsRun takes up to ten times as many). ``own_columns``: see ``convert``.

    A point that fails is recorded with its reason, and so is a provider without a device.

    Raises:
        E2EError: the model, the reference or the ntuples cannot be used; nothing is written.
    """
    contract = load_contract(model_onnx)
    table = read_scores(reference, [output.name for output in contract.outputs])
    with temporary_folder() as folder:
        sizes, calls = settings["batch_sizes"], settings["events"]
        batches = prepare(contract, ntuples, table, sizes, calls, folder, own_columns)
        points = list(
            _points(Path(model_pt), Path(model_onnx), contract, cmsrun, settings["threads"], batches, folder)
        )
        for repeat in range(settings["repeats"]):
            print(f"benchmark: repeat {repeat + 1} of {settings['repeats']}", file=sys.stderr, flush=True)
            for point in points:  # methods take turns, so that what disturbs the machine disturbs them all
                point.repeat()

    origin = contract.training_data["origin"]
    content = {
        "format": 1,
        "task": contract.task.name,
        "model": contract.model,
        "model_sha256": contract.sha256,
        "reference_sha256": sha256(reference),
        "origin": origin,
        "git_revision": git_revision(),
        "machine": machine(),
        "settings": dict(settings),
        "points": [point.summary() for point in points],
    }
    with whole_folder(figures) as drawn, whole(samples) as raw:
        processor = content["machine"]["cpu"]["model"]
        draw(content["points"], style.events(origin), contract.model, processor, drawn)
        columns = ["method", "provider", "threads", "batch", "repeat", "quantity", "value"]
        pd.DataFrame([row for point in points for row in point.samples()], columns=columns).to_parquet(raw)
        write_json(record, content)
    return content


def _points(
    model_pt: Path,
    model_onnx: Path,
    contract: Contract,
    cmsrun: CmsRun,
    threads: Sequence[int],
    batches: list[Batch],
    folder: Path,
) -> Iterator[Point]:
    """All points: each method at every batch size with one thread, and cmsRun with more at one batch size."""
    threads_batch = min(batches, key=lambda batch: abs(batch.size - THREADS_BATCH))
    models = {BARE: model_onnx, PER_EVENT: model_onnx, contract.trained_with: model_pt}
    for provider in PROVIDERS.values():
        unavailable = _unavailable(model_onnx, provider)
        for batch in batches:
            for count in sorted({1, *threads}) if batch is threads_batch else (1,):
                measure = partial(in_cmsrun, cmsrun, model_onnx, provider, count, batch, folder)
                yield Point(CMSRUN, provider.name, count, batch, contract, measure, unavailable)
            for method, model in models.items():
                measure = partial(in_python, method, model, provider, batch, folder)
                absent = without_device(method, provider) or unavailable
                yield Point(method, provider.name, 1, batch, contract, measure, absent)


def _unavailable(model_onnx: Path, provider: Provider) -> str | None:
    """Why a session cannot run on a provider here, or None; a CPU is always there."""
    if provider is CPU:
        return None
    try:
        session(model_onnx, provider)
    except E2EError as error:
        return str(error)
    return None
