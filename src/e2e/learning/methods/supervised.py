"""Learning from targets: classes, or a mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric

from e2e.learning.augmentation import random_reflections
from e2e.learning.batches import Batch, Objects
from e2e.learning.calibration import temperature
from e2e.learning.loop import Settings
from e2e.learning.methods import Method
from e2e.learning.objectives import Objective, objective
from e2e.models import saved
from e2e.tasks import Task


class Supervised(Method):
    """The objective of the task, on objects reflected at random."""

    def __init__(self, network: nn.Module, objective: Objective, task: Task):
        super().__init__()
        self.network = network
        self.objective = objective
        self.task = task

    @property
    def watched(self) -> Mapping[str, Metric]:
        return {self.objective.watched: self.objective.metric}

    def views(self, frames: Tensor) -> Tensor:
        """What a step sees of frames [N, C, H, W]."""
        return random_reflections(frames, self.task)

    def training_loss(self, batch: Batch) -> Tensor:
        seen = batch._replace(frames=self.views(batch.frames))
        return self.objective.loss(self.network(*seen.inputs), batch.target, batch.weight)

    def validation_loss(self, batch: Batch) -> Tensor:
        answer = self.network(*batch.inputs)
        self.objective.watch(answer, batch.target)
        return self.objective.loss(answer, batch.target, batch.weight)

    def result(self) -> nn.Module:
        return self.network

    def conclude(self, validation: Objects, settings: Settings) -> dict[str, Any]:
        """Of a classifier the temperature, by which its logits are to be divided."""
        if not self.objective.calibrated:
            return {}
        logit = saved.predictions(self.network.eval(), validation.stream.chunks(settings.batch_size))
        return {"temperature": temperature(logit, validation.stream.target, validation.stream.weight)}


def build(network: nn.Module, training: Objects, task: Task) -> Supervised:
    """For a network from frames to logits or masses, which is told what it has to know of the targets."""
    goal = objective(task, training.stream.target)
    goal.prepare(network)
    return Supervised(network, goal, task)
