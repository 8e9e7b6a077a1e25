"""Learning from targets: classes, or a mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import Metric

from e2e.learning.augmentation import random_changes, random_reflections
from e2e.learning.batches import Batch, Objects
from e2e.learning.calibration import temperature, width_scale, working_points
from e2e.learning.loop import Settings, average_decay
from e2e.learning.methods import Method
from e2e.learning.objectives import Objective, objective
from e2e.models import saved
from e2e.tasks import Task


class Supervised(Method):
    """The objective of the task, on objects reflected and changed at random.

    What is validated and kept is the moving average of the network's weights over the steps, and of the
    statistics of its batch normalisations: it lies in the middle of where they wander (arXiv 1803.05407).
    """

    def __init__(self, network: nn.Module, objective: Objective, task: Task):
        super().__init__()
        self.network = network
        self.averaged = AveragedModel(network, multi_avg_fn=_follow, use_buffers=True).requires_grad_(False)
        self.objective = objective
        self.task = task

    @property
    def watched(self) -> Mapping[str, Metric]:
        return {self.objective.watched: self.objective.metric}

    def views(self, frames: Tensor) -> Tensor:
        """What a step sees of frames [N, C, H, W]."""
        return random_changes(random_reflections(frames, self.task), self.task, self.augmentation)

    def training_loss(self, batch: Batch) -> Tensor:
        seen = batch._replace(frames=self.views(batch.frames))
        numbers = self.objective.numbers(self.network, seen.inputs)
        return self.objective.loss(numbers, batch.target, batch.weight)

    def after_step(self) -> None:
        self.averaged.update_parameters(self.network)

    def validation_loss(self, batch: Batch) -> Tensor:
        numbers = self.objective.numbers(self.result(), batch.inputs)
        self.objective.watch(numbers, batch.target)
        return self.objective.loss(numbers, batch.target, batch.weight)

    def result(self) -> nn.Module:
        return self.averaged.module

    def conclude(self, validation: Objects, settings: Settings) -> dict[str, Any]:
        """Temperature and, of two classes, working points; or of masses the scale of their widths."""
        network, stream = self.result().eval(), validation.stream
        answer = saved.predictions(network, stream.chunks(settings.batch_size))
        target, weight = stream.target, stream.weight
        if not self.objective.calibrated:
            scale = width_scale(answer.astype(np.float64), target, weight)
            network.answer.scale.fill_(scale)
            return {"width_scale": scale}
        found: dict[str, Any] = {"temperature": temperature(answer, target, weight)}
        if answer.ndim == 1:
            found["working_points"] = working_points(answer / found["temperature"], target, weight)
        return found


@torch.no_grad()
def _follow(averages: list[Tensor], weights: list[Tensor], updates: Tensor) -> None:
    """Move ``averages`` of one type and device towards the ``weights`` of a step; counters are copied."""
    if averages[0].is_floating_point():
        get_ema_multi_avg_fn(average_decay(int(updates)))(averages, weights, updates)
    else:
        torch._foreach_copy_(averages, weights)


def build(network: nn.Module, training: Objects, task: Task) -> Supervised:
    """For a network from frames to logits or masses, which is told what it has to know of the targets."""
    goal = objective(task, training.stream.target)
    goal.prepare(network)
    return Supervised(network, goal, task)
