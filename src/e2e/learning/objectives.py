"""What a training minimises and watches: for classes, and for a mass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanAbsoluteError, Metric
from torchmetrics.classification import BinaryAUROC, MulticlassAUROC

from e2e.errors import E2EError
from e2e.models.network import Mass
from e2e.tasks import Classification, Regression, Task


class CrossEntropy(nn.Module):
    """Cross-entropy of logits; watched is the area under the ROC curve, without weights.

    Of two classes there is one logit; of more, one for each, and the area is the mean of those of each class
    against all others.
    """

    watched = "auc"
    calibrated = True  # its logits are to be divided by a temperature

    def __init__(self, outputs: int):
        super().__init__()
        self.binary = outputs == 1
        self.metric: Metric = BinaryAUROC() if self.binary else MulticlassAUROC(outputs)

    def prepare(self, network: nn.Module) -> None:
        """Nothing that a classifier has to know of the targets."""

    def numbers(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """What the loss takes of a network."""
        return network(*inputs)

    def loss(self, logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over logits [N] or [N, K], targets (0, 1, ...) and weights [N]."""
        if self.binary:
            return functional.binary_cross_entropy_with_logits(logit.float(), target, weight)
        losses = functional.cross_entropy(logit.float(), target.long(), reduction="none")
        return (losses * weight).mean()

    def watch(self, logit: Tensor, target: Tensor) -> None:
        self.metric.update(logit.float(), target.int())


class Likelihood(nn.Module):
    """Minus the logarithm of the likelihood of masses, in the distributions of ``Mass``.

    ``mean`` and ``spread`` are those of the logarithms of the training targets (GeV): errors of equal share
    count equally. Watched is the mean absolute error in GeV, of the median.
    """

    watched = "mae"
    calibrated = False

    def __init__(self, mean: float, spread: float):
        super().__init__()
        self.mean, self.spread = mean, spread
        self.answer = Mass()
        self.answer.set_range(mean, spread)
        self.metric: Metric = MeanAbsoluteError()

    def prepare(self, network: nn.Module) -> None:
        """Tell a network the range of the targets; raises E2EError for one that tells no distribution."""
        if not isinstance(getattr(network, "answer", None), Mass):
            raise E2EError(
                "the network of a regression must tell how its mass is distributed: let its `build` return a"
                " Network of e2e.models.network (docs/how-to/my-own-network.md)"
            )
        network.answer.set_range(self.mean, self.spread)

    def numbers(self, network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
        """What the loss takes of a network."""
        return network.numbers(*inputs)

    def loss(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over logits of bins [N, B], targets (GeV) and weights [N]."""
        return (self.answer.losses(logits, target) * weight).mean()

    def watch(self, logits: Tensor, target: Tensor) -> None:
        self.metric.update(self.answer(logits)[:, 0], target)


Objective = CrossEntropy | Likelihood


def objective(task: Task, target: NDArray[np.float32]) -> Objective:
    """That of a task whose training part has the targets ``target`` [N]."""
    match task.goal:
        case Classification():
            return CrossEntropy(task.goal.outputs)
        case Regression():
            logarithms = np.log(target.astype(np.float64))
            return Likelihood(float(logarithms.mean()), float(logarithms.std()))
