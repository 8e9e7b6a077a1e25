"""Building blocks that several networks share: convolutions, attention, and the layers before the answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from e2e.errors import E2EError


def convolution(inputs: int, outputs: int, stride: int = 1, padding: int = 1) -> nn.Sequential:
    """3 x 3 convolution and batch normalisation [N, inputs, H, W] -> [N, outputs, H', W']."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3 x 3 convolutions added to their input (arXiv 1512.03385)."""

    def __init__(self, width: int):
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width)
        # The block starts as the identity, which lets training begin at a high learning rate.
        nn.init.zeros_(self.second[1].weight)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.second(torch.relu(self.first(maps))))


class Stages(nn.Sequential):
    """Stages of residual blocks: maps [N, ``inputs``, height, width] -> [N, widths[-1], H, W].

    Stage i has ``widths[i]`` channels and ``blocks[i]`` residual blocks, at half the resolution of the one
    before: rounded down without ``padding`` of the strided convolutions, up with one of 1. The size of the
    maps that come out is (``height``, ``width``); sizes that are 1 less than a power of 2 without padding, 1
    more with it, keep the centre at the centre. Raises E2EError for lists of different or no length, or where
    nothing would be left of the maps.
    """

    def __init__(
        self,
        inputs: int,
        height: int,
        width: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        padding: int,
    ):
        if not widths or len(widths) != len(blocks):
            raise E2EError(
                f"widths {list(widths)} and blocks {list(blocks)} must have one entry a stage each"
            )
        layers = [convolution(inputs, widths[0]), nn.ReLU()]
        size = [height, width]
        for stage, (channels, depth) in enumerate(zip(widths, blocks, strict=True)):
            if stage > 0:
                layers += [convolution(widths[stage - 1], channels, stride=2, padding=padding), nn.ReLU()]
                size = [(cells - 3 + 2 * padding) // 2 + 1 for cells in size]
            layers += [Residual(channels) for _ in range(depth)]
        if min(size) < 1:
            raise E2EError(f"maps of {height} x {width} cells are too small for {len(widths)} stages")
        super().__init__(*layers)
        self.height, self.width = size


class Attention(nn.Module):
    """Self-attention of tokens [N, T, width] by ``heads`` heads (arXiv 1706.03762).

    ``pairs`` [N, heads, T, T], if there are any, are added to the logits. Raises E2EError where ``heads`` do
    not divide ``width``.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            raise E2EError(f"{heads} heads do not divide the width {width} of the transformer")
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)

    def forward(self, tokens: Tensor, pairs: Tensor | None = None) -> Tensor:
        # Selected one by one: opset 17 has no form of what splits into three.
        three = self.project(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(three[0], three[1], three[2], pairs)
        return self.join(attended.transpose(1, 2).flatten(2))


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with a rectifier between: [..., inputs] -> [..., outputs]."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class TransformerBlock(nn.Module):
    """Attention, then a perceptron of each token; each normalises what it takes and is added to it."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.before_perceptron = nn.LayerNorm(width)
        self.perceptron = perceptron(width, 2 * width, width)
        # As in ``Residual``: the block starts as the identity.
        nn.init.zeros_(self.attention.join.weight)
        nn.init.zeros_(self.perceptron[2].weight)

    def forward(self, tokens: Tensor, pairs: Tensor | None = None) -> Tensor:
        tokens = tokens + self.attention(self.before_attention(tokens), pairs)
        return tokens + self.perceptron(self.before_perceptron(tokens))


class Transformer(nn.Module):
    """Tokens [N, T, inputs], each with a place of its own, which is learned -> [N, T, width].

    ``depth`` blocks. Raises E2EError where ``heads`` do not divide ``width``.
    """

    def __init__(self, inputs: int, tokens: int, width: int, depth: int, heads: int):
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.normalise = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.normalise(self.blocks(self.embed(tokens) + self.place))


def head(features: int, hidden: int, outputs: int) -> nn.Sequential:
    """From features [N, features] through one hidden layer to numbers [N, outputs]."""
    return nn.Sequential(
        nn.Linear(features, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )
