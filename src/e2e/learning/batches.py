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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from e2e.data import split, store
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.learning.loop import epoch_seed
from e2e.tasks import Task

Hits = tuple[
    Tensor, Tensor
]  # place in the batch int64 [n], ((object * C + channel) * H + row) * W + column; value


def stream(stores: Sequence[str | Path], split_path: str | Path, part: str, task: Task) -> Stream:
    """One part of the stores, with truth; raises E2EError if it lacks a class or is of another task."""
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
    objects = Stream(stores, split_path, part)
    for target, name in enumerate(objects.classes):
        if not np.any(objects.target == target):
            raise E2EError(f"{split_path}: no {name} in part {part!r}; add files with {name}s or more events")
    return objects


def identity(stores: Sequence[str | Path], objects: int) -> dict[str, Any]:
    """What a model was trained on: ``sha256``, number of ``objects``, ``origin`` and ``tracks``.

    ``origin`` is that of its events, and ``tracks`` where they lie in its channels (see
    ``store.Metadata``; ``mixed`` where these differ). The checksum covers the sorted checksums of the
    ntuples behind the stores, the part that a file keeps to, and the rule of the split, so it does not
    depend on names, order or place of the files.
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
    }


class Objects(Dataset):
    """Batches of a stream: an item is the batch of the objects at the given positions.

    ``weights`` [N] are those of all objects (default: 1).
    """

    def __init__(self, stream: Stream, weights: NDArray[np.float32] | None = None):
        self.stream = stream
        self.weights = np.ones(len(stream), np.float32) if weights is None else weights

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, positions: NDArray[np.integer]) -> tuple[Hits, Tensor, Tensor]:
        """Hits of the objects, their targets and weights float32 [N]."""
        samples = self.stream.samples(positions)
        place = np.repeat(np.arange(len(samples)) * math.prod(samples.shape), np.diff(samples.offsets))
        place += samples.index
        hits = torch.from_numpy(place), torch.from_numpy(samples.value)
        return hits, torch.from_numpy(samples.target), torch.from_numpy(self.weights[positions])


def frames(hits: Hits, objects: int, shape: tuple[int, int, int]) -> Tensor:
    """Frames float32 [``objects``, C, H, W], in the units of the channels, on the device of the hits."""
    place, value = hits
    if value.is_cuda:
        cells = torch.zeros(objects * math.prod(shape), device=value.device)
        return cells.index_copy_(0, place, value).view(objects, *shape)
    cells = np.zeros(objects * math.prod(shape), np.float32)  # torch would take threads from the network
    cells[place.numpy()] = value.numpy()
    return torch.from_numpy(cells).view(objects, *shape)


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

    def __iter__(self) -> Iterator[tuple[Hits, Tensor, Tensor]]:
        batches = super().__iter__()
        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = thread.submit(next, batches, None)
                yield batch
