"""A trained network with the outputs that its exported graph has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from e2e.deploy.contract import MASS, outputs
from e2e.models.saved import load, task_of
from e2e.tasks import Task


class Deployed(nn.Module):
    """frames [N, C, H, W] -> (score [N], logit [N]) of a classifier, (mass [N], width [N]) of a regression.

    A network of a task with scalars [N, S] takes these, too. Score and logit of more than two classes are
    [N, K]. The logit is that of the network divided by
    ``temperature``, the score its sigmoid, or softmax. ``near_ties``: see
    ``Contract``; a network says so by an attribute ``dynamic_graph`` that is true.
    """

    def __init__(self, network: nn.Module, task: Task, temperature: float = 1.0):
        super().__init__()
        self.network = network
        self.task = task
        self.temperature = temperature
        self.near_ties = bool(getattr(network, "dynamic_graph", False))

    def forward(self, frames: Tensor, scalars: Tensor | None = None) -> tuple[Tensor, ...]:
        output = self.network(frames) if scalars is None else self.network(frames, scalars)
        first, *_ = outputs(self.task)
        if first == MASS:
            return output[:, 0], output[:, 1]
        logit = output / self.temperature
        return torch.sigmoid(logit) if first.size is None else torch.softmax(logit, dim=1), logit


def deployed(model_pt: str | Path) -> tuple[Deployed, dict[str, Any]]:
    """The network of a file of ``e2e.models.saved``, on the CPU and in evaluation mode, and its ``info``.

    Raises E2EError for a file that is not such a model.
    """
    network, info = load(model_pt)
    task = task_of(info).oriented(info["training_data"].get("orientation"))
    return Deployed(network, task, info.get("temperature", 1.0)).cpu().eval(), info
