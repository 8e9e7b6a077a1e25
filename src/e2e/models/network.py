"""The last part of every network: from features of an object to its logit, or to its mass and width."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.models.layers import head
from e2e.models.preprocessing import Moments, Scalars, is_energy_and_time
from e2e.models.trunk import Trunk
from e2e.tasks import Classification, Regression, Task

# Mean and standard deviation of log(mass / GeV) before the targets are known: 5 to 200 GeV.
MASS_RANGE = (math.log(30.0), 1.0)


class Mass(nn.Module):
    """From the numbers of the last layer, logits [N, ``BINS``], to masses and their widths in GeV [N, 2].

    The logits are those of bins of log(mass), ``WIDTH`` standard deviations of the training targets each,
    about their mean: a distribution of any shape, flat within a bin. Its median is the mass, which makes the
    mean absolute error the least. The width is half the distance between the quantiles of 16 and 84 %, times
    a ``scale`` by which 68 % of the objects of a validation part lie within it.

    Masses are positive and finite, and a relative precision is what an experiment asks for. That a histogram
    and its cross-entropy learn a number at least as well as the number alone: arXiv 2403.03950; CMS's own
    regression of b jets gives energy and resolution (arXiv 1912.06046).
    """

    BINS, WIDTH = 50, 0.2
    SMEARING = 0.75  # bins, by which a target is spread over its neighbours (arXiv 2403.03950)
    QUANTILES = (0.16, 0.5, 0.84)

    def __init__(self) -> None:
        super().__init__()
        mean, spread = MASS_RANGE
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("spread", torch.tensor(spread))
        self.register_buffer("scale", torch.tensor(1.0))
        # Products of matrices: older opsets add up no columns.
        self.register_buffer("before", torch.ones(self.BINS, self.BINS).triu(1), persistent=False)
        self.register_buffer("levels", torch.tensor(self.QUANTILES)[:, None], persistent=False)

    def set_range(self, mean: float, spread: float) -> None:
        """Tell mean and standard deviation of log(mass / GeV) of the training targets."""
        self.mean.fill_(mean)
        self.spread.fill_(spread)

    def forward(self, logits: Tensor) -> Tensor:
        share = torch.softmax(logits.float(), dim=1)  # mixed precision would round a logarithm of 4 to 1 %
        below = share @ self.before
        # How much of each bin lies below a quantile: all, nothing, or of one bin a part.
        parts = (self.levels - below.unsqueeze(1)) / (share.unsqueeze(1) + 1e-9)
        standardised = self.WIDTH * (parts.clamp(0.0, 1.0).sum(dim=2) - self.BINS / 2)
        low, median, high = torch.exp(self.mean + self.spread * standardised).unbind(dim=1)
        return torch.stack((median, self.scale * (high - low) / 2.0), dim=1)

    def losses(self, logits: Tensor, mass: Tensor) -> Tensor:
        """Minus the logarithms of the likelihoods [N] of masses in GeV [N], but for a constant."""
        place = (mass.log() - self.mean) / (self.spread * self.WIDTH) + self.BINS / 2
        edges = torch.arange(self.BINS + 1, device=mass.device)
        within = place.clamp(0.5, self.BINS - 0.5)[:, None]
        normal = torch.special.ndtr((edges - within) / self.SMEARING)
        target = normal.diff(dim=1) / (normal[:, -1:] - normal[:, :1])
        return -(target * torch.log_softmax(logits.float(), dim=1)).sum(dim=1)


def answer(task: Task) -> nn.Module:
    """From the numbers of the last layer to what a network is asked: logits, or masses and widths."""
    match task.goal:
        case Classification():
            return nn.Identity()
        case Regression():
            return Mass()


class Network(nn.Module):
    """Raw frames [N, C, H, W] -> logits [N] of ``classes[1]``, or masses and widths [N, 2] in GeV.

    Of more than two classes there are logits [N, K], one for each.

    Of the features of the ``trunk`` each is missing in training with the probability ``dropout`` (J. Mach.
    Learn. Res. 15, 2014, 1929). Of jets, ``Moments`` are set beside them, after a hidden layer of their own,
    and so are the task's ``Scalars`` [N, S], if it has any. One hidden layer follows. Raises E2EError for a
    ``dropout`` outside [0, 1), and for scalars without a scale.
    """

    frozen = False

    def __init__(self, task: Task, trunk: Trunk, hidden: int, dropout: float = 0.0):
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise E2EError(f"dropout {dropout} is no probability below 1; choose one, 0 for none")
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        features = trunk.features
        self.moments = None
        if not is_energy_and_time(task):
            moments = Moments(task)
            self.moments = nn.Sequential(moments, nn.Linear(moments.features, hidden), nn.ReLU())
            features += hidden
        self.takes, self.scalars = None, None  # see models.takes
        if task.scalars:
            self.takes = task
            self.scalars = nn.Sequential(Scalars(task), nn.Linear(len(task.scalars), hidden), nn.ReLU())
            features += hidden
        self.answer = answer(task)
        numbers = self.answer.BINS if isinstance(self.answer, Mass) else task.goal.outputs
        self.head = head(features, hidden, numbers)
        self.single = numbers == 1  # a number an object, not one for each class

    def freeze(self) -> None:
        """From now on the trunk stays as it is, statistics of batch normalisations included."""
        self.trunk.requires_grad_(False)
        self.frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Network:
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def set_scalar_range(self, scalars: Tensor) -> None:
        """Tell a network that takes scalars how those [N, S] of the training part are distributed."""
        if self.scalars:
            self.scalars[0].set_range(scalars)

    def numbers(self, frames: Tensor, scalars: Tensor | None = None) -> Tensor:
        """What the last layer says: logits, or of a regression what ``Mass`` takes."""
        features = self.dropout(self.trunk(frames))
        if self.moments:
            features = torch.cat((features, self.moments(frames)), dim=1)
        if self.scalars:
            features = torch.cat((features, self.scalars(scalars)), dim=1)
        numbers = self.head(features)
        return numbers.squeeze(1) if self.single else numbers

    def forward(self, frames: Tensor, scalars: Tensor | None = None) -> Tensor:
        return self.answer(self.numbers(frames, scalars))
