"""Graph attention (GATv2, arXiv 2105.14491) on the hits of a jet, each of which weighs its neighbours.

The graph is one and the same in all layers: hits that lie near in eta and phi, and each hit itself. Where a
neighbour lies is an attribute of the edge, so that attention knows the geometry.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2e.errors import E2EError
from e2e.geometry import CELL
from e2e.models import graph
from e2e.models.layers import perceptron
from e2e.models.network import Network
from e2e.models.preprocessing import Window
from e2e.models.trunk import TokenTrunk
from e2e.tasks import Task

SPACE = {
    "points": [64, 32, 128],
    "neighbours": [8, 6, 12],
    "width": [48, 32, 64],
    "depth": [3, 2, 4],
    "heads": [4, 2, 8],
    "hidden": [64, 32, 128],
}
ATTRIBUTES = 3  # of an edge: eta and phi of the neighbour relative to the point, and their length
REACH = 10 * CELL  # rad; scale of the attributes: neighbours are some cells away


class Block(nn.Module):
    """Attention to the neighbours, then a perceptron of each point; each is added to what it takes."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = graph.GATv2Conv(width, width, heads, ATTRIBUTES)
        self.before_perceptron = nn.LayerNorm(width)
        self.perceptron = perceptron(width, 2 * width, width)

    def forward(self, points: Tensor, neighbours: Tensor, mask: Tensor, attributes: Tensor) -> Tensor:
        points = points + self.attention(self.before_attention(points), neighbours, mask, attributes)
        return points + self.perceptron(self.before_perceptron(points))


class GATv2(TokenTrunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``] by tokens of hits. See ``build``."""

    def __init__(self, task: Task, points: int, neighbours: int, width: int, depth: int, heads: int):
        super().__init__()
        if not 1 <= neighbours <= points:
            raise E2EError(f"gatv2: {neighbours} neighbours among {points} points; choose fewer, at least 1")
        self.window = Window(task)
        self.points = graph.Points(self.window.task, points)
        self.neighbours = neighbours
        self.embed = perceptron(self.points.features, width, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.normalise = nn.LayerNorm(width)
        self.width, self.features = width, 2 * width

    def tokens(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        features, cells, _, mask = self.points(self.window(frames))
        neighbours, there = self._edges(cells, mask)
        relative = (graph.gather(cells, neighbours) - cells.unsqueeze(2)) * (CELL / REACH)
        attributes = torch.cat((relative, torch.sqrt((relative * relative).sum(dim=3, keepdim=True))), dim=3)
        points = self.embed(features)
        for block in self.blocks:
            points = block(points, neighbours, there, attributes)
        return self.normalise(points), mask

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return graph.pool(tokens, mask)

    def _edges(self, cells: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Each point's neighbours int64 [N, P, 1 + neighbours], itself first, and their mask."""
        neighbours, there = graph.nearest_cells(cells, mask, self.neighbours)
        itself = torch.arange(cells.shape[1], device=cells.device).reshape(1, -1, 1)
        return torch.cat((itself.expand(cells.shape[0], -1, -1), neighbours), dim=2), torch.cat(
            (mask.unsqueeze(2), there), dim=2
        )


def build(
    task: Task,
    points: int = 64,
    neighbours: int = 8,
    width: int = 48,
    depth: int = 3,
    heads: int = 4,
    hidden: int = 64,
) -> Network:
    """A network of ``depth`` layers of graph attention; classification or regression, as the task asks for.

    ``points`` is how many leading hits of the ``Window`` are looked at, ``neighbours`` how many each is
    joined to; ``width`` the number of features of a point, divided among ``heads``; ``hidden`` that of the
    layer before the answer. Raises E2EError for numbers that do not fit, or other channels than a jet's.
    """
    return Network(task, GATv2(task, points, neighbours, width, depth, heads), hidden)
