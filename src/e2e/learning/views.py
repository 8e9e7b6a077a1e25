"""Views of an object: what it might have looked like as well, for methods that learn from two of them.

docs/self-supervised.md says why each is made, and which are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from e2e.errors import E2EError
from e2e.learning import augmentation, detector_changes
from e2e.tasks import Task

NOISE = 0.042  # GeV a crystal (JINST 2 P04004)

Change = Callable[[Tensor, Task, float], Tensor]


def _reflections(frames: Tensor, task: Task, strength: float) -> Tensor:
    return augmentation.likely_reflections(frames, task) if strength else frames


def _noise(frames: Tensor, task: Task, strength: float) -> Tensor:
    return detector_changes.noise(frames, task, strength * NOISE)


# In the order in which they are made, each with its usual strength: what a function of that name says, times
# the resolution or noise of the detector, or the share of channels or objects.
CHANGES: dict[str, tuple[Change, float]] = {
    "reflections": (_reflections, 1.0),
    "shifts": (augmentation.shifts, 0.5),
    "dead_channels": (detector_changes.dead_channels, 0.1),
    "resolution": (detector_changes.resolution, 1.0),
    "noise": (_noise, 1.0),
    "miscalibration": (detector_changes.miscalibration, 0.05),
    "time_resolution": (detector_changes.time_resolution, 1.0),
}


class Views:
    """Frames [N, C, H, W] -> others of the same objects, by random numbers of torch's global generator.

    ``strengths`` replace those of ``CHANGES`` by name; 0 leaves a change out. Raises E2EError for names that
    are none.
    """

    def __init__(self, task: Task, strengths: Mapping[str, float] | None = None):
        strengths = strengths or {}
        if unknown := sorted(set(strengths) - set(CHANGES)):
            raise E2EError(f"views: no change {unknown[0]!r}; choose from: {', '.join(CHANGES)}")
        self.task = task
        self.changes = [
            (change, strength)
            for name, (change, usual) in CHANGES.items()
            if (strength := strengths.get(name, usual))
        ]

    def __call__(self, frames: Tensor) -> Tensor:
        for change, strength in self.changes:
            frames = change(frames, self.task, strength)
        return augmentation.partnered(frames, self.task)
