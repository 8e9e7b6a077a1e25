"""The first part of every network: from raw frames to what it knows of an object, whatever is asked.

A trunk is what one training may take over from another, and what is pretrained without labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Trunk(nn.Module):
    """Raw frames [N, C, H, W] -> features [N, ``features``]."""

    features: int


class TokenTrunk(Trunk):
    """A trunk that makes its features of tokens: places of a map, or hits of a cloud."""

    width: int  # of a token

    def tokens(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Raw frames -> tokens [N, T, ``width``], and a mask bool [N, T] that is False for padding."""
        raise NotImplementedError

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens and their mask -> features [N, ``features``]."""
        raise NotImplementedError

    def forward(self, frames: Tensor) -> Tensor:
        return self.pool(*self.tokens(frames))


class PlacedTokenTrunk(TokenTrunk):
    """One whose tokens each have a place of their own: all are there, and none is averaged with another.

    Subclasses define ``placed``: raw frames -> tokens [N, T, ``width``].
    """

    def placed(self, frames: Tensor) -> Tensor:
        raise NotImplementedError

    def tokens(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.placed(frames)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens.flatten(1)
