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

from e2e.benchmark.accuracy import largest_difference
from e2e.benchmark.inputs import Batch, prepare
from e2e.benchmark.machine import lasting, machine
from e2e.benchmark.methods import BARE, CMSRUN, PER_EVENT, CmsRun, in_cmsrun, in_python, without_device
from e2e.benchmark.records import Records
from e2e.benchmark.statistics import band, line, percentiles
from e2e.data.scores import read_scores
from e2e.deploy.contract import Contract, load_contract
from e2e.deploy.providers import CPU, PROVIDERS, Provider
from e2e.deploy.runtime import session
from e2e.errors import E2EError
from e2e.files import sha256, temporary_folder, whole, write_json
from e2e.version import git_revision

THREADS_BATCH = 8  # threads are compared at the batch size nearest to this


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

    @property
    def setting(self) -> dict[str, Any]:
        """What sets this point apart from the others of a record."""
        return {
            "method": self.method,
            "provider": self.provider,
            "threads": self.threads,
            "batch": self.batch.size,
        }

    @property
    def name(self) -> str:
        """The setting in one word."""
        return "_".join(map(str, self.setting.values()))

    def repeat(self) -> None:
        """Measure once more, unless there is no device or it failed before."""
        if self.unavailable or self.failure:
            return
        try:
            measurement = self.measure()
            values = measurement.pop("values")
            max_diff = largest_difference(self.contract, values, self.batch.values[: len(values)])
            self.measurements.append({**measurement, "max_diff": max_diff})
        except E2EError as error:
            self.failure = str(error)

    def summary(self) -> dict[str, Any]:
        """The point as it stands in the record: its setting, its status, and its numbers if it has any."""
        setting = self.setting
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
        walls = [wall for runs in self._each("walls_s") for wall in runs]
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
        for repeat, measurement in enumerate(self.measurements):
            row = {**self.setting, "repeat": repeat}
            for value in measurement["calls_ms"]:
                yield {**row, "quantity": "call_ms", "value": value}
            for name in ("objects_per_s", "peak_rss_bytes", "load_ms", "first_ms"):
                if name in measurement:
                    yield {**row, "quantity": name, "value": float(measurement[name])}
            for events, wall in measurement.get("walls_s", ()):
                yield {**row, "quantity": f"wall_s of {events} events", "value": wall}

    def _each(self, name: str) -> list[Any]:
        return [measurement[name] for measurement in self.measurements]

    def _calls(self) -> np.ndarray:
        return np.concatenate(self._each("calls_ms"))


@dataclass(frozen=True)
class Subject:
    """What is measured: a model as it was trained and as it was exported, and objects for it.

    ``reference`` is the scores table of its test objects, whose events are in ``ntuples``: files by name with
    their samples. ``own_columns``: see ``convert``.
    """

    model_pt: str | Path
    model_onnx: str | Path
    ntuples: Mapping[str | Path, str]
    reference: str | Path
    own_columns: bool = False


@dataclass(frozen=True)
class Outputs:
    """What a benchmark writes: ``record`` (JSON) and raw ``samples`` (parquet).

    ``points`` is a folder that is there while the benchmark is under way.
    """

    record: str | Path
    samples: str | Path
    points: str | Path


def benchmark(
    subject: Subject, cmsrun: CmsRun, settings: Mapping[str, Any], outputs: Outputs, code: str = ""
) -> dict[str, Any]:
    """Measure a model by every method, and write ``outputs``; returns the record.

    All timed scores (masses of a regression) are compared with the reference. ``cmsrun(arguments, log)`` runs
    cmsRun on the packages' configuration. ``settings`` holds ``batch_sizes`` (objects an event), ``threads``
    (of cmsRun), ``repeats`` and ``events`` (the most that Python is timed on in a repeat; cmsRun takes up to
    ten times as many).

    Each point's record is written as it grows: after a kill, the same call measures what is missing. A point
    measured with other ``code`` (any text that changes with library and area), model, objects, machine or
    settings is measured anew. A point that fails is recorded with its reason, and so is a provider without a
    device.

    Raises:
        E2EError: the model, the reference or the ntuples cannot be used; nothing is written.
    """
    contract = load_contract(subject.model_onnx)
    table = read_scores(subject.reference, [number.name for number in contract.numbers])
    with temporary_folder() as folder:
        sizes, calls = settings["batch_sizes"], settings["events"]
        batches = prepare(contract, subject.ntuples, table, sizes, calls, folder, subject.own_columns)
        points = list(_points(subject, contract, cmsrun, settings["threads"], batches, folder))
        measured_with = {
            "code": code,
            "model_sha256": [contract.sha256, sha256(subject.model_pt)],
            "reference_sha256": sha256(subject.reference),
            "frames_sha256": [sha256(path) for batch in batches for path in batch.inputs],
            "machine": lasting(machine()),
            "settings": dict(settings),
        }
        records = Records(Path(outputs.points), measured_with)
        _measure(points, settings["repeats"], records)

    content = {
        "format": 1,
        "task": contract.task.name,
        "model": contract.model,
        "model_sha256": contract.sha256,
        "reference_sha256": sha256(subject.reference),
        "origin": contract.training_data["origin"],
        "git_revision": git_revision(),
        "machine": machine(),
        "settings": dict(settings),
        "points": [point.summary() for point in points],
    }
    with whole(outputs.samples) as raw:
        columns = ["method", "provider", "threads", "batch", "repeat", "quantity", "value"]
        pd.DataFrame([row for point in points for row in point.samples()], columns=columns).to_parquet(raw)
        write_json(outputs.record, content)
    records.remove()
    return content


def _measure(points: Sequence[Point], repeats: int, records: Records) -> None:
    """Measure all points ``repeats`` times, but for what ``records`` has of an earlier run that was ended."""
    for point in points:
        if kept := records.read(point.name):
            point.measurements += kept["measurements"]
    if done := sum(len(point.measurements) for point in points):
        _say(f"{done} measurements are kept from a run that was ended")
    for repeat in range(repeats):
        _say(f"repeat {repeat + 1} of {repeats}")
        for point in points:  # methods take turns, so that what disturbs the machine disturbs them all
            if len(point.measurements) > repeat:
                continue
            point.repeat()
            if len(point.measurements) > repeat:
                records.write(point.name, {**point.setting, "measurements": point.measurements})


def _say(what: str) -> None:
    print(f"benchmark: {what}", file=sys.stderr, flush=True)


def _points(
    subject: Subject,
    contract: Contract,
    cmsrun: CmsRun,
    threads: Sequence[int],
    batches: list[Batch],
    folder: Path,
) -> Iterator[Point]:
    """All points: each method at every batch size with one thread, and cmsRun with more at one batch size."""
    threads_batch = min(batches, key=lambda batch: abs(batch.size - THREADS_BATCH))
    model_pt, model_onnx = Path(subject.model_pt), Path(subject.model_onnx)
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
