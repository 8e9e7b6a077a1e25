"""Whether vectors still tell objects apart: what a training without labels is watched by."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric

from e2e.learning.gathering import normalised

# Below either of them nothing is left to learn from: vectors point the same way, or lie on a line.
LEAST_SPREAD = 0.1
LEAST_RANK = 1.2


class Moments(Metric):
    """Sums over vectors [N, D] of length 1: number, mean, and products of dimensions."""

    full_state_update = False

    def __init__(self, dimensions: int):
        super().__init__()
        for name, shape in (("number", ()), ("first", (dimensions,)), ("second", (dimensions, dimensions))):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, vectors: Tensor) -> None:
        vectors = normalised(vectors).double()
        self.number += len(vectors)
        self.first += vectors.sum(dim=0)
        self.second += vectors.T @ vectors

    def covariance(self) -> Tensor:
        """Of the dimensions [D, D]."""
        mean = self.first / self.number
        return self.second / self.number - torch.outer(mean, mean)


class EffectiveRank(Moments):
    """The exponential of the entropy of the singular values of centred vectors (arXiv 2210.02885, eq. 2).

    In how many directions they differ; 1 where these lie on a line.
    """

    def compute(self) -> Tensor:
        values = torch.linalg.eigvalsh(self.covariance()).clamp(min=0.0).sqrt()
        shares = values / values.sum().clamp(min=1e-12)
        return torch.exp(torch.special.entr(shares).sum()).float()


class Spread(Moments):
    """Mean standard deviation of a dimension, times the root of their number (arXiv 2011.10566, section 4.1).

    1 where vectors point everywhere, 0 where all are the same.
    """

    def compute(self) -> Tensor:
        deviations = self.covariance().diagonal().clamp(min=0.0).sqrt()
        return (deviations.mean() * len(deviations) ** 0.5).float()


class Alignment(MeanMetric):
    """Mean squared distance of two views of an object (arXiv 2005.10242, eq. 1), of vectors of length 1."""

    def update(self, one: Tensor, other: Tensor) -> None:
        super().update((normalised(one) - normalised(other)).square().sum(dim=1))


class Uniformity(MeanMetric):
    """Logarithm of the mean of exp(-2 d^2) of objects at distances d (arXiv 2005.10242, eq. 2).

    0 where all are one. Pairs within a batch count.
    """

    def update(self, vectors: Tensor) -> None:
        vectors = normalised(vectors)
        if len(vectors) > 1:
            super().update(torch.exp(-2.0 * torch.pdist(vectors).square()))

    def compute(self) -> Tensor:
        return super().compute().log()
