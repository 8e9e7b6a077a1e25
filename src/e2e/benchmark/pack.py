"""`python -m e2e.benchmark.pack results/RUN PACK`: models of a run and objects for them, in one small folder.

It is what gpu.sh takes to a machine with a GPU, where there is nothing else of the run. Of each task it holds
``hits.npz`` (count, index and value of the hits of OBJECTS test objects, and the shape of a frame), of each
model its files, ``expected.npy``, the first output of the framework that trained it, and ``scalars.npy``
where it takes any beside frames, and of one model a task an ntuple of EVENTS test events for cmsRun, with the
scores that belong to it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from e2e.benchmark.inputs import TestEvent, scored_events
from e2e.data import parquet, scalars, store
from e2e.data.ntuple_writer import write_ntuple
from e2e.data.scores import read_scores
from e2e.data.store import IDENTITY
from e2e.data.stream import Stream
from e2e.deploy.contract import Contract, json_beside, load_contract
from e2e.errors import E2EError
from e2e.files import local_path, sha256, whole_folder, write_json
from e2e.tasks import SEED_ETA
from e2e.version import git_revision

OBJECTS = 512
EVENTS = 50  # for cmsRun, which reads them in turn
LARGEST = 60_000_000  # bytes


def pack(run: Path, folder: Path, largest: int = LARGEST) -> dict[str, Any]:
    """Write the pack of the run in results/<run> to ``folder``, whole or not at all; returns its pack.json.

    Raises E2EError where the run has no exported model whose test objects were scored, and where the pack
    would be larger than ``largest`` bytes.
    """
    if not run.is_dir():
        raise E2EError(f"{run}: there is no such run; make it with `make all`")
    with whole_folder(folder) as made:
        tasks = {path.name: _task(path, made / path.name) for path in sorted(run.iterdir()) if _models(path)}
        if not tasks:
            raise E2EError(f"{run}: no exported model with scores; make them with `make all`")
        files = sorted(path for path in made.rglob("*") if path.is_file())
        content = {
            "format": 1,
            "git_revision": git_revision(),
            "run": run.resolve().name,
            "tasks": tasks,
            "sha256": {str(path.relative_to(made)): sha256(path) for path in files},
        }
        write_json(made / "pack.json", content)
        sizes = {str(path.relative_to(made)): path.stat().st_size for path in files}
        if sum(sizes.values()) > largest:
            worst = max(sizes, key=sizes.__getitem__)
            raise E2EError(
                f"{folder}: would hold {sum(sizes.values()) / 1e6:.0f} MB, above {largest / 1e6:.0f} MB; the "
                f"largest file is {worst} ({sizes[worst] / 1e6:.0f} MB): pack a run of fewer models"
            )
    return content


def _models(task: Path) -> list[Path]:
    """Folders of the exported models of a task, without repeats of other seeds."""
    return [
        path.parent for path in sorted(task.glob("*/model.onnx")) if (path.parent / "scores.parquet").exists()
    ]


def _task(source: Path, folder: Path) -> list[str]:
    """Pack a task; returns the names of its models."""
    stores = sorted((source / "store").glob("*.parquet"))
    stream = Stream(stores, source / "split.parquet", "test")
    positions = np.unique(np.linspace(0, len(stream) - 1, min(OBJECTS, len(stream))).round().astype(int))
    objects = stream.samples(positions)
    folder.mkdir()
    count = np.diff(objects.offsets).astype(np.uint32)
    hits = {"count": count, "index": objects.index, "value": objects.value, "shape": objects.shape}
    np.savez_compressed(folder / "hits.npz", **hits)
    for number, model in enumerate(_models(source)):
        made = folder / model.name
        made.mkdir()
        contract = load_contract(model / "model.onnx")
        for path in (model / "model.onnx", json_beside(model / "model.onnx"), model / "model.pt"):
            shutil.copyfile(path, made / path.name)
        output = contract.numbers[0].name
        scores = read_scores(model / "scores.parquet", [output])
        joined = objects.identity().merge(scores[[*IDENTITY, output]], on=list(IDENTITY), how="left")
        if joined[output].isna().any():
            raise E2EError(f"{model / 'scores.parquet'}: not the scores of this test part; evaluate again")
        np.save(made / "expected.npy", joined[output].to_numpy(np.float32))
        for beside in scalars.inputs(objects, contract.task)[1:]:
            np.save(made / "scalars.npy", beside)
        ntuples = {source / "ntuples" / path.with_suffix(".root").name: path for path in stores}
        if number == 0 and all(path.exists() for path in ntuples):
            samples = {path: store.read_metadata(of).sample for path, of in ntuples.items()}
            values = scores.rename(columns={output: "value"})
            events = islice(scored_events(contract.task, samples, values, EVENTS), EVENTS)
            _write_events(contract, list(events), made)
    return [model.name for model in _models(source)]


def _write_events(contract: Contract, events: list[TestEvent], folder: Path) -> None:
    """Write an ntuple of some events, and the table of scores that belongs to it."""
    path, output = folder / "events.root", contract.numbers[0].name
    numbered = list(enumerate(events, 1))
    write_ntuple(path, (event.with_objects(i, slice(None)) for i, event in numbered), task=contract.task)
    rows = [(i, number, value) for i, event in numbered for number, value in enumerate(event.values)]
    table = pd.DataFrame(rows, columns=["event", "object", output])
    for scalar in contract.task.scalars:
        if scalar != SEED_ETA:
            table[scalar.name] = np.concatenate([event.objects[scalar.name] for event in events])
    table = table.assign(sample=path.stem, run=1, lumi=1, target=np.float32(np.nan))
    parquet.write_table(path.with_suffix(".parquet"), table)


def main() -> int:
    """Pack a run; an error is one line on stderr, and 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=local_path, metavar="results/RUN")
    parser.add_argument("folder", type=local_path, metavar="PACK")
    arguments = parser.parse_args()
    try:
        content = pack(arguments.run, arguments.folder)
    except E2EError as error:
        print(f"pack: error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.folder}: {sum(map(len, content['tasks'].values()))} models of {content['run']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
