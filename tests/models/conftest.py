"""Frames like those of detectors: sparse, with equal energies, towers, and nearly empty ones."""

import numpy as np
import pytest
import torch

from e2e.tasks import ECAL, HCAL, TRACK_PT, Channel, Task

HITS = {TRACK_PT.name: 40, ECAL.name: 300, HCAL.name: 30, "EB_energy": 100}


def values(generator: np.random.Generator, channel: Channel, count: int) -> np.ndarray:
    if channel.unit == "GeV":  # multiples of 50 MeV: many hits have the same energy
        return np.ceil(generator.exponential(0.5, count) ** 2 * 20) / 20
    return generator.integers(1, 4, count) if channel.unit == "hits" else generator.normal(0, 3, count)


@pytest.fixture(scope="session")
def make_frames():
    def make(task: Task, objects: int, seed: int = 0) -> torch.Tensor:
        """Frames [N, C, H, W]; each image of the first three has no hit, one, and four."""
        generator = np.random.default_rng(seed)
        frames = np.zeros((objects, *task.shape), np.float32)
        for number, frame in enumerate(frames):
            first = None
            for image, channel in zip(frame, task.channels, strict=True):
                towers = image[:: channel.cell, :: channel.cell].shape
                count = [0, 1, 4][number] if number < 3 else HITS.get(channel.name)
                if channel.unit == "GeV":
                    # Towards the middle, as particles are.
                    place = generator.normal(0.5, 0.1, (2, count)).clip(0, 0.999) * np.array(towers)[:, None]
                    place = tuple(place.astype(int))
                    first = first or place
                else:  # times belong to crystals with energy, impact parameters and pixel hits to tracks
                    place = first
                coarse = np.zeros(towers, np.float32)
                coarse[place] = values(generator, channel, len(place[0])) / channel.cell**2
                fine = coarse.repeat(channel.cell, axis=0).repeat(channel.cell, axis=1)
                image[:] = fine[: task.crop.rows, : task.crop.columns]
        return torch.from_numpy(frames)

    return make
