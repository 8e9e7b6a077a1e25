"""A small Particle Transformer (arXiv 2202.03772) on the hits of a jet: attention that knows each pair.

All hits attend to all, so no graph is built and none can differ between frameworks. What a pair of them would
be as a splitting, its angle, transverse momentum, share and mass, is added to the logits of every layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2e.geometry import CELL
from e2e.models import graph
from e2e.models.layers import TransformerBlock, perceptron
from e2e.models.network import Network
from e2e.models.preprocessing import ENERGY_SCALE_GEV, Window
from e2e.models.trunk import TokenTrunk
from e2e.tasks import Task

SPACE = {
    "points": [64, 32, 128],
    "width": [48, 32, 64],
    "depth": [3, 2, 4],
    "heads": [4, 2, 8],
    "pairs": [16, 8, 32],
    "hidden": [64, 32, 128],
}


class Pairs(nn.Module):
    """Cells [N, P, 2] and sums [N, P] in GeV -> each pair of points as a splitting: [N, P, P, 4].

    Logarithms of the angle, the transverse momentum, the share and the squared mass,

        Delta^2 = (eta_a - eta_b)^2 + (phi_a - phi_b)^2,   kT = min(pT_a, pT_b) Delta,
        z = min(pT_a, pT_b) / (pT_a + pT_b),   m^2 = 2 pT_a pT_b (cosh(eta_a - eta_b) - cos(phi_a - phi_b)),

    each shifted and scaled to order one. pT is the sum of the point and the noise of a crystal: where
    energies of the calorimeter are in it, it is larger by cosh(eta), nearly the same for all pairs of a jet.
    A hit is spread over its cell, which adds a third of the cell's area to Delta^2 on average: pairs of a
    point with itself and of padding are finite. m^2 is the first two terms of a series, right to 1 %.
    """

    FEATURES = 4
    SPREAD = CELL**2 / 3.0  # rad^2

    def __init__(self):
        super().__init__()
        # For points of some GeV, a tower to a jet apart, in round numbers.
        centre, scale = torch.tensor([[-1.5, 0.0, -2.0, -1.0], [1.0, 1.5, 1.0, 2.5]])
        self.register_buffer("centre", centre, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, cells: Tensor, sums: Tensor) -> Tensor:
        momenta = sums.clamp(min=0.0) + ENERGY_SCALE_GEV
        logarithms = torch.log(momenta)
        first, second = logarithms.unsqueeze(1), logarithms.unsqueeze(2)
        less = torch.minimum(first, second)
        eta, phi = ((place.unsqueeze(1) - place.unsqueeze(2)) ** 2 for place in (cells * CELL).unbind(dim=2))
        square = eta + phi
        angle = torch.log(square + self.SPREAD) / 2.0
        share = less - torch.log(momenta.unsqueeze(1) + momenta.unsqueeze(2))
        # 2 (cosh x - cos y) = x^2 + y^2 + (x^4 - y^4) / 12 + ...; the difference itself would be rounded.
        mass = first + second + torch.log(square * (1.0 + (eta - phi) / 12.0) + self.SPREAD)
        return (torch.stack((angle, less + angle, share, mass), dim=3) - self.centre) / self.scale


class ParticleTransformer(TokenTrunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``] by tokens of hits. See ``build``."""

    def __init__(self, task: Task, points: int, width: int, depth: int, heads: int, pairs: int):
        super().__init__()
        self.window = Window(task)
        self.points = graph.Points(self.window.task, points)
        self.embed = perceptron(self.points.features, width, width)
        self.pairs = Pairs()
        self.compare = perceptron(Pairs.FEATURES, pairs, heads)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.normalise = nn.LayerNorm(width)
        self.attention = nn.Linear(width, heads)
        self.width, self.features = width, heads * width

    def tokens(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        features, cells, sums, mask = self.points(self.window(frames))
        pairs = self.compare(self.pairs(cells, sums)).permute(0, 3, 1, 2)
        pairs = torch.where(mask.reshape(-1, 1, 1, mask.shape[1]), pairs, -graph.LAST)
        points = self.embed(features)
        for block in self.blocks:
            points = block(points, pairs)
        return self.normalise(points), mask

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        there = mask.unsqueeze(2)
        weights = torch.softmax(torch.where(there, self.attention(tokens), -graph.LAST), dim=1) * there
        return (weights.transpose(1, 2) @ tokens).flatten(1)


def build(
    task: Task,
    points: int = 64,
    width: int = 48,
    depth: int = 3,
    heads: int = 4,
    pairs: int = 16,
    hidden: int = 64,
) -> Network:
    """A network of ``depth`` layers of attention; classification or regression, as the task asks for.

    ``points`` is how many leading hits of the ``Window`` are looked at; ``width`` the number of features of
    a point, divided among ``heads``; ``pairs`` that of the layer from ``Pairs`` to what they add to the
    logits of each head; ``hidden`` that of the layer before the answer. Class attention ends it, in one
    layer: the token of the class is the same for all objects, and so its query is weights of a point's
    features. Raises E2EError for numbers that do not fit, or other channels than a jet's.
    """
    return Network(task, ParticleTransformer(task, points, width, depth, heads, pairs), hidden)
