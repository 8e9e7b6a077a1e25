"""How fast data move and how small they are; `python -m e2e.report.reading` measures, and draws it.

Each comparison has two sides that do the same work and take turns in one process, so that a ratio does not
depend on what else the machine did. docs/benchmark.md, "Data", says what each side is.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from e2e import models, tasks
from e2e.benchmark.machine import machine
from e2e.benchmark.statistics import band
from e2e.benchmark.training import Training, synchronize
from e2e.config import read
from e2e.data import ntuple, split, store
from e2e.data.convert import convert
from e2e.data.store import Metadata, Samples
from e2e.data.stream import Stream
from e2e.files import temporary_folder
from e2e.geometry import middle
from e2e.learning import batches
from e2e.simulation import pileup_pool, simulate
from e2e.tasks import Channel, Task
from e2e.version import git_revision

BATCH = 64  # jets
PHOTONS, JETS = "electron_photon", "quark_gluon"  # tasks whose objects are measured
OCCUPANCIES = (0.01, 0.1)
COLLISIONS = 500  # of the pileup: nobody learns from these events
LOADER_OCCUPANCY = 0.05  # as electrons have; jets have less
REPOSITORY = Path(__file__).resolve().parents[3]

# Aims of the project, by what is compared.
CONVERT_FLOOR, CONVERT_LOOP = 0.8, 5.0
TO_PYLIST = {0.01: 100.0, 0.1: 40.0}
MEMORY_MAP = {0.01: 0.8}
LOADER_CPU, LOADER_GPU = 20.0, 2.0
SIZE = 2.0

Side = Callable[[], int]  # does the work once, and returns for how many objects


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Jets of the synthetic stores; objects of each ntuple whose conversion is timed, about as many as a file of
    the default configuration holds; what the slow patterns are timed on; and repeats of each side.
    """

    jets: int = 2048
    objects: int = 6000
    slow_jets: int = 48
    slow_events: int = 20
    repeats: int = 7


@dataclass
class Comparison:
    """Two sides of the same work, in objects per second, and the ratio that is aimed at (None: no aim)."""

    name: str
    ours: tuple[str, Side]
    theirs: tuple[str, Side]
    aim: float | None
    cores: int | None = 1  # that the sides may use; None: all
    rates: list[tuple[float, float]] = field(default_factory=list)

    def repeat(self) -> None:
        """Measure both sides once more, by turns first."""
        sides = [self.ours[1], self.theirs[1]]
        turn = len(self.rates) % 2
        with cores(self.cores):
            rates = [rate(side) for side in (reversed(sides) if turn else sides)]
        self.rates.append(tuple(reversed(rates)) if turn else tuple(rates))

    def summary(self) -> dict[str, Any]:
        """The comparison as it stands in the record; the ratio is that of the rates of each repeat."""
        ours, theirs = np.transpose(self.rates)
        ratio = band(ours / theirs)
        return {
            "name": self.name,
            "aim": self.aim,
            "reached": None if self.aim is None else ratio["median"] >= self.aim,
            "ratio": ratio,
            "cores": self.cores or len(os.sched_getaffinity(0)),
            "ours": {"what": self.ours[0], "objects_per_s": band(ours)},
            "theirs": {"what": self.theirs[0], "objects_per_s": band(theirs)},
        }


def rate(side: Side) -> float:
    """Objects per second."""
    start = time.perf_counter()
    objects = side()
    return objects / (time.perf_counter() - start)


@contextmanager
def cores(number: int | None) -> Iterator[None]:
    """Let the calling thread, and threads that it starts, use this many of its cores."""
    allowed = os.sched_getaffinity(0)
    threads = torch.get_num_threads()
    if number:
        os.sched_setaffinity(0, sorted(allowed)[-number:])
        torch.set_num_threads(number)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        torch.set_num_threads(threads)


# Jets in the layouts that are compared.


