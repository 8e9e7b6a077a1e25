"""DINO (arXiv 2104.14294): say of a part of an object what a slow teacher says of the whole.

Local views are nested windows around the seed. Unlike there, fewer prototypes, and a momentum that begins at
0.99: batches are small and trainings short.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from e2e.learning.augmentation import window
from e2e.learning.batches import Objects
from e2e.learning.losses import cross_entropy, mean_logits, sharpened
from e2e.learning.methods.pretraining import Clustering, Teacher
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False

STUDENT, TEACHER = 0.1, 0.04  # temperatures
FOLLOWING = 0.1  # share of a batch's mean in the centre
SMALLEST, LARGEST = 0.1, 0.4  # local views, as shares of the crop


class DINO(Clustering):
    """See ``build``."""

    def __init__(
        self,
        network: nn.Module,
        views: Views,
        width: int,
        outputs: int,
        prototypes: int,
        momentum: float,
        local: int,
        may: bool,
    ):
        super().__init__(network, views, width, outputs, prototypes, may)
        self.teacher = Teacher(self.student())
        self.register_buffer("centre", torch.zeros(prototypes))
        self.momentum, self.local = momentum, local

    def student(self) -> nn.Sequential:
        """What the teacher follows."""
        return nn.Sequential(self.trunk, self.projector, self.prototypes)

    def answer(self, view: Tensor) -> Tensor:
        """The student's logits [N, K]."""
        return self.scores(self.projector(self.trunk(view)))

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = [self.teacher(view) for view in (one, other)]
        wanted = [sharpened(each, self.centre, TEACHER) for each in logits]
        own = [self.answer(view) for view in (one, other)]
        task = self.views.task
        parts = [self.answer(window(one, task, SMALLEST, LARGEST)) for _ in range(self.local)]
        pairs = [(own[1], wanted[0]), (own[0], wanted[1])]
        pairs += [(part, each) for part in parts for each in wanted]
        loss = torch.stack([cross_entropy(*pair, STUDENT) for pair in pairs]).mean()
        if self.training:
            self.centre.lerp_(mean_logits(torch.cat(logits)), FOLLOWING)
        return loss, *wanted

    def after_step(self) -> None:
        self.teacher.follow(self.student(), self.progress, self.momentum)


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 256,
    outputs: int = 64,
    prototypes: int = 64,
    momentum: float = 0.99,
    local: int = 2,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> DINO:
    """The projector has a hidden layer of ``width`` numbers, and ``outputs``, near to ``prototypes``.

    Of the teacher ``momentum`` is kept in a step at first. ``local`` is the number of local views.
    """
    return DINO(network, Views(task, views), width, outputs, prototypes, momentum, local, may_collapse)
