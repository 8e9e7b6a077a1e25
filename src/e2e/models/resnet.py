"""A residual CNN (arXiv 1512.03385) whose feature maps stay centred on the seed crystal.

On a CPU the cost of an image is that of its first layers, so these are narrow and strided: the
stem looks at 5 x 5 crystals (the size of a shower's core) at every second crystal.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.models.preprocessing import CalorimeterFeatures, CentredCrop, require_energy_and_time
from e2e.tasks import Task


def convolution(inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """Convolution and batch normalisation [N, inputs, H, W] -> [N, outputs, H', W']."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Two 3 x 3 convolutions added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.first = convolution(width, width, 3, padding=1)
        self.second = convolution(width, width, 3, padding=1)
        # The block starts as the identity, which lets training begin at a high learning rate.
        nn.init.zeros_(self.second[1].weight)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.second(torch.relu(self.first(maps))))


class ResNet(nn.Module):
    """Raw frames [N, 2, H, W] (GeV, ns) -> logits [N]. See ``build``."""

    def __init__(self, task: Task, widths: Sequence[int], blocks: Sequence[int]):
        super().__init__()
        self.crop = CentredCrop(task.crop)
        self.features = CalorimeterFeatures()
        self.stem = convolution(self.features.channels, widths[0], 5, stride=2, padding=1)
        stages = []
        for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            if stage > 0:
                stages += [convolution(widths[stage - 1], width, 3, stride=2), nn.ReLU()]
            stages += [Residual(width) for _ in range(depth)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(2 * widths[-1], 1)

    def forward(self, frames: Tensor) -> Tensor:
        maps = self.stages(torch.relu(self.stem(self.features(self.crop(frames)))))
        summary = torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)
        return self.head(summary).squeeze(1)


def build(task: Task, widths: Sequence[int] = (32, 64, 128), blocks: Sequence[int] = (1, 2, 2)) -> ResNet:
    """A residual network for an energy and a time channel.

    ``widths[i]`` is the number of channels of stage i and ``blocks[i]`` its number of residual blocks;
    each stage has half the resolution of the one before. Raises E2EError if the two lists differ in
    length or the crop is too small for so many stages.
    """
    require_energy_and_time(task)
    if not widths or len(widths) != len(blocks):
        raise E2EError(
            f"resnet: widths {list(widths)} and blocks {list(blocks)} must have one entry a stage each"
        )
    if min(task.crop.rows, task.crop.columns) < 2 ** (len(widths) + 1):
        raise E2EError(
            f"resnet: {len(widths)} stages are too many for a crop of {task.crop.rows} x {task.crop.columns}"
        )
    return ResNet(task, widths, blocks)
