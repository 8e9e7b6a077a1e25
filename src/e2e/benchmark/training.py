"""Steps of training a network, as fast as a device goes: no data are read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def synchronize(device: torch.device) -> None:
    """Wait for what a device was given to do."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


class Training:
    """Steps of training a network on a device, on one batch again and again.

    ``mixed`` computes in bfloat16 where PyTorch holds that to be safe. ``beside`` the frames there may be
    scalars.
    """

    def __init__(
        self,
        network: nn.Module,
        frames: torch.Tensor,
        device: str | torch.device,
        mixed: bool = False,
        beside: Sequence[torch.Tensor] = (),
    ):
        self.network = network.to(device, memory_format=torch.channels_last).train()
        self.frames, self.beside = frames.to(device), [given.to(device) for given in beside]
        self.target = (torch.arange(len(frames), device=device) % 2).float()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.precision = torch.autocast(self.frames.device.type, torch.bfloat16, enabled=mixed)
        self()

    def __call__(self, steps: int = 1) -> int:
        """Do some steps; returns the number of objects in them."""
        for _ in range(steps):
            self.optimizer.zero_grad()
            with self.precision:
                logit = self.network(self.frames, *self.beside)
            target = self.target if logit.ndim == 1 else self.target[:, None].expand_as(logit)
            nn.functional.binary_cross_entropy_with_logits(logit.float(), target).backward()
            self.optimizer.step()
        synchronize(self.frames.device)
        return steps * len(self.frames)