def synthetic(task: Task, objects: int, occupancy: float) -> Samples:
    """Objects with hits in a share ``occupancy`` of their cells, anywhere, of exponential values."""
    random = np.random.default_rng(1)
    cells = int(np.prod(task.shape))
    counts = random.binomial(cells, occupancy, objects)
    index = [np.sort(random.choice(cells, count, replace=False, shuffle=False)) for count in counts]
    number = np.arange(objects)
    return Samples(
        sample=np.full(objects, "synthetic"),
        run=np.ones(objects, np.uint32),
        lumi=np.ones(objects, np.uint32),
        event=number.astype(np.uint64),
        object=np.zeros(objects, np.uint32),
        target=(number % 2).astype(np.float32),
        kinematics={quantity.name: random.random(objects, np.float32) for quantity in task.kinematics},
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        index=np.concatenate(index).astype(np.uint32),
        value=random.exponential(1.0, counts.sum()).astype(np.float32),
        channels=task.channels,
        classes=task.classes,
        shape=task.shape,
    )


def metadata(task: Task) -> Metadata:
    """Of a synthetic store, all of which is training part."""
    return Metadata(
        task=task.name,
        sample="synthetic",
        channels=task.channels,
        rows=task.crop.rows,
        columns=task.crop.columns,
        kinematics=task.kinematics,
        classes=task.classes,
        source="synthetic",
        source_sha256="0" * 64,
        origin="e2e simulation",
        rejected={},
        part="train",
    )


@dataclass(frozen=True)
class Layouts:
    """The same ``objects`` in a store with its split, in the public layout, and as an array of float32."""

    objects: int
    store: Path
    split: Path
    public: Path
    array: Path

    @classmethod
    def write(cls, folder: Path, name: str, samples: Samples, task: Task) -> Layouts:
        layouts = cls(
            len(samples),
            *(folder / f"{name}{end}" for end in (".parquet", ".split.parquet", ".public.parquet", ".npy")),
        )
        store.write(layouts.store, [samples], metadata(task))
        split.write_split([layouts.store], layouts.split, folder / f"{name}.split.json")
        frames = np.lib.format.open_memmap(layouts.array, "w+", np.float32, (len(samples), *samples.shape))
        with public_writer(layouts.public, samples.shape) as writer:
            for start in range(0, len(samples), BATCH):
                images = samples.images(slice(start, start + BATCH))
                frames[start : start + len(images)] = images
                for image, target in zip(images, samples.target[start:], strict=False):
                    writer.write_table(public_row(nested(image), target))
        frames.flush()
        return layouts

    def stream(self) -> Stream:
        return Stream([self.store], self.split, "train")


def nested(image: np.ndarray) -> pa.Array:
    """One image [C, H, W] as nested lists of doubles."""
    values = pa.array(image.reshape(-1).astype(np.float64))
    for size in image.shape[:0:-1]:
        values = pa.ListArray.from_arrays(np.arange(0, len(values) + 1, size, dtype=np.int32), values)
    return pa.ListArray.from_arrays(np.array([0, len(values)], np.int32), values)


def public_row(image: pa.Array, target: float) -> pa.Table:
    """One jet as the public parquet files hold it: its image, and its target."""
    return pa.table({"X_jets": image, "y": pa.array([float(target)])})


def public_writer(path: Path, shape: tuple[int, int, int]) -> pq.ParquetWriter:
    """A writer in the layout of the public quark/gluon files, to which tables of one jet are given."""
    return pq.ParquetWriter(path, public_row(nested(np.zeros(shape)), 0).schema, compression="snappy")


# Store to batches of images, and what it is compared with.


def batches_of_store(layouts: Layouts) -> int:
    """Row group by row group, in the order of the file."""
    objects = 0
    for samples in store.iterate(layouts.store):
        for start in range(0, len(samples), BATCH):
            objects += len(samples.images(slice(start, start + BATCH)))
    return objects


def batches_of_memory_map(layouts: Layouts) -> int:
    """In the order of the file, copied from a memory map of float32."""
    frames = np.load(layouts.array, mmap_mode="r")
    return sum(len(np.array(frames[start : start + BATCH])) for start in range(0, len(frames), BATCH))


def shuffled(layouts: Layouts) -> NDArray[np.integer]:
    """One order of the objects, for all who read them shuffled."""
    return np.random.default_rng(1).permutation(layouts.objects)


def batches_of_stream(layouts: Layouts) -> int:
    """A fresh stream, shuffled: all row groups are read once, and held."""
    stream = layouts.stream()
    order = stream.order(shuffled(layouts))
    return sum(len(stream.images(order[start : start + BATCH])) for start in range(0, len(order), BATCH))


