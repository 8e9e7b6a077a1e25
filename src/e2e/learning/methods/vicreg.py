"""VICReg (arXiv 2105.04906): views alike, no dimension without spread, no two dimensions that say the same.

Its weights are those of the paper. Unlike there, AdamW instead of LARS, and a smaller expander, since
batches are small.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from e2e.learning import losses
from e2e.learning.batches import Objects
from e2e.learning.methods.pretraining import Pretraining, projector
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False


class VICReg(Pretraining):
    """See ``build``."""

    def __init__(
        self, network: nn.Module, views: Views, width: int, weights: tuple[float, float, float], may: bool
    ):
        super().__init__(network, views, width + 1, may)
        self.expander = projector((self.trunk.features, width, width, width))
        self.weights = weights

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = (self.expander(self.trunk(view)) for view in (one, other))
        loss = losses.vicreg(first, second, *self.weights)
        # Beside a constant, since the length of these vectors counts: they could all shrink to nothing.
        return loss, *(functional.pad(vectors.float(), (0, 1), value=1.0) for vectors in (first, second))


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 256,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> VICReg:
    """All layers of the expander have ``width`` numbers; the others are weights of the terms of the loss."""
    return VICReg(network, Views(task, views), width, (invariance, variance, covariance), may_collapse)
