"""The small model and the ntuple of tests/deploy, and a cmsRun made of Python."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import uproot

from e2e.data import parquet, store
from e2e.data.convert import convert
from e2e.deploy.cmssw import Cost
from e2e.deploy.runtime import run, session
from e2e.models.saved import load
from e2e.tasks.electron_photon import TASK

_spec = importlib.util.spec_from_file_location("deploy", Path(__file__).parents[1] / "deploy" / "conftest.py")
_deploy = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_deploy)
trained, model, ntuple, samples = _deploy.trained, _deploy.model, _deploy.ntuple, _deploy.samples


@pytest.fixture(scope="session")
def reference(trained, samples, tmp_path_factory) -> Path:
    """The scores table that evaluation writes."""
    with torch.no_grad():
        logit = load(trained)[0](torch.from_numpy(samples.images()))
    path = tmp_path_factory.mktemp("reference") / "scores.parquet"
    table = samples.identity().assign(
        target=samples.target, score=torch.sigmoid(logit).numpy(), logit=logit.numpy()
    )
    parquet.write_table(path, table)
    return path


class PythonCmsRun:
    """Takes cmsRun's arguments, scores the ntuple, writes the files that cmsRun writes.

    It takes 1 s to start, ``per_object_s`` for an object, less with more threads: its cost is known.
    """

    start_s, per_object_s = 1.0, 0.002

    def __init__(self):
        self.calls = []
        self.objects = {}  # of each file, with their scores: nobody times this

    def __call__(self, arguments, log):
        options = dict(argument.split("=", 1) for argument in arguments)
        self.calls.append(options)
        source, events = Path(options["inputFiles"].removeprefix("file:")), int(options["maxEvents"])
        if source not in self.objects:
            self.objects[source] = self.table(source, options["model"], log.with_suffix(".parquet"))
        table = {name: v[self.objects[source]["event"] <= events] for name, v in self.objects[source].items()}
        with uproot.recreate(options["outputFile"]) as file:
            tree = file.mktree("e2eScoreWriter/scores", {name: v.dtype for name, v in table.items()})
            tree.extend(self.written(table))
        milliseconds = 1e3 * self.per_object_s * len(table["event"])
        modules = [
            {"label": label, "type": kind, "events": events, "time_real": part, "time_thread": part}
            for label, kind, part in (
                ("source", "RHTreeSource", 0.2 * milliseconds),
                ("e2eTagger", "E2ETagger", 0.7 * milliseconds),
                ("e2eScoreWriter", "E2EScoreWriter", 0.1 * milliseconds),
            )
        ]
        Path(options["timing"]).write_text(json.dumps({"modules": modules, "total": {"events": events}}))
        seconds = self.per_object_s * len(table["event"]) / int(options["numberOfThreads"])
        return Cost(self.start_s + seconds, 300_000_000)

    def table(self, source, model, scratch):
        convert(TASK, source, scratch, progress=False)
        objects = store.read(scratch)
        identity = {name: getattr(objects, name) for name in ("run", "lumi", "event", "object")}
        return {
            "file": np.zeros(len(objects), np.uint32),
            **identity,
            **run(session(model), objects.images()),
        }

    def written(self, table):
        return table


@pytest.fixture(scope="session")
def python_cmsrun() -> type[PythonCmsRun]:
    return PythonCmsRun
