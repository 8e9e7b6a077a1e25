"""What methods without labels have in common: two views, a projector, a teacher, an alarm at a collapse."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from e2e.errors import E2EError
from e2e.learning.augmentation import random_changes
from e2e.learning.batches import Batch
from e2e.learning.collapse import LEAST_RANK, LEAST_SPREAD, Alignment, EffectiveRank, Spread, Uniformity
from e2e.learning.gathering import gather_statistics, normalised
from e2e.learning.methods import Method
from e2e.learning.views import Views
from e2e.models.trunk import Trunk

ALARM = 0.5  # share of the steps after which a collapse ends a training: before, it may recover
STILL = 0.05  # share of the steps in which prototypes do not move


class Pretraining(Method):
    """A trunk that learns from two views of each object, whose ``dimensions`` numbers are watched.

    Subclasses define ``compare``. A collapse ends the training, unless it ``may_collapse``.
    """

    keeps_last = True  # the loss of such a task tells little of the features

    def __init__(self, network: nn.Module, views: Views, dimensions: int, may_collapse: bool = False):
        super().__init__()
        self.trunk = trunk_of(network)
        self.views = views
        self.may_collapse = may_collapse
        self.rank, self.spread = EffectiveRank(dimensions), Spread(dimensions)
        self.alignment, self.uniformity = Alignment(), Uniformity()

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The loss of two views of the same objects, and what is watched: a vector [N, D] of each view."""
        raise NotImplementedError

    @property
    def watched(self) -> Mapping[str, Metric]:
        return {
            "effective_rank": self.rank,
            "spread": self.spread,
            "alignment": self.alignment,
            "uniformity": self.uniformity,
        }

    def training_loss(self, batch: Batch) -> Tensor:
        frames = random_changes(batch.frames, self.views.task, self.augmentation)
        return self.compare(self.views(frames), self.views(frames))[0]

    def validation_loss(self, batch: Batch) -> Tensor:
        loss, one, other = self.compare(self.views(batch.frames), self.views(batch.frames))
        self.rank.update(one)
        self.spread.update(one)
        self.alignment.update(one, other)
        self.uniformity.update(one)
        return loss

    def after_epoch(self, values: Mapping[str, float]) -> None:
        rank, spread = values["validation_effective_rank"], values["validation_spread"]
        collapsed = rank < LEAST_RANK or spread < LEAST_SPREAD
        if collapsed and self.progress >= ALARM and not self.may_collapse:
            raise E2EError(
                f"collapsed: after epoch {values['epoch']} all objects look alike (effective rank {rank:.3g},"
                f" at least {LEAST_RANK}; spread of a dimension {spread:.3g}, at least {LEAST_SPREAD}); lower"
                " trainer.learning_rate, raise trainer.batch_size, or let it with `may_collapse: true`"
            )

    def result(self) -> nn.Module:
        return nn.ModuleDict({"trunk": self.trunk})


class Clustering(Pretraining):
    """One that says of an object how near it is to each of K ``prototypes``: a projector, and these.

    Raises what ``Pretraining`` raises.
    """

    def __init__(
        self, network: nn.Module, views: Views, width: int, outputs: int, prototypes: int, may_collapse: bool
    ):
        super().__init__(network, views, prototypes, may_collapse)
        self.projector = projector((self.trunk.features, width, outputs))
        self.prototypes = Prototypes(outputs, prototypes)

    def scores(self, vectors: Tensor) -> Tensor:
        """Cosines [N, K] of projected vectors [N, D] with the prototypes, which at first do not move."""
        return self.prototypes(vectors, self.training and self.progress < STILL)


def trunk_of(network: nn.Module) -> Trunk:
    """The trunk of a network, with the statistics of all processes; raises E2EError where there is none."""
    trunk = getattr(network, "trunk", None)
    if not isinstance(trunk, Trunk):
        raise E2EError(
            "this network has no trunk that could learn without labels"
            " (docs/how-to/my-own-network.md says how to give it one)"
        )
    gather_statistics(trunk)
    return trunk


def projector(sizes: Sequence[int], last: bool = False) -> nn.Sequential:
    """Linear layers of ``sizes``, all but the last with batch normalisation and a rectifier.

    With ``last`` the last one is normalised, too, without weights (SimCLR's, arXiv 2002.05709).
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    layers.append(nn.Linear(*sizes[-2:], bias=not last))
    if last:
        layers.append(nn.BatchNorm1d(sizes[-1]))
    made = nn.Sequential(*layers)
    gather_statistics(made)
    return made


class Prototypes(nn.Module):
    """Cosines [N, K] of vectors [N, D] with K directions that are learned."""

    def __init__(self, dimensions: int, number: int):
        super().__init__()
        self.directions = nn.Parameter(normalised(torch.randn(number, dimensions)))

    def forward(self, vectors: Tensor, still: bool = False) -> Tensor:
        """``still``: they do not move, as in the first steps of SwAV and DINO."""
        directions = normalised(self.directions)
        if still:  # weights of a process of several must have a gradient
            directions = directions.detach() + 0.0 * directions
        return normalised(vectors) @ directions.T


class Teacher(nn.Module):
    """A network that follows another one slowly, and learns nothing by itself."""

    def __init__(self, student: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        return self.network(frames)

    @torch.no_grad()
    def follow(self, student: nn.Module, progress: float, momentum: float) -> None:
        """Keep a share of what it was: ``momentum`` at first, all at the end (arXiv 2006.07733)."""
        kept = 1.0 - (1.0 - momentum) * (math.cos(math.pi * progress) + 1.0) / 2.0
        for slow, fast in zip(self.network.parameters(), student.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - kept)
