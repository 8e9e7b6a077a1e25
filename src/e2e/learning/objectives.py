"""What a training minimises and watches: for classes, and for a mass."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanAbsoluteError, Metric
from torchmetrics.classification import BinaryAUROC

from e2e.tasks import Task


class Classification(nn.Module):
    """Binary cross-entropy of logits; watched is the area under the ROC curve, without weights."""

    watched = "auc"

    def __init__(self):
        super().__init__()
        self.metric: Metric = BinaryAUROC()

    def loss(self, logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over logits, targets (0 or 1) and weights [N]."""
        return functional.binary_cross_entropy_with_logits(logit.float(), target, weight)

    def watch(self, logit: Tensor, target: Tensor) -> None:
        self.metric.update(logit.float(), target.int())


class Regression(nn.Module):
    """Huber loss (Ann. Math. Statist. 35, 1964, 73) of logarithms of masses, in units of ``spread``.

    ``mean`` and ``spread`` are those of the logarithms of the training targets (GeV): errors of equal
    share count equally, and outliers linearly. Watched is the mean absolute error in GeV.
    """

    watched = "mae"

    def __init__(self, mean: float, spread: float):
        super().__init__()
        self.mean, self.spread = mean, spread
        self.metric: Metric = MeanAbsoluteError()

    def loss(self, mass: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Mean over masses, targets (GeV) and weights [N]."""
        difference = (mass.float().log() - target.log()) / self.spread
        losses = functional.huber_loss(difference, torch.zeros_like(difference), reduction="none")
        return (losses * weight).mean()

    def watch(self, mass: Tensor, target: Tensor) -> None:
        self.metric.update(mass.float(), target)


def objective(task: Task, target: NDArray[np.float32]) -> Classification | Regression:
    """That of a task whose training part has the targets ``target`` [N]."""
    if task.classes:
        return Classification()
    logarithms = np.log(target.astype(np.float64))
    return Regression(float(logarithms.mean()), float(logarithms.std()))
