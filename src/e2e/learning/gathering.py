"""Batches that several processes share: what each has of one, put together, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


def processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def gather(own: Tensor) -> Tensor:
    """Rows of all processes, which have equal numbers [N, ...] -> [processes * N, ...].

    The gradient of each process's rows is the sum of those that all processes have of them, as the mean over
    processes that is made of the gradients of weights wants it.
    """
    return own if processes() == 1 else _Gather.apply(own)


def total(own: Tensor) -> Tensor:
    """Sum over the processes of a tensor of the same shape in each, with the gradient as in ``gather``."""
    return own if processes() == 1 else _Total.apply(own)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        every = [torch.empty_like(own) for _ in range(processes())]
        distributed.all_gather(every, own.contiguous())
        return torch.cat(every)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].contiguous()
        distributed.all_reduce(summed)
        return summed.chunk(processes())[distributed.get_rank()]


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        summed = own.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed


class GatheredBatchNorm(_BatchNorm):
    """Batch normalisation with the mean and variance of the batches of all processes.

    PyTorch's own (``SyncBatchNorm``) runs on GPUs alone. Weights and buffers have the names of ``BatchNorm``,
    and of one process it is that.
    """

    def _check_input_dim(self, maps: Tensor) -> None:
        """Maps of any size."""

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training or processes() == 1:
            return super().forward(maps)
        # In float32, and as two passes: a difference of two large means would lose the variance.
        wide = maps.float()
        others = [axis for axis in range(maps.ndim) if axis != 1]
        number = wide.numel() // wide.shape[1] * processes()
        shape = [1, -1, *[1] * (maps.ndim - 2)]
        mean = total(wide.sum(dim=others)) / number
        centred = wide - mean.view(shape)
        variance = total((centred**2).sum(dim=others)) / number
        self._follow(mean.detach(), variance.detach() * number / (number - 1))
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        return (scaled * self.weight.view(shape) + self.bias.view(shape)).to(maps.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)


def gather_statistics(module: nn.Module) -> None:
    """Have each batch normalisation in a module look at the batches of all processes."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            child.__class__ = GatheredBatchNorm  # its weights, buffers and settings are the same


def normalised(vectors: Tensor) -> Tensor:
    """Vectors [N, D] of length 1, in float32."""
    return functional.normalize(vectors.float(), dim=1)
