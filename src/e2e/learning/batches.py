"""Streams of a sample store as torch sees them, and the identity of what a model was trained on.

A batch travels as sparse hits; its frames are made where the network is (``frames``).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from e2e.data import balance, images, scalars, split, store
from e2e.data.parts import ALL, EVENT, PARTS, Labels
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.learning.loop import epoch_seed
from e2e.tasks import Task


class Batch(NamedTuple):
    """Some objects: frames [N, C, H, W] in the units of the channels; targets and weights [N], if known.

    ``scalars`` [N, S] are those that the network takes beside the frames; None where it takes none.
    """

    frames: Tensor
    target: Tensor | None
    weight: Tensor | None
    scalars: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network takes: frames, and scalars where there are any."""
        return (self.frames,) if self.scalars is None else (self.frames, self.scalars)


class Packed(NamedTuple):
    """The same as it travels: sparse hits as in ``Samples``, those of object i from ``offsets[i]`` on."""

    offsets: Tensor  # int64 [N + 1]
    cell: Tensor  # int32 [hits], in the frame of its own object
    value: Tensor
    target: Tensor | None
    weight: Tensor | None
    scalars: Tensor | None = None

    def to(self, device: str | torch.device) -> Packed:
        """The same on another device."""
        return self._replace(**{name: t.to(device) for name, t in self._asdict().items() if t is not None})

    def unpacked(self, shape: tuple[int, int, int]) -> Batch:
        """With frames of ``shape`` (C, H, W), made on the device of the hits."""
        made = frames(self.offsets, self.cell, self.value, shape)
        return Batch(made, self.target, self.weight, self.scalars)


def stream(
    stores: Sequence[str | Path],
    split_path: str | Path,
    part: str,
    task: Task,
    labelled: bool = True,
    labels: Labels = ALL,
) -> Stream:
    """One part of the stores: objects with truth, among the ``labels``, or all of them if not ``labelled``.

    Raises E2EError if it is of another task, lacks a class or weights, has objects without one of the task's
    scalars, or if some crops are turned and others are not, which would tell them apart.
    """
    for path in stores:
        found = store.read_metadata(path)
        if found.task != task.name:
            raise E2EError(
                f"{path}: holds task {found.task!r}, not {task.name!r}; convert the ntuples for this task"
            )
        if found.channels != task.channels:
            raise E2EError(
                f"{path}: holds {len(found.channels)} channels, not the {len(task.channels)} of the task;"
                " convert the ntuples anew"
            )
        if found.classes != task.classes:
            raise E2EError(
                f"{path}: its targets count {', '.join(found.classes) or 'no classes'}, those of the task"
                f" {', '.join(task.classes) or 'no classes'}; convert the ntuples anew"
            )
    orientation(stores)
    objects = Stream(stores, split_path, part, labelled=labelled, labels=labels)
    scalars.require_of_stores(stores, objects.objects, task)
    for target, name in enumerate(objects.classes if labelled else ()):
        if not np.any(objects.target == target):
            few = (
                f" among {labels.share:.3g} of the labels (subset {labels.subset})"
                if labels.share < 1
                else ""
            )
            raise E2EError(
                f"{split_path}: no {name} in part {part!r}{few}; add files with {name}s or more events"
            )
    if labelled and np.isnan(objects.weight).any():
        reason = balance.fault(Stream(stores, split_path, "train").objects, task)
        raise E2EError(f"{split_path}: its objects have no weights: {reason or 'make the split anew'}")
    return objects


def apart(stores: Sequence[str | Path], split_path: str | Path) -> None:
    """Raise E2EError where an event of the part ``train`` is in another part, too.

    A file may say itself which part it is of. What is learned without labels would be tested on what it saw.
    """
    events = {
        part: pd.concat([table[EVENT] for _, table in split.read_part(stores, split_path, part, False)])
        for part in PARTS
    }
    seen = pd.MultiIndex.from_frame(events["train"])
    for part in PARTS[1:]:
        both = events[part][pd.MultiIndex.from_frame(events[part]).isin(seen)]
        for sample, run, lumi, event in both.head(1).itertuples(index=False):
            raise E2EError(
                f"{split_path}: event {event} of sample {sample} (run {run}, lumi {lumi}) is in part 'train'"
                f" and in part {part!r}, of which nothing may be learned; leave out one of its files"
            )


def orientation(stores: Sequence[str | Path]) -> str | None:
    """That of the crops in all of the stores (see ``store.Metadata``); raises E2EError where they differ."""
    found = {path: store.read_metadata(path).orientation for path in stores}
    (first, own), *others = found.items()
    for path, its in others:
        if its != own:
            turned, plain = (first, path) if own else (path, first)
            raise E2EError(
                f"{plain}: rows of its crops run as in the detector, those of {turned} outwards, which would"
                " tell them apart; convert the ntuples anew, and do not mix them with public crops, of which"
                " nobody knows at which end of the detector they were"
            )
    return own


