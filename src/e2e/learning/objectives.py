"""What a training minimises and watches: for classes, and for a mass."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanAbsoluteError, Metric
from torchmetrics.classification import BinaryAUROC, MulticlassAUROC

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

    def loss(self, logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over logits [N] or [N, K], targets (0, 1, ...) and weights [N]."""
        if self.binary:
            return functional.binary_cross_entropy_with_logits(logit.float(), target, weight)
        losses = functional.cross_entropy(logit.float(), target.long(), reduction="none")
        return (losses * weight).mean()

    def watch(self, logit: Tensor, target: Tensor) -> None:
        self.metric.update(logit.float(), target.int())


class Huber(nn.Module):
    """Huber loss (Ann. Math. Statist. 35, 1964, 73) of logarithms of masses, in units of ``spread``.

    ``mean`` and ``spread`` are those of the logarithms of the training targets (GeV): errors of equal
    share count equally, and outliers linearly. Watched is the mean absolute error in GeV.
    """

    watched = "mae"
    calibrated = False

    def __init__(self, mean: float, spread: float):
        super().__init__()
        self.mean, self.spread = mean, spread
        self.metric: Metric = MeanAbsoluteError()

    def prepare(self, network: nn.Module) -> None:
        """Tell a network the range of the targets, if it has a place for it; networks of others may not."""
        if hasattr(network, "set_target_range"):
            network.set_target_range(self.mean, self.spread)

    def loss(self, mass: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over masses, targets (GeV) and weights [N]."""
        difference = (mass.float().log() - target.log()) / self.spread
        losses = functional.huber_loss(difference, torch.zeros_like(difference), reduction="none")
        return (losses * weight).mean()

    def watch(self, mass: Tensor, target: Tensor) -> None:
        self.metric.update(mass.float(), target)


Objective = CrossEntropy | Huber


def objective(task: Task, target: NDArray[np.float32]) -> Objective:
    """That of a task whose training part has the targets ``target`` [N]."""
    match task.goal:
        case Classification():
            return CrossEntropy(task.goal.outputs)
        case Regression():
            logarithms = np.log(target.astype(np.float64))
            return Huber(float(logarithms.mean()), float(logarithms.std()))