def shuffled_batches_of_memory_map(layouts: Layouts) -> int:
    """Shuffled, copied from a memory map of float32."""
    frames, order = np.load(layouts.array, mmap_mode="r"), shuffled(layouts)
    return sum(len(frames[order[start : start + BATCH]]) for start in range(0, len(order), BATCH))


def batches_by_pylist(layouts: Layouts, jets: int) -> int:
    """The notebooks' pattern: a row group a jet, Python lists, an array of those."""
    file = pq.ParquetFile(layouts.public)
    jets = min(jets, layouts.objects)
    for start in range(0, jets, BATCH):
        rows = range(start, min(start + BATCH, jets))
        read = (file.read_row_group(row, use_threads=False).to_pylist()[0] for row in rows)
        np.stack([np.array(row["X_jets"], np.float32) for row in read])
    return jets


def reading(name: str, layouts: Layouts, sizes: Sizes, occupancy: float | None = None) -> list[Comparison]:
    """Comparisons of reading the jets of ``layouts``; aims are those for ``occupancy``."""
    ours = ("store, read and unpacked", partial(batches_of_store, layouts))
    slow = partial(batches_by_pylist, layouts, sizes.slow_jets)
    return [
        Comparison(
            f"store to batches / to_pylist, {name}",
            ours,
            ("public layout, to_pylist", slow),
            TO_PYLIST.get(occupancy),
        ),
        Comparison(
            f"store to batches / memory map, {name}",
            ours,
            ("float32 memory map, copied", partial(batches_of_memory_map, layouts)),
            MEMORY_MAP.get(occupancy),
        ),
        Comparison(
            f"shuffled stream to batches / memory map, {name}",
            ("fresh stream of the store, shuffled", partial(batches_of_stream, layouts)),
            ("float32 memory map, shuffled, copied", partial(shuffled_batches_of_memory_map, layouts)),
            aim=None,
        ),
    ]


def size(name: str, layouts: Layouts) -> dict[str, Any]:
    """Size of the public layout over that of the store, as the record has it."""
    ours, theirs = (path.stat().st_size / layouts.objects for path in (layouts.store, layouts.public))
    return {
        "name": f"size, public layout / store, {name}",
        "aim": SIZE,
        "reached": theirs / ours >= SIZE,
        "ratio": band([theirs / ours]),
        "ours": {"what": "store", "bytes_per_object": ours},
        "theirs": {"what": "public layout", "bytes_per_object": theirs},
    }


# ROOT to store, and what it is compared with.


def conversion(source: Path, task: Task, folder: Path) -> int:
    """Our converter; returns the number of objects kept."""
    output = folder / "converted.parquet"
    convert(task, source, output, progress=False)
    return sum(store.StoreFile(output).rows)


def conversion_floor(
    source: Path, branches: Sequence[str], converted: Sequence[pa.Table], folder: Path
) -> int:
    """The same branches decompressed by uproot, the same bytes written by pyarrow, and nothing else."""
    with ntuple.open_tree(source) as tree:
        for name in branches:
            for basket in range(tree[name].num_baskets):
                tree[name].basket(basket).data  # noqa: B018 (decompresses)
    with pq.ParquetWriter(folder / "floor.parquet", converted[0].schema, **store.LAYOUT) as writer:
        for group in converted:
            writer.write_table(group)
    return sum(map(len, converted))


def conversion_by_event(source: Path, task: Task, folder: Path, events: int) -> int:
    """The pattern of event loops: an event, its Python lists, a row group a jet, of nested doubles."""
    kept = 0
    layout = ntuple.check(source, task).layout
    images = [layout.images[channel.name].branch for channel in task.channels]
    with (
        ntuple.open_tree(source) as tree,
        public_writer(folder / "by_event.parquet", task.shape) as writer,
    ):
        branches = [*images, *layout.seeds, layout.truth.branch]
        for entry in range(min(events, tree.num_entries)):
            event = ak.to_list(tree.arrays(branches, entry_start=entry, entry_stop=entry + 1))[0]
            frames = np.stack(
                [
                    _frame(event[image], task, channel)
                    for image, channel in zip(images, task.channels, strict=True)
                ]
            )
            for row, column, truth in zip(*(event[branch] for branch in branches[-3:]), strict=True):
                top = _crystal(row, task) - task.crop.seed_row
                left = _crystal(column, task) - task.crop.seed_column
                if not 0 <= top <= task.detector[0] - task.crop.rows:
                    continue
                turned = np.roll(frames, -left, axis=2)
                image = turned[:, top : top + task.crop.rows, : task.crop.columns]
                writer.write_table(public_row(pa.array([image.tolist()]), truth))
                kept += 1
    return kept


