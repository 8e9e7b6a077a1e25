"""Masked reconstruction (after arXiv 2111.06377): what was in the cells that are hidden.

Most cells of a frame are empty: hits are hidden and asked for, not patches of nothing. Asked are energies and
numbers of hits; times and impact parameters of single cells are mostly noise. The answer comes from the
features and the place of a cell, so any trunk will do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.learning.batches import Objects
from e2e.learning.losses import reconstruction
from e2e.learning.methods.pretraining import Pretraining, trunk_of
from e2e.learning.views import Views
from e2e.tasks import Task

LABELLED = False

SCALES = {"GeV": 0.042, "hits": 1.0}  # below them logarithms are linear; the noise of a crystal
WAVES = 6  # that tell the place of a cell, along each axis


class Decoder(nn.Module):
    """Features [N, D], and of each asked cell its object and place -> ``outputs`` numbers of the cell."""

    def __init__(self, features: int, width: int, outputs: int, task: Task):
        super().__init__()
        self.crop = task.crop
        self.of_object = nn.Linear(features, width)
        self.of_place = nn.Linear(4 * WAVES, width)
        self.answer = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, features: Tensor, owner: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return self.answer(self.of_object(features)[owner] + self.of_place(self._waves(row, column)))

    def _waves(self, row: Tensor, column: Tensor) -> Tensor:
        """Sines and cosines [cells, 4 WAVES] of the place relative to the seed."""
        place = torch.stack((row - self.crop.seed_row, column - self.crop.seed_column), dim=1)
        number = torch.arange(WAVES, device=place.device)
        angles = math.pi * 2.0**number * place.unsqueeze(2) / max(self.crop.rows, self.crop.columns)
        return torch.cat((angles.sin(), angles.cos()), dim=2).flatten(1)


class Masked(Pretraining):
    """See ``build``."""

    def __init__(self, network: nn.Module, views: Views, width: int, share: float, may: bool):
        super().__init__(network, views, trunk_of(network).features, may)
        channels = views.task.channels
        self.asked = [place for place, channel in enumerate(channels) if channel.unit in SCALES]
        scales = torch.tensor([SCALES[channels[place].unit] for place in self.asked])
        self.register_buffer("scales", scales, persistent=False)
        self.decoder = Decoder(self.trunk.features, width, len(self.asked), views.task)
        self.share = share

    def answer(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of a view whose hits are hidden in part, and its features."""
        hit = (view != 0).any(dim=1)
        hidden = hit & (torch.rand(*hit.shape, device=view.device) < self.share)
        features = self.trunk(view * ~hidden.unsqueeze(1))
        owner, row, column = hidden.nonzero(as_tuple=True)
        values = view[owner, :, row, column][:, self.asked].clamp(min=0.0)
        target = torch.log1p(values / self.scales)
        return reconstruction(self.decoder(features, owner, row, column), target), features

    def compare(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (loss, first), (again, second) = (self.answer(view) for view in (one, other))
        return (loss + again) / 2, first, second


def build(
    network: nn.Module,
    training: Objects,
    task: Task,
    width: int = 128,
    share: float = 0.5,
    views: Mapping[str, float] | None = None,
    may_collapse: bool = False,
) -> Masked:
    """A ``share`` of the hits is hidden; layers of the decoder have ``width`` numbers.

    Raises E2EError for a share of none or all.
    """
    if not 0.0 < share < 1.0:
        raise E2EError(f"masked: a share of {share} of the hits cannot be asked of the others; choose 0.5")
    return Masked(network, Views(task, views), width, share, may_collapse)
