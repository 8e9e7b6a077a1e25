"""BYOL (arXiv 2006.07733): foretell what a teacher, which follows slowly, makes of another view.

Unlike there, AdamW instead of LARS, and a momentum that begins at 0.99, as for its short trainings.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from e2e.learning.batches import Objects
from e2e.learning.losses import regression
from e2e.learning.methods.pretraining import Pretraining, Teacher, projector
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False


class BYOL(Pretraining):
    """See ``build``."""

    def __init__(
        self, network: nn.Module, views: Views, width: int, outputs: int, momentum: float, may: bool
    ):
        super().__init__(network, views, outputs, may)
        self.projector = projector((self.trunk.features, width, outputs))
        self.predictor = projector((outputs, width, outputs))
        self.teacher = Teacher(self.student())
        self.momentum = momentum

    def student(self) -> nn.Sequential:
        """What the teacher follows."""
        return nn.Sequential(self.trunk, self.projector)

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = (self.projector(self.trunk(view)) for view in (one, other))
        loss = regression(self.predictor(first), self.teacher(other))
        loss = loss + regression(self.predictor(second), self.teacher(one))
        return loss, first, second

    def after_step(self) -> None:
        self.teacher.follow(self.student(), self.progress, self.momentum)


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 256,
    outputs: int = 64,
    momentum: float = 0.99,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> BYOL:
    """Projector and predictor have a hidden layer of ``width`` numbers, and ``outputs``.

    Of the teacher ``momentum`` is kept in a step at first.
    """
    return BYOL(network, Views(task, views), width, outputs, momentum, may_collapse)
