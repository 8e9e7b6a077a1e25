"""How a network learns, one file a method: supervised, and without labels.

A method is a module with a function ``build(network, training, task, **hyperparameters) -> Method``: dropping
a file in this package is all that a new one needs. With ``LABELLED = False`` it is given all objects of a
part, and no target of any; else those with a target, and their weights. The loop (``e2e.learning.fit``) knows
nothing else of it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from e2e import families
from e2e.learning.loop import CLIP, Settings, one_cycle

if TYPE_CHECKING:
    from e2e.learning.batches import Batch, Objects
    from e2e.tasks import Task


class Method(nn.Module):
    """What a training minimises, and by which modules.

    Modules and buffers that are its attributes are trained, moved to the device, and kept in checkpoints:
    the network or its trunk, what is put on top of it, teachers (without ``requires_grad``), queues. Random
    numbers of its views come from torch's global generator, which the loop seeds in each epoch.
    """

    keeps_last = False  # the weights of the last epoch, rather than those of the lowest validation loss
    clip: float | None = CLIP  # largest norm of the gradients of a step
    augmentation: Mapping[str, float] = {}  # of the settings; for its views, see augmentation.random_changes
    progress = 0.0  # share of the training's steps that have been done; the loop counts

    @property
    def watched(self) -> Mapping[str, Metric]:
        """What the history tells of the validation part beside the loss."""
        return {}

    def training_loss(self, batch: Batch) -> Tensor:
        """The loss of a step: views of the batch, and what the modules make of them."""
        raise NotImplementedError

    def validation_loss(self, batch: Batch) -> Tensor:
        """The mean loss of a batch of the validation part; ``watched`` are updated."""
        raise NotImplementedError

    def after_step(self) -> None:
        """What happens once the weights have moved: a teacher follows, say."""

    def after_epoch(self, values: Mapping[str, float]) -> None:
        """What it makes of an epoch's row of the history; an E2EError, of a collapse, ends the training."""

    def optimiser(
        self, settings: Settings, steps: int, fused: bool
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """How the weights move, and the learning rate of each of all ``steps``.

        AdamW, and one cycle of the learning rate. ``fused`` is faster, where the loop allows it.
        """
        moved = [weights for weights in self.parameters() if weights.requires_grad]
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in moved if p.ndim > 1], "weight_decay": settings.weight_decay},
                # biases, normalisation
                {"params": [p for p in moved if p.ndim <= 1], "weight_decay": 0.0},
            ],
            fused=fused,
        )
        return optimizer, one_cycle(optimizer, settings, steps)

    def result(self) -> nn.Module:
        """What has learnt, and is kept: the network, or of a pretraining a module with ``trunk`` alone."""
        raise NotImplementedError

    def conclude(self, validation: Objects, settings: Settings) -> dict[str, Any]:
        """What the file of the result tells beside its weights, found on the validation part."""
        return {}


def methods() -> list[str]:
    """Names of the modules of this package that have a ``build`` function of their own."""
    return families.families(sys.modules[__name__])


def labelled(method: str) -> bool:
    """Whether a method learns from targets; raises E2EError as ``build`` does."""
    return getattr(families.family(sys.modules[__name__], "method", method), "LABELLED", True)


def build(method: str, network: nn.Module, training: Objects, task: Task, **hyperparameters: Any) -> Method:
    """A method for a network that learns from the ``training`` part.

    ``hyperparameters`` are those of the method's own ``build``. Raises E2EError for a method or a
    hyperparameter that does not exist, naming those that do, and for unsuitable values.
    """
    return families.build(sys.modules[__name__], "method", method, network, training, task, **hyperparameters)
