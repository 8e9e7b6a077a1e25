"""The last part of every network: from features of an object to its logit, or its mass."""

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
REACH = 8.0  # standard deviations within which masses lie, so that no answer is infinite


class Mass(nn.Module):
    """Numbers of order one [N] -> masses in GeV [N]: the exponential of a standardised logarithm.

    Masses are positive, and a relative precision is what an experiment asks for.
    """

    def __init__(self):
        super().__init__()
        mean, spread = MASS_RANGE
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("spread", torch.tensor(spread))

    def forward(self, standardised: Tensor) -> Tensor:
        standardised = standardised.float()  # mixed precision would round a logarithm of 4 to 1 %
        return torch.exp(self.mean + self.spread * REACH * torch.tanh(standardised / REACH))


def answer(task: Task) -> nn.Module:
    """From the numbers of the last layer to what a network is asked: logits, or masses."""
    match task.goal:
        case Classification():
            return nn.Identity()
        case Regression():
            return Mass()


class Network(nn.Module):
    """Raw frames [N, C, H, W] -> logits [N] of ``classes[1]``, or of a regression masses [N] in GeV.

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
        self.head = head(features, hidden, task.goal.outputs)
        self.single = task.goal.outputs == 1  # a number an object, not one for each class
        self.answer = answer(task)

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

    def set_target_range(self, mean: float, spread: float) -> None:
        """Of a regression: mean and standard deviation of log(mass / GeV) of the training targets."""
        self.answer.mean.fill_(mean)
        self.answer.spread.fill_(spread)

    def set_scalar_range(self, scalars: Tensor) -> None:
        """Tell a network that takes scalars how those [N, S] of the training part are distributed."""
        if self.scalars:
            self.scalars[0].set_range(scalars)

    def forward(self, frames: Tensor, scalars: Tensor | None = None) -> Tensor:
        features = self.dropout(self.trunk(frames))
        if self.moments:
            features = torch.cat((features, self.moments(frames)), dim=1)
        if self.scalars:
            features = torch.cat((features, self.scalars(scalars)), dim=1)
        numbers = self.head(features)
        return self.answer(numbers.squeeze(1) if self.single else numbers)
