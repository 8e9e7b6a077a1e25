"""Methods of running a model, which are compared: each function makes one measurement on one batch.

A measurement has ``calls_ms`` (the time of each call; for cmsRun the mean time of the tagger in an
event), ``peak_rss_bytes``, ``values`` [events, objects] of the model's first output, and what only
this method has: ``objects_per_s`` and the times to load and of the first call in Python, the wall time of
each run and the time of each module in an event in cmsRun.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2e.benchmark.inputs import Batch
from e2e.benchmark.statistics import line
from e2e.benchmark.worker import METHODS
from e2e.deploy.agreement import read_tree
from e2e.deploy.cmssw import Cost
from e2e.deploy.providers import CPU, Provider
from e2e.errors import E2EError
from e2e.files import read_json

# Runs cmsRun on the packages' configuration with these arguments; its output goes to the log.
CmsRun = Callable[[Sequence[str], Path], Cost]

CMSRUN = "cmsRun"
BARE, PER_EVENT, PYTORCH, KERAS = METHODS

# Making a session takes as long as many calls: enough for a median, no more.
SESSION_CALLS = 8


def without_device(method: str, provider: Provider) -> str | None:
    """Why a method has no device of a provider on any machine, or None."""
    if method == KERAS and provider is not CPU:
        return "Keras runs on the CPU alone here (e2e.models.tensorflow)"
    if method == PYTORCH and provider.torch is None:
        return f"PyTorch has no device of {provider.name}"
    return None


def in_python(method: str, model: Path, provider: Provider, batch: Batch, folder: Path) -> dict[str, Any]:
    """A loop over the batches in a fresh Python process; raises E2EError where that process fails."""
    calls = min(SESSION_CALLS, batch.calls) if method == PER_EVENT else batch.calls
    request = {
        "method": method,
        "model": str(model),
        "provider": provider.name,
        "frames": str(batch.frames),
        "scalars": batch.scalars and str(batch.scalars),
        "calls": calls,
        "values": str(folder / "values.npy"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "e2e.benchmark.worker", json.dumps(request)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise E2EError(f"{method} ended with code {done.returncode}: {''.join(last) or 'no message'}")
    answer = json.loads(done.stdout)
    seconds, _, _ = line(np.arange(1, calls + 1) * batch.size, np.cumsum(answer["calls_ms"]) / 1e3)
    return {**answer, "objects_per_s": 1 / seconds, "values": np.load(request["values"])}


def in_cmsrun(
    cmsrun: CmsRun, model: Path, provider: Provider, threads: int, batch: Batch, folder: Path
) -> dict[str, Any]:
    """Two runs of cmsRun, over a part of the events and over all of them; raises E2EError where it fails.

    The difference between the two is free of the time to start, to load the model and to warm up.
    """
    scores, timing = folder / "scores.root", folder / "timing.json"
    walls, module_times = {}, {}
    few, many = batch.events // 5, batch.events
    for events in (few, many):
        cost = cmsrun(
            [
                f"inputFiles=file:{batch.ntuple}",
                f"model={model.absolute()}",
                provider.parameter,
                f"outputFile={scores}",
                f"timing={timing}",
                f"maxEvents={events}",
                f"numberOfThreads={threads}",
            ],
            folder / "cmsRun.log",
        )
        walls[events] = cost.wall_s
        module_times[events] = {m["label"]: m["time_real"] for m in read_json(timing)["modules"]}

    modules_ms = {
        label: (time - module_times[few][label]) / (many - few) for label, time in module_times[many].items()
    }
    table = read_tree(scores).sort_values(["event", "object"])
    if len(table) != batch.values.size:
        raise E2EError(f"cmsRun scored {len(table)} of {batch.values.size} objects")
    return {
        "calls_ms": [modules_ms["e2eTagger"]],
        "modules_ms": modules_ms,
        "walls_s": [list(wall) for wall in walls.items()],
        "peak_rss_bytes": cost.peak_rss_bytes,
        "values": table[batch.output].to_numpy().reshape(batch.values.shape),
    }