def identity(stores: Sequence[str | Path], objects: int) -> dict[str, Any]:
    """What a model was trained on: ``sha256``, ``objects``, ``origin``, ``tracks`` and ``orientation``.

    ``objects`` is their number, ``origin`` that of its events, ``tracks`` tells where they lie in its
    channels (``mixed`` where these differ), ``orientation`` is that of its crops (see ``store.Metadata``).
    The checksum covers the sorted checksums of the ntuples behind the stores, the part that a file keeps to,
    and the rule of the split, so it does not depend on names, order or place of the files.
    """
    metadata = [store.read_metadata(path) for path in stores]
    content = {
        "sources": sorted(" ".join(filter(None, (entry.source_sha256, entry.part))) for entry in metadata),
        "split": dict(zip(split.PARTS, split.FRACTIONS, strict=True)),
    }
    return {
        "sha256": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        "objects": objects,
        "origin": store.common(entry.origin for entry in metadata),
        "tracks": store.common(entry.tracks for entry in metadata),
        "orientation": orientation(stores),
    }


class Objects(Dataset):
    """Batches of a stream: an item is the batch of the objects at the given positions.

    Of a stream without labels, a batch has no targets and no weights. It has the scalars of the ``task``.
    """

    def __init__(self, stream: Stream, task: Task | None = None):
        self.stream = stream
        self._scalars = scalars.beside(stream.objects, task) if task and task.scalars else None

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, positions: NDArray[np.integer]) -> Packed:
        samples = self.stream.samples(positions)
        index = samples.index.view(np.int32)  # frames have fewer cells; CUDA counts in signed numbers
        hits = torch.from_numpy(samples.offsets), torch.from_numpy(index), torch.from_numpy(samples.value)
        beside = None if self._scalars is None else torch.from_numpy(self._scalars[positions])
        if not self.stream.labelled:
            return Packed(*hits, None, None, beside)
        weight = torch.from_numpy(self.stream.weight[positions])
        return Packed(*hits, torch.from_numpy(samples.target), weight, beside)

    @property
    def scalars(self) -> Tensor | None:
        """Those of all objects [N, S], by position."""
        return None if self._scalars is None else torch.from_numpy(self._scalars)


def frames(offsets: Tensor, cell: Tensor, value: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Frames float32 [N, C, H, W] of hits as in ``Packed``, on their device."""
    count = offsets.diff()
    if value.is_cuda:
        cells = torch.zeros(len(count) * math.prod(shape), device=value.device)
        first = torch.arange(len(count), device=value.device) * math.prod(shape)
        place = first.repeat_interleave(count, output_size=len(cell)) + cell
        return cells.index_copy_(0, place, value).view(-1, *shape)
    # As everywhere else; torch would take threads from the network.
    index = cell.numpy().view(np.uint32)
    made = images.images(offsets[:-1].numpy(), count.numpy(), index, value.numpy(), shape)
    return torch.from_numpy(made)


class Batches(Sampler):
    """Positions of the objects of each batch of one of several devices.

    ``batch_size`` is that of all devices together. With ``shuffle`` the order depends on ``seed`` and epoch
    alone: not on the number of devices, of workers, or on what was read before, so a resumed training
    sees the order of an uninterrupted one. The objects left over from whole batches are then left out, since
    a short batch would spoil batch statistics. Without, all objects come in the order of the stream; the
    first of them once more where that gives every device its share of the last batch.
    """

    def __init__(
        self, stream: Stream, batch_size: int, shuffle: bool, seed: int = 0, device: int = 0, devices: int = 1
    ):
        self.stream, self.shuffle, self.seed = stream, shuffle, seed
        self.device, self.devices = device, devices
        self.batch_size = min(max(batch_size // devices, 1) * devices, len(stream))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration; Lightning does so."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.stream), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.shuffle:
            generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
            order = self.stream.order(torch.randperm(len(self.stream), generator=generator).numpy())
        else:
            order = np.arange(len(self.stream))
            order = np.concatenate([order, order[: -len(order) % self.devices]])
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size][self.device :: self.devices]


class Loader(DataLoader):
    """Batches of a stream, each made in a thread while the one before is worked on.

    A thread is enough, since reading and unpacking do not hold Python's lock. Where they need more than a
    core, ``num_workers`` processes do the same: they are spawned, because readers hang in forked ones.
    """

    def __init__(self, objects: Objects, batches: Batches, num_workers: int = 0):
        super().__init__(
            objects,
            sampler=batches,
            batch_size=None,
            num_workers=num_workers,
            multiprocessing_context="spawn" if num_workers else None,
            persistent_workers=num_workers > 0,
            # It draws a seed for workers, which must not come out of the stream of the augmentation.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Packed]:  # type: ignore[override]
        batches = super().__iter__()
        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = thread.submit(next, batches, None)
                yield batch
