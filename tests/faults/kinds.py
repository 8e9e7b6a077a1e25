"""The kinds of files that fuzz.py damages: small good ones, and how they are read."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fuzz import Kind, digest

from e2e import models, tasks
from e2e.data import layouts, parquet, split, store
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.data.scores import read_scores
from e2e.data.sources import convert_file
from e2e.data.store import Metadata, Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import read_csv, read_json, sha256, write_json
from e2e.tasks.electron_photon import TASK

OBJECTS = 300


def samples(objects: int = OBJECTS) -> Samples:
    random = np.random.default_rng(1)
    frames = random.exponential(1, (objects, 2048)) * (random.random((objects, 2048)) < 0.02)
    owner, index = np.nonzero(frames)
    number = np.arange(objects)
    return Samples(
        sample=np.full(objects, "electron"),
        run=np.ones(objects, np.uint32),
        lumi=np.ones(objects, np.uint32),
        event=number.astype(np.uint64) + 1,
        object=np.zeros(objects, np.uint32),
        target=(number % 2).astype(np.float32),
        kinematics={quantity.name: random.random(objects, np.float32) for quantity in TASK.kinematics},
        offsets=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=objects))]),
        index=index.astype(np.uint32),
        value=frames[owner, index].astype(np.float32),
        channels=TASK.channels,
        classes=TASK.classes,
        shape=TASK.shape,
    )


def metadata() -> Metadata:
    return Metadata(
        task=TASK.name,
        sample="electron",
        channels=TASK.channels,
        rows=TASK.crop.rows,
        columns=TASK.crop.columns,
        kinematics=TASK.kinematics,
        classes=TASK.classes,
        source="electron_000.root",
        source_sha256="ab" * 32,
        origin="e2e simulation",
        rejected={},
    )


# Sample stores, and the split of one.


def make_store(folder: Path) -> None:
    store.write(folder / "a.parquet", [samples()], metadata())


def read_store(folder: Path) -> str:
    """All of it, by whole file, objects and streams: whatever any reader looks at."""
    path = folder / "a.parquet"
    file = store.StoreFile(path)
    found = store.read(path)
    objects = file.objects()
    columns = [found.sample, found.run, found.lumi, found.event, found.object, found.target]
    values = [*columns, *found.kinematics.values(), found.offsets, found.index, found.value, found.images()]
    return digest(asdict(file.metadata), *values, *(objects[name].to_numpy() for name in objects))


def rewritten(**layout):
    def rewrite(folder: Path) -> None:
        pq.write_table(pq.read_table(folder / "a.parquet"), folder / "a.parquet", **layout)

    rewrite.__name__ = f"written again by pyarrow with {layout}"
    return rewrite


def rewritten_by_pandas(folder: Path) -> None:
    pd.read_parquet(folder / "a.parquet").to_parquet(folder / "a.parquet")


FOREIGN = (
    rewritten(),
    rewritten(row_group_size=128),
    rewritten(row_group_size=128, use_dictionary=False, compression="lz4", write_statistics=False),
    rewritten(compression="zstd", write_page_checksum=True),
    rewritten(
        compression="none", data_page_version="2.0", use_byte_stream_split=["pho_pT"], use_dictionary=False
    ),
    rewritten_by_pandas,
)


def sign_store(folder: Path) -> None:
    """Checksums that fit whatever the file holds: then the comparisons behind them are what is tested."""
    path = folder / "a.parquet"
    try:
        parquet._put_checksums(path, bulk=len(store.HITS))
    except Exception:  # damage that leaves nothing to sign is tested without a signature
        return


def make_split(folder: Path) -> None:
    make_store(folder)
    split.write_split([folder / "a.parquet"], folder / "split.parquet", folder / "split.json")


def read_split(folder: Path) -> str:
    found = []
    for part in split.PARTS:
        stream = Stream([folder / "a.parquet"], folder / "split.parquet", part)
        found += [stream.objects.to_csv(), stream.samples(np.arange(len(stream))).value]
    return digest(*found)


# Tables of scores, records, histories.


def make_scores(folder: Path) -> None:
    table = samples().identity().assign(target=1.0, score=np.linspace(0, 1, OBJECTS), logit=0.5)
    table.attrs = {"model_sha256": "0" * 64}
    parquet.write_table(folder / "scores.parquet", table)


def read_scores_table(folder: Path) -> str:
    table = read_scores(folder / "scores.parquet", ["score", "logit"])
    return digest(table.attrs, *(table[name].to_numpy() for name in table))


def make_records(folder: Path) -> None:
    estimate = {"value": 0.9, "standard_error": 0.01, "interval_95": [0.88, 0.92]}
    write_json(
        folder / "metrics.json", {"model": "cnn", "seed": 1, "auc": estimate, "objects": {"test": 100}}
    )
    (folder / "history.csv").write_text("epoch,training_loss,validation_loss\n1,0.5,0.6\n2,0.4,0.5\n")


def read_records(folder: Path) -> str:
    metrics = read_json(folder / "metrics.json")
    for name in ("model", "seed", "auc", "objects"):
        metrics[name]
    history = read_csv(folder / "history.csv", ["epoch", "training_loss", "validation_loss"])
    return digest(metrics, history.to_csv())


# Public image files.


def make_crops(folder: Path) -> None:
    """HDF5 in chunks packed by lzf and by gzip, in one piece, and in the format of newer versions."""
    random = np.random.default_rng(1)
    crops = random.exponential(0.1, (24, 32, 32, 2)) * (random.random((24, 32, 32, 2)) < 0.05)
    crops[:, 15, 15, 0] += 1
    storages = {
        "lzf.h5": {"compression": "lzf"},
        "gzip.h5": {"compression": "gzip", "chunks": (10, 16, 32, 2)},
        "whole.h5": {},
        "new.h5": {"compression": "gzip", "chunks": (5, 32, 32, 1), "maxshape": (None, 32, 32, 2)},
    }
    for name, storage in storages.items():
        with h5py.File(folder / name, "w", libver="latest" if name == "new.h5" else None) as file:
            file.create_dataset("X", data=crops.astype(np.float32), **storage)
            file["y"] = (np.arange(24) % 2).astype(np.float32)


def make_jets(folder: Path) -> None:
    """Nested lists in parquet, a row group a jet and all in one."""
    random = np.random.default_rng(1)
    images = random.exponential(1, (3, 3, 125, 125)) * (random.random((3, 3, 125, 125)) < 0.01)
    lists = pa.array(images.reshape(-1))
    for size in reversed(images.shape[1:]):
        ends = pa.array(np.arange(0, len(lists) + 1, size), pa.int32())
        lists = pa.ListArray.from_arrays(ends, lists)
    table = pa.table({"X_jets": lists, "pt": random.random(3), "m0": random.random(3), "y": [0.0, 1.0, 0.0]})
    pq.write_table(table, folder / "single.parquet", row_group_size=1, compression="snappy")
    pq.write_table(table, folder / "together.parquet", compression="snappy")


def converted(task: str):
    """Reads all files of a folder as `e2e convert` does; only the SHA-256 of a file may differ."""

    def read(folder: Path) -> str:
        found = []
        for path in sorted(folder.iterdir()):
            public = asdict(
                convert_file(tasks.task(task), path, folder / "out" / "store.parquet", progress=False)
            )
            public.pop("source_sha256")
            objects = store.read(folder / "out" / "store.parquet")
            found += [public, objects.target, objects.offsets, objects.index, objects.value]
            found += objects.kinematics.values()
            shutil.rmtree(folder / "out")
        return digest(*found)

    return read


# Trained networks and checkpoints.


def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return models.build("resnet", TASK, widths=[4, 8], blocks=[1, 1])


def weights(state: dict) -> list:
    return [*state, *(tensor.numpy() for tensor in state.values())]


def make_trained(folder: Path) -> None:
    from e2e.models import saved

    info = {"task": TASK.name, "channels": 2, "architecture": "resnet", "temperature": 1.5}
    info |= {
        "hyperparameters": {"widths": [4, 8], "blocks": [1, 1]},
        "training_data": {"origin": "e2e simulation", "tracks": None},
    }
    saved.save(folder / "model.pt", network(), info)


def read_trained(folder: Path) -> str:
    from e2e.models import saved

    found, info = saved.load(folder / "model.pt")
    return digest(sorted(info.items()), *weights(found.state_dict()))


class Planted:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file has run')",)


def plant(folder: Path) -> None:
    for name in ("last.ckpt", "model.pt"):
        if (folder / name).exists():
            torch.save({"format": 1, "x": Planted()}, folder / name)


def make_checkpoint(folder: Path) -> None:
    state = network().state_dict()
    torch.save(
        {"e2e_fingerprint": "f", "epoch": 3, "state_dict": state, "rows": [{"loss": 0.5}]},
        folder / "last.ckpt",
    )


def read_checkpoint(folder: Path) -> str:
    from e2e.learning.fit import _resumable
    from e2e.models.saved import read_plain

    path = folder / "last.ckpt"
    if _resumable(path, "f") is None:
        raise E2EError(f"{path}: training starts afresh")
    content = read_plain(path)
    return digest(content["epoch"], content["rows"], *weights(content["state_dict"]))


class Variable:
    """As much of a variable of Keras as a checkpoint needs."""

    def __init__(self, value):
        self.value = np.asarray(value, np.float32)

    def numpy(self):
        return self.value

    def assign(self, value):
        if value.shape != self.value.shape:
            raise ValueError("another shape")
        self.value = np.asarray(value, np.float32)


def keras_state():
    from e2e.learning.keras_fit import State
    from e2e.learning.loop import Stopwatch

    model, averaged = (
        SimpleNamespace(weights=[Variable(first + np.arange(600).reshape(20, 30)), Variable([1, 2])])
        for first in (0, 1)
    )
    return State(model, averaged, SimpleNamespace(variables=[Variable(5.0)]), Stopwatch())


def make_keras(folder: Path) -> None:
    state = keras_state()
    state.rows = [{"epoch": 1, "validation_loss": 0.5}]
    state.best = [variable.numpy() for variable in state.averaged.weights]
    state.save(folder / "last.npz", "f")


def read_keras(folder: Path) -> str:
    state = keras_state()
    for variable in state.variables:
        variable.value = np.zeros_like(variable.value)
    state.resume(folder / "last.npz", "f")
    if not state.rows:
        raise E2EError(f"{folder / 'last.npz'}: training starts afresh")
    return digest(state.rows, *state.best, *(variable.numpy() for variable in state.variables))


# Exported models.


def make_model(folder: Path) -> None:
    from e2e.deploy.export import export

    make_trained(folder)
    export(folder / "model.pt", folder / "model.onnx", folder / "model.json", opset=17, ir_version=8)


def read_model(folder: Path) -> str:
    from e2e.deploy.runtime import load, run

    contract, opened = load(folder / "model.onnx")
    frames = np.random.default_rng(1).exponential(1, (3, *TASK.shape)).astype(np.float32)
    return digest(contract.to_json(), *run(opened, frames).values())


def sign_model(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    write_json(folder / "model.json", content | {"sha256": sha256(folder / "model.onnx")})


# Ntuples: of photons, and of jets with all kinds of channels, each object's seed and truth.


def make_ntuples(folder: Path) -> None:
    random = np.random.default_rng(1)
    for task, seeds in ((TASK, (60, 100)), (tasks.task("mass_regression", 5), (25, 30))):
        events = []
        for number in range(1, 5):
            frames = {}
            for channel in task.channels:
                frame = random.exponential(1, task.frame_shape(channel)).astype(np.float32)
                frames[channel.name] = np.where(random.random(frame.shape) < 0.01, frame, np.float32(0))
            first = task.channels[0] if task is TASK else tasks.HCAL
            frames[first.name][seeds] = 50
            objects = dict.fromkeys((q.name for q in task.kinematics), np.ones(1, np.float32))
            cell = task.seed_cell  # directions that are those of the seeds
            middle = [cell * (seed + 0.5) for seed in seeds]
            direction = {
                "eta": 0.0174 * (middle[0] - task.detector[0] / 2),
                "phi": np.radians(middle[1] - 10),
            }
            for name in objects:
                if name.lower()[-3:] in direction:
                    objects[name] = np.float32([direction[name.lower()[-3:]]])
            table = layouts.TABLE["objects"][task.objects]["seeds"]
            objects |= {name: np.full(1, seed, np.float32) for name, seed in zip(table, seeds, strict=True)}
            truth = {"gen_pdgId": [22.0]} if task is TASK else {"a_m": [8.0]}
            objects |= {name: np.array(values, np.float32) for name, values in truth.items()}
            events.append(Event(1, 1, number, frames, objects))
        write_ntuple(folder / f"{task.objects}.root", events, task=task)


def read_ntuples(folder: Path) -> str:
    found = []
    for task in (TASK, tasks.task("mass_regression", 5)):
        convert_file(task, folder / f"{task.objects}.root", folder / "out.parquet", progress=False)
        of = store.read(folder / "out.parquet")
        found += [
            of.run,
            of.lumi,
            of.event,
            of.object,
            of.target,
            *of.kinematics.values(),
            of.index,
            of.value,
        ]
    return digest(*found)


KINDS = {
    "crops in HDF5": Kind(
        make_crops, converted("electron_photon"), ["lzf.h5", "gzip.h5", "whole.h5", "new.h5"]
    ),
    "jets in parquet": Kind(make_jets, converted("quark_gluon"), ["single.parquet", "together.parquet"]),
    "ntuples": Kind(make_ntuples, read_ntuples, ["photon.root", "jet.root"], checked=True),
    "stores": Kind(make_store, read_store, ["a.parquet"], checked=True, foreign=FOREIGN),
    "stores with new checksums": Kind(make_store, read_store, ["a.parquet"], resign=sign_store),
    "splits": Kind(make_split, read_split, ["split.parquet"], checked=True),
    "scores": Kind(make_scores, read_scores_table, ["scores.parquet"], checked=True),
    "records": Kind(make_records, read_records, ["metrics.json", "history.csv"]),
    "trained networks": Kind(make_trained, read_trained, ["model.pt"], checked=True, foreign=[plant]),
    "checkpoints": Kind(make_checkpoint, read_checkpoint, ["last.ckpt"], checked=True, foreign=[plant]),
    "checkpoints of Keras": Kind(make_keras, read_keras, ["last.npz"], checked=True),
    "models": Kind(make_model, read_model, ["model.onnx"], checked=True),
    "contracts": Kind(make_model, read_model, ["model.json"]),
    "models with a new checksum": Kind(make_model, read_model, ["model.onnx"], resign=sign_model),
}