def _frame(values: list[float], task: Task, channel: Channel) -> np.ndarray:
    """A channel's frame, in cells of the detector frame."""
    rows, columns = (size // channel.cell for size in task.detector)
    frame = np.array(values).reshape(rows, columns)
    return frame.repeat(channel.cell, axis=0).repeat(channel.cell, axis=1) / channel.cell**2


def _crystal(seed: float, task: Task) -> int:
    return middle(int(seed), task.seed_cell)


def converting(source: Path, task: Task, folder: Path, sizes: Sizes) -> list[Comparison]:
    """Comparisons of converting an ntuple, in a folder of its own."""
    ours = ("ROOT to store", partial(conversion, source, task, folder))
    conversion(source, task, folder)
    file = pq.ParquetFile(folder / "converted.parquet")
    groups = [file.read_row_group(group) for group in range(file.num_row_groups)]
    checked = ntuple.check(source, task)
    images = [image.branch for image in checked.layout.images.values()]
    read = [*ntuple.IDENTITY, *checked.branches, *images]
    floor = partial(conversion_floor, source, read, groups, folder)
    loop = partial(conversion_by_event, source, task, folder, sizes.slow_events)
    return [
        Comparison(
            f"ROOT to store / floor, {task.name}",
            ours,
            ("branches decompressed, bytes of the store written", floor),
            CONVERT_FLOOR,
        ),
        Comparison(
            f"ROOT to store / event loop, {task.name}",
            ours,
            ("event by event, lists, a row group a jet", loop),
            CONVERT_LOOP,
        ),
    ]


# The loader, and the network that it feeds.


def network(name: str, settings: Mapping[str, Any]) -> tuple[Task, str, nn.Module]:
    """Task, architecture and network of a task's CNN, with the hyperparameters that its settings give it."""
    task = tasks.task(name, settings.get("channels"))
    cnn = "resnet" if task.objects == "photon" else "cnn"
    entries = settings.get("models", {}).values()
    hyperparameters = next((entry["network"] for entry in entries if entry["architecture"] == cnn), {})
    return task, cnn, models.build(cnn, task, **hyperparameters)


def load(stream: Stream, batch: int, device: str) -> int:
    """One epoch of shuffled batches of frames, on the device."""
    loader = batches.Loader(batches.Objects(stream), batches.Batches(stream, batch, shuffle=True))
    objects = 0
    for packed in loader:
        objects += len(packed.to(device).unpacked(stream.shape).frames)
    synchronize(torch.device(device))
    return objects


def feeding(
    name: str, settings: Mapping[str, Any], folder: Path, sizes: Sizes, device: str
) -> list[Comparison]:
    """Comparisons of the loader with a training step: the first epoch, which reads, and a later one."""
    task, architecture, trained = network(name, settings)
    small = task.objects == "photon"
    batch, objects = (256, 8 * sizes.jets) if small else (BATCH, sizes.jets)
    batch = min(batch, objects)
    path, split_path = folder / f"{name}.parquet", folder / f"{name}.split.parquet"
    if not path.exists():
        store.write(path, [synthetic(task, objects, LOADER_OCCUPANCY)], metadata(task))
        split.write_split([path], split_path, folder / f"{name}.split.json")
    read = Stream([path], split_path, "train")
    load(read, batch, device)
    frames = torch.from_numpy(read.images(np.arange(batch)))
    training = f"{architecture}, training steps of {batch}", Training(trained, frames, device)
    aim = LOADER_CPU if device == "cpu" else LOADER_GPU
    shape = " x ".join(map(str, task.shape))
    return [
        Comparison(
            f"loader / network, {name}, {device}, {epoch}",
            (
                f"{shape}, {LOADER_OCCUPANCY:.0%} occupancy, batches of {batch}, {epoch}",
                partial(side, batch, device),
            ),
            training,
            aim,
            cores=None,
        )
        for epoch, side in (
            ("first epoch", lambda batch, device: load(Stream([path], split_path, "train"), batch, device)),
            ("later epochs", partial(load, read)),
        )
    ]


# Occupancies, and the whole.


def occupancy(path: Path) -> dict[str, Any]:
    """Share of the cells with a hit, in all channels together and in each, over the objects of a store."""
    samples = store.read(path)
    cells = samples.shape[1] * samples.shape[2]
    hits = np.bincount(samples.index // cells, minlength=samples.shape[0]) / max(len(samples), 1) / cells
    named = {channel.name: float(share) for channel, share in zip(samples.channels, hits, strict=True)}
    return {"objects": len(samples), "all channels": float(hits.mean()), **named}


def simulated(folder: Path, objects: int) -> Iterator[tuple[str, Task, Path]]:
    """Sample, task and ntuple of ``objects`` electrons and quark/gluon jets, and a tenth of each other."""
    pileup = folder / "pileup.npz"
    pileup_pool.write(pileup, COLLISIONS, pileup_pool.SEED, progress=False)
    for name, sample in samples():
        path = folder / f"{name}_{sample}.root"
        number = objects if name in (PHOTONS, JETS) else -(-objects // 10)
        pooled = tasks.task(name).simulation.pooled
        simulate(path, name, sample, number, 1, progress=False, pileup=pileup if pooled else None)
        yield f"simulated {name}, {sample}", tasks.task(name), path


def samples() -> list[tuple[str, str]]:
    """Task and name of each simulated sample; photons look as electrons do."""
    made = {name: task.simulation.samples for name, task in tasks.every().items() if task.simulation}
    pairs = [(name, sample) for name, samples in made.items() for sample in samples]
    return [pair for pair in pairs if pair != (PHOTONS, "photon")]


def benchmark(config: str | Path, files: Sequence[str | Path] = (), sizes: Sizes = Sizes()) -> dict[str, Any]:
    """Measure all comparisons, and return their record.

    ``config`` says which networks are trained, and with how many channels. ``files`` are ntuples of real
    jets, of which the occupancy is stated. Raises E2EError where a file cannot be used.
    """
    settings = read(config)["tasks"]
    with temporary_folder() as folder:
        _say("jets in the layouts that are compared")
        layouts = {
            f"{share:.0%} occupancy": Layouts.write(
                folder, f"synthetic_{share}", synthetic(tasks.task(JETS), sizes.jets, share), tasks.task(JETS)
            )
            for share in OCCUPANCIES
        }
        comparisons = [
            comparison
            for share, name in zip(OCCUPANCIES, layouts, strict=True)
            for comparison in reading(name, layouts[name], sizes, share)
        ]
        _say("simulated events")
        occupancies = {}
        for name, task, source in simulated(folder, sizes.objects):
            own = folder / source.stem
            own.mkdir()
            if task.name in (PHOTONS, JETS):
                comparisons += converting(source, task, own, sizes)
            else:
                conversion(source, task, own)
            occupancies[name] = occupancy(own / "converted.parquet")
            if task.name == JETS:
                samples = store.read(own / "converted.parquet")
                known = samples[np.isfinite(samples.target)]  # those that a stream has
                layouts[name] = Layouts.write(folder, "simulated", known, task)
                comparisons += reading(name, layouts[name], sizes)
        for path in map(Path, files):
            convert(tasks.task(JETS), path, folder / "real.parquet", progress=False)
            occupancies[path.name] = occupancy(folder / "real.parquet")
        devices = ["cpu"]
        if torch.accelerator.is_available():
            devices.append(torch.accelerator.current_accelerator().type)
        for device in devices:
            for name in tasks.supervised():
                comparisons += feeding(name, settings.get(name, {}), folder, sizes, device)
        for repeat in range(sizes.repeats):
            _say(f"repeat {repeat + 1} of {sizes.repeats}")
            for comparison in comparisons:  # in turns, so that what disturbs the machine disturbs them all
                comparison.repeat()
        sized = [size(name, each) for name, each in layouts.items()]

    return {
        "format": 1,
        "git_revision": git_revision(),
        "machine": machine(),
        "sizes": asdict(sizes),
        "devices": devices,
        "comparisons": [comparison.summary() for comparison in comparisons] + sized,
        "occupancy": occupancies,
    }


def _say(what: str) -> None:
    print(f"bench-reading: {what}", file=sys.stderr, flush=True)
