"""The parts of a sample store as Lightning sees them, and the identity of what a model was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from e2e.data import split, store
from e2e.data.store import Samples
from e2e.errors import E2EError


def read(stores: Sequence[str | Path], split_path: str | Path, part: str, task: str) -> Samples:
    """One part of the stores, with truth; raises E2EError if it lacks a class or is of another task."""
    for path in stores:
        found = store.read_metadata(path).task
        if found != task:
            raise E2EError(f"{path}: holds task {found!r}, not {task!r}; convert the ntuples for this task")
    samples = split.read_part(stores, split_path, part)
    for target, name in enumerate(samples.classes):
        if not np.any(samples.target == target):
            raise E2EError(f"{split_path}: no {name} in part {part!r}; add files with {name}s or more events")
    return samples


def identity(stores: Sequence[str | Path], objects: int) -> dict[str, Any]:
    """What a model was trained on: ``sha256``, number of ``objects``, and whether it is ``simulation``.

    The checksum covers the sorted checksums of the ntuples behind the stores and the rule of the
    split, so it does not depend on names, order or place of the files.
    """
    metadata = [store.read_metadata(path) for path in stores]
    content = {
        "sources": sorted(entry.source_sha256 for entry in metadata),
        "split": dict(zip(split.PARTS, split.FRACTIONS, strict=True)),
    }
    return {
        "sha256": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        "objects": objects,
        "simulation": any(entry.simulation for entry in metadata),
    }


class Objects(Dataset):
    """Objects in memory; a whole batch of frames and targets is made at once from its positions."""

    def __init__(self, samples: Samples):
        self.samples = samples
        self.target = torch.from_numpy(np.ascontiguousarray(samples.target))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitems__(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        """Frames float32 [N, C, H, W] in the units of the channels, and targets float32 [N]."""
        return torch.from_numpy(self.samples.images(np.asarray(positions))), self.target[positions]


class Parts(lightning.LightningDataModule):
    """Training and validation part. ``batch_size`` is that of all devices together."""

    def __init__(self, training: Samples, validation: Samples, batch_size: int, seed: int):
        super().__init__()
        self.training, self.validation = Objects(training), Objects(validation)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.training, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.validation, shuffle=False)

    def _loader(self, objects: Objects, shuffle: bool) -> DataLoader:
        devices = self.trainer.world_size
        # The order depends on seed and epoch alone, so a resumed run sees that of an uninterrupted one.
        sampler = DistributedSampler(objects, devices, self.trainer.global_rank, shuffle, self.seed)
        # Short last batches are left out of training, where they would spoil batch statistics.
        return DataLoader(
            objects,
            batch_size=min(max(self.batch_size // devices, 1), len(sampler)),
            sampler=sampler,
            drop_last=shuffle,
            collate_fn=_as_is,
            # The loader draws a seed for workers, which must not come out of the stream of the augmentation.
            generator=torch.Generator(),
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )


def _as_is(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch
