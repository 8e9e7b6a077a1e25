"""What methods without labels minimise, as functions of the vectors that their networks make.

Each is the mean over a batch, of all processes together where one object is compared with others; all of
them compute in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from e2e.learning.gathering import gather, normalised, processes, total


def nt_xent(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy of two views [N, D] (SimCLR, arXiv 2002.05709, eq. 1).

    Of each of the 2 N vectors, the other view of the same object is to be found among the 2 N - 1 other
    vectors, by cosines over ``temperature``.
    """
    one, other = (gather(normalised(view)) for view in (one, other))
    vectors = torch.cat((one, other))
    similarity = vectors @ vectors.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(len(vectors), dtype=torch.bool, device=one.device), -torch.inf
    )
    partner = torch.arange(len(vectors), device=one.device).roll(len(one))
    return functional.cross_entropy(similarity, partner)


def regression(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of the directions of two vectors [N, D] (BYOL, arXiv 2006.07733, eq. 2): 2 - 2 cos."""
    return 2.0 - 2.0 * (normalised(prediction) * normalised(target)).sum(dim=1).mean()


def sharpened(logits: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Probabilities [N, K] of a teacher, centred and sharpened (DINO, arXiv 2104.14294, eq. 1)."""
    return torch.softmax((logits.float() - centre) / temperature, dim=1)


def cross_entropy(logits: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Of a student's logits [N, K] and what it is to say (DINO, eq. 2; SwAV, arXiv 2006.09882, eq. 2)."""
    return -(probabilities * torch.log_softmax(logits.float() / temperature, dim=1)).sum(dim=1).mean()


def mean_logits(logits: Tensor) -> Tensor:
    """Mean [K] over a batch, of all processes (DINO, eq. 4)."""
    return total(logits.float().mean(dim=0)) / processes()


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Codes [N, K] of a batch's scores: all prototypes are used equally (SwAV, arXiv 2006.09882, eq. 3 to 5).

    ``epsilon`` is the weight of the entropy. Rows of several processes are one batch; each gets its own. In
    logarithms, so that no score is too large.
    """
    plan = scores.float() / epsilon
    for _ in range(iterations):
        plan = plan - gather(plan.logsumexp(dim=0, keepdim=True)).logsumexp(dim=0)
        plan = plan.log_softmax(dim=1)
    return plan.exp()


def vicreg(one: Tensor, other: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Of two views [N, D], with the weights of its terms (VICReg, arXiv 2105.04906, eq. 1 to 6).

    Views of an object lie together; each dimension has a standard deviation of at least 1; no two dimensions
    of a view are correlated. As in the authors' code, whose weights one takes, the first term is a mean over
    dimensions, too, and the second one over both views.
    """
    one, other = (gather(view.float()) for view in (one, other))
    loss = invariance * functional.mse_loss(one, other)
    for view in (one, other):
        centred = view - view.mean(dim=0)
        products = centred.T @ centred / (len(view) - 1)
        spread = torch.sqrt(products.diagonal() + 1e-4)
        others = products.square().sum() - products.diagonal().square().sum()
        loss = loss + variance * torch.relu(1.0 - spread).mean() / 2 + covariance * others / view.shape[1]
    return loss


def reconstruction(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of hidden cells [cells, C], and of these alone (MAE, arXiv 2111.06377, section 3).

    The processes may have different numbers of them: the mean over processes is that over all cells.
    """
    cells = total(torch.tensor(float(target.numel()), device=target.device)) / processes()
    return (prediction.float() - target.float()).square().sum() / cells.clamp(min=1)
