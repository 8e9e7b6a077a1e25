"""SimCLR (arXiv 2002.05709): among all views of a batch, find the other one of the same object.

Three layers of projection, as in SimCLRv2 (arXiv 2006.10029). Unlike there, AdamW instead of LARS, since
batches are small.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from e2e.learning.batches import Objects
from e2e.learning.losses import nt_xent
from e2e.learning.methods.pretraining import Pretraining, projector
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False


class SimCLR(Pretraining):
    """See ``build``."""

    def __init__(
        self, network: nn.Module, views: Views, width: int, outputs: int, temperature: float, may: bool
    ):
        super().__init__(network, views, outputs, may)
        self.projector = projector((self.trunk.features, width, width, outputs), last=True)
        self.temperature = temperature

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = (self.projector(self.trunk(view)) for view in (one, other))
        return nt_xent(first, second, self.temperature), first, second


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 256,
    outputs: int = 64,
    temperature: float = 0.2,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> SimCLR:
    """Hidden layers of the projector have ``width`` numbers, its last one ``outputs``."""
    return SimCLR(network, Views(task, views), width, outputs, temperature, may_collapse)
