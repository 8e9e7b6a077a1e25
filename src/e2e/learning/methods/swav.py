"""SwAV (arXiv 2006.09882): foretell from one view in which cluster the other one lies; all clusters are used.

Unlike there, AdamW instead of LARS, fewer prototypes and no small crops. Vectors of earlier batches are in
the clustering from the time on when there are enough of them, since batches are small.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, distributed, nn

from e2e.learning.batches import Objects
from e2e.learning.gathering import gather, processes
from e2e.learning.losses import cross_entropy, sinkhorn
from e2e.learning.methods.pretraining import Clustering
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False

EPSILON, ITERATIONS = 0.05, 3  # of Sinkhorn and Knopp


class SwAV(Clustering):
    """See ``build``."""

    def __init__(
        self,
        network: nn.Module,
        views: Views,
        width: int,
        outputs: int,
        prototypes: int,
        temperature: float,
        queue: int,
        may: bool,
    ):
        super().__init__(network, views, width, outputs, prototypes, may)
        self.temperature = temperature
        # Of each view the latest vectors of all processes; those that are 0 have not been filled yet.
        self.register_buffer("queue", torch.zeros(2, queue, outputs))

    def codes(self, scores: Tensor, earlier: Tensor) -> Tensor:
        """Which clusters [N, K] a batch belongs to; ``earlier`` vectors are clustered with it."""
        with torch.no_grad():
            if self.training and earlier.any(dim=1).all():
                rank = distributed.get_rank() if processes() > 1 else 0
                share = self.prototypes(earlier[rank :: processes()])
                scores = torch.cat((scores, share))
        return sinkhorn(scores, EPSILON, ITERATIONS)

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = (self.projector(self.trunk(view)) for view in (one, other))
        scores = [self.scores(vectors) for vectors in (first, second)]
        codes = [
            self.codes(own.detach(), earlier)[: len(own)]
            for own, earlier in zip(scores, self.queue, strict=True)
        ]
        loss = sum(cross_entropy(scores[1 - of], codes[of], self.temperature) for of in range(2)) / 2
        if self.training:
            self._remember(first, second)
        return loss, *(torch.softmax(each / self.temperature, dim=1) for each in scores)

    @torch.no_grad()
    def _remember(self, first: Tensor, second: Tensor) -> None:
        latest = torch.stack([gather(vectors.float()) for vectors in (first, second)])
        self.queue.copy_(torch.cat((latest, self.queue), dim=1)[:, : self.queue.shape[1]])


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 256,
    outputs: int = 64,
    prototypes: int = 32,
    temperature: float = 0.1,
    queue: int = 1024,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> SwAV:
    """The projector has a hidden layer of ``width`` numbers, and ``outputs``.

    ``prototypes`` is the number of clusters, ``queue`` that of earlier vectors, 0 for none.
    """
    return SwAV(network, Views(task, views), width, outputs, prototypes, temperature, queue, may_collapse)
