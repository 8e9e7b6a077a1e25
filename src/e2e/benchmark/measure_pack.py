"""`python -m e2e.benchmark.measure_pack PART PACK RECORDS`: a record a point of a pack; called by gpu.sh.

The parts, from the one that tells most: ``sessions`` (ONNX Runtime alone, every model at each batch size),
``training`` (objects/s of every network of PyTorch), ``cmsrun`` (one model a task), and ``loader`` (against
the network that it feeds). The first two need NumPy, ONNX Runtime and PyTorch alone. A record that is in
RECORDS and was measured with the same code, pack and machine is left as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from e2e.benchmark.accuracy import largest_difference
from e2e.benchmark.machine import lasting, machine
from e2e.benchmark.records import Records
from e2e.benchmark.statistics import band, percentiles
from e2e.benchmark.worker import WARM_UP, timed
from e2e.deploy.contract import Contract, first, load_contract
from e2e.deploy.providers import CPU, PROVIDERS, Provider, named, torch_device
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError, Stopped, of_the_machine, stoppable
from e2e.files import read_json, sha256
from e2e.version import git_revision

BATCHES = (1, 8, 64, 512)
SECONDS = 2.0  # of calls, or of steps, at each point
MOST_CALLS, LEAST_CALLS = 200, 3
REPEATS = 5  # of training and loader, each a part of SECONDS
LOADER_JETS = 512
CMSRUN_BATCH, CMSRUN_CALLS = 8, 50  # objects an event; cmsRun has ten times as many events
CMSRUN_REPEATS = 3
HOST = "standalone"
REPOSITORY = Path(__file__).resolve().parents[3]

Point = tuple[str, Callable[[], dict[str, Any]]]  # name of a record, and what measures it


@dataclass(frozen=True)
class Packed:
    """A model of a pack (e2e.benchmark.pack), its task's frames, and what it has to give for them."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}_{self.folder.name}"

    @property
    def onnx(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def setting(self) -> dict[str, str]:
        return {"task": self.folder.parent.name, "model": self.folder.name}

    def contract(self) -> Contract:
        return load_contract(self.onnx)

    def expected(self) -> np.ndarray:
        """First output [N] of the framework of the training for the objects of ``frames``."""
        return np.load(self.folder / "expected.npy")

    def frames(self) -> np.ndarray:
        """Frames float32 [N, C, H, W] of real objects, all different."""
        return _frames(self.folder.parent / "hits.npz")

    def inputs(self) -> list[np.ndarray]:
        """What the model takes of these objects: frames, and the scalars beside them, if there are any."""
        beside = self.folder / "scalars.npy"
        return [self.frames(), *([np.load(beside)] if beside.exists() else [])]


@lru_cache(maxsize=1)  # the models of a task follow each other
def _frames(path: Path) -> np.ndarray:
    with np.load(path) as hits:
        count, index, value, shape = (hits[name] for name in ("count", "index", "value", "shape"))
    frames = np.zeros((len(count), np.prod(shape)), np.float32)
    frames[np.repeat(np.arange(len(count)), count), index] = value
    return frames.reshape(-1, *shape)


def models(pack: Path) -> list[Packed]:
    """The models of a pack, those of one task after another; raises E2EError where there is none."""
    found = [Packed(path.parent) for path in sorted(pack.glob("*/*/model.onnx"))]
    if not found:
        raise E2EError(f"{pack}: no pack of models; make one with `python -m e2e.benchmark.pack`")
    return found


def sessions(pack: Path, provider: Provider, batches: tuple[int, ...] = BATCHES) -> Iterator[Point]:
    """One session of each model, called in a bare loop at each batch size."""
    for model in models(pack):
        for size in batches:
            yield f"session_{model.name}_{size}", partial(_session, model, provider, size)


def _session(model: Packed, provider: Provider, size: int) -> dict[str, Any]:
    contract, inputs, expected = model.contract(), model.inputs(), model.expected()
    opened, load_ms = timed(lambda: session(model.onnx, provider))

    def call(number: int) -> tuple[np.ndarray, np.ndarray, float]:
        rows = np.arange(number * size, (number + 1) * size) % len(expected)
        batch = [values[rows] for values in inputs]
        outputs, milliseconds = timed(lambda: run(opened, *batch))
        return first(next(iter(outputs.values()))), expected[rows], milliseconds

    first_ms, *_ = [call(number)[2] for number in range(WARM_UP)]
    calls, end = [], time.perf_counter() + SECONDS
    while len(calls) < LEAST_CALLS or (len(calls) < MOST_CALLS and time.perf_counter() < end):
        calls.append(call(len(calls)))
    values, wanted, milliseconds = zip(*calls, strict=True)
    return {
        **model.setting,
        "batch": size,
        "model_sha256": contract.sha256,
        "load_ms": load_ms,
        "first_ms": first_ms,
        "call_ms": band(milliseconds),
        "call_percentiles_ms": percentiles(milliseconds),
        "objects_per_s": band(size / np.array(milliseconds) * 1e3),
        "max_diff": largest_difference(contract, np.concatenate(values), np.concatenate(wanted)),
    }


def training(pack: Path, provider: Provider) -> Iterator[Point]:
    """Objects a second in training each network of PyTorch, at the batch size that it was trained with."""
    for model in models(pack):
        if model.contract().trained_with == "PyTorch":
            yield f"training_{model.name}", partial(_training, model, provider)


def _training(model: Packed, provider: Provider) -> dict[str, Any]:
    import torch

    from e2e.benchmark.training import Training
    from e2e.deploy.network import deployed

    device = torch_device(provider)
    wrapped, info = deployed(model.folder / "model.pt")
    objects = slice(info.get("trainer", {}).get("batch_size"))
    frames, *beside = (torch.from_numpy(values)[objects] for values in model.inputs())
    steps = Training(wrapped.network, frames, device, mixed=provider is not CPU, beside=beside)
    _, milliseconds = timed(steps)  # the second step: the first one was taken when it was made
    number = max(1, round(SECONDS / REPEATS * 1e3 / milliseconds))
    rates = [_rate(partial(steps, number)) for _ in range(REPEATS)]
    return {
        **model.setting,
        "batch": len(frames),
        "precision": "float32" if provider is CPU else "bfloat16, mixed",
        "steps": number,
        "objects_per_s": band(rates),
    }


def _rate(work: Callable[[], int]) -> float:
    objects, milliseconds = timed(work)
    return objects / milliseconds * 1e3


def cmsrun(pack: Path, provider: Provider) -> Iterator[Point]:
    """cmsRun on the first model of each task, in the area of E2E_AREA or, built now, the workflow's."""
    from e2e.benchmark import inputs, methods, run
    from e2e.data.scores import read_scores
    from e2e.deploy import cmssw
    from e2e.files import temporary_folder

    found = [model for model in models(pack) if (model.folder / "events.root").exists()]
    area = Path(os.environ.get("E2E_AREA") or REPOSITORY / "results/cmssw" / HOST)
    if "E2E_AREA" not in os.environ:
        log = area.with_name("logs") / f"{HOST}.log"
        cmssw.build(HOST, area, REPOSITORY / "cmssw", {}, os.cpu_count() or 1, log)
    cfg = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"

    def measured(model: Packed) -> dict[str, Any]:
        contract, ntuple = model.contract(), model.folder / "events.root"
        table = read_scores(ntuple.with_suffix(".parquet"), [contract.numbers[0].name])
        with temporary_folder() as folder:
            given = {ntuple: ntuple.stem}
            [batch] = inputs.prepare(contract, given, table, [CMSRUN_BATCH], CMSRUN_CALLS, folder)

            def call() -> dict[str, Any]:
                start = partial(cmssw.run, HOST, area, cfg, settings={})
                return methods.in_cmsrun(start, model.onnx, provider, 1, batch, folder)

            point = run.Point(methods.CMSRUN, provider.name, 1, batch, contract, call, None)
            for _ in range(CMSRUN_REPEATS):
                point.repeat()
        return {**model.setting, "model_sha256": contract.sha256, **point.summary()}

    for model in found:
        yield f"cmsrun_{model.name}", partial(measured, model)


def loader(pack: Path, provider: Provider) -> Iterator[Point]:
    """The training's loader against the network that it feeds, of each task in the pack."""
    from e2e.benchmark import reading
    from e2e.files import temporary_folder

    def measured(task: str) -> dict[str, Any]:
        device = torch_device(provider).type
        with temporary_folder() as folder:
            comparisons = reading.feeding(task, {}, folder, reading.Sizes(jets=LOADER_JETS), device)
            for _ in range(REPEATS):
                for comparison in comparisons:
                    comparison.repeat()
        return {"task": task, "comparisons": [comparison.summary() for comparison in comparisons]}

    for task in dict.fromkeys(model.setting["task"] for model in models(pack)):
        yield f"loader_{task}", partial(measured, task)


PARTS = {"sessions": sessions, "training": training, "cmsrun": cmsrun, "loader": loader}


def measure(part: str, pack: Path, folder: Path, provider: Provider) -> list[Path]:
    """Write the records of a part to ``folder``, each when it is measured; returns the paths of all.

    A point that fails is recorded with its reason, and tried again by the next call. Raises E2EError where
    the pack cannot be used, and ModuleNotFoundError where the part needs a package that is not here.
    """
    points = list(PARTS[part](pack, provider))
    pack_json = pack / "pack.json"
    measured_with = {
        "command": f"python -m e2e.benchmark.measure_pack {part} PACK RECORDS --provider {provider.name}",
        "git_revision": git_revision(),
        "pack": {"git_revision": read_json(pack_json)["git_revision"], "sha256": sha256(pack_json)},
        "machine": lasting(machine()),
    }
    records = Records(folder, measured_with)
    for name, point in points:
        full = f"{provider.name}_{name}"
        if (records.read(full) or {}).get("status") != "ok":
            print(f"{part}: {name}", file=sys.stderr, flush=True)
            content = {"provider": provider.name, "load_average": os.getloadavg()[0], **_outcome(point)}
            records.write(full, content)
    return [records.path(f"{provider.name}_{name}") for name, _ in points]


def _outcome(point: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a point gives, and its status; of whatever goes wrong with it alone, the reason."""
    try:
        return {"status": "ok", **point()}
    except ModuleNotFoundError:
        raise
    except Exception as error:  # of many libraries: no memory on the device, say
        reason = str(error).splitlines()[0] if str(error) else ""
        return {"status": "failed", "reason": f"{type(error).__name__}: {reason}"}


def main() -> int:
    """Measure one part; what it cannot do is said in a line, with 1 where it should have been possible."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("pack", type=Path, metavar="PACK")
    parser.add_argument("records", type=Path, metavar="RECORDS")
    first = next(name for name in PROVIDERS if name != CPU.name)
    parser.add_argument("--provider", default=first, help=f"{', '.join(PROVIDERS)}; default: %(default)s")
    arguments = parser.parse_args()
    try:
        with of_the_machine(), stoppable():
            measure(arguments.part, arguments.pack, arguments.records, named(arguments.provider))
    except Stopped as stopped:
        print(f"{arguments.part}: {stopped}", file=sys.stderr)
        return stopped.code
    except ModuleNotFoundError as error:
        print(f"{arguments.part}: left out, since it needs the whole environment ({error})", file=sys.stderr)
    except E2EError as error:
        print(f"{arguments.part}: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
