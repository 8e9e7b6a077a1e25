"""ParticleNet (arXiv 1902.08570) on the hits of a jet: edge convolutions on graphs of nearest neighbours.

The first graph joins hits that lie near in eta and phi, the later ones hits whose features are alike,
wherever they are. Unlike there, edge convolutions and perceptrons of points are added to what they take,
normalised by point, as in transformers: no graph depends on the other objects of a batch, nor on padding.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from e2e.errors import E2EError
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
    "aggregation": ["mean", "max"],
    "hidden": [64, 32, 128],
}


class Block(nn.Module):
    """An edge convolution, then a perceptron of each point; each is added to what it takes."""

    def __init__(self, width: int, aggregation: Literal["mean", "max"]):
        super().__init__()
        self.before_edges = nn.LayerNorm(width)
        self.edges = graph.EdgeConv(width, width, width, aggregation)
        self.before_perceptron = nn.LayerNorm(width)
        self.perceptron = perceptron(width, 2 * width, width)

    def forward(self, points: Tensor, neighbours: Tensor, mask: Tensor) -> Tensor:
        points = points + self.edges(self.before_edges(points), neighbours, mask)
        return points + self.perceptron(self.before_perceptron(points))


class ParticleNet(TokenTrunk):
    """Raw frames [N, C, H, W] -> features [N, ``features``] by tokens of hits. See ``build``."""

    def __init__(
        self,
        task: Task,
        points: int,
        neighbours: int,
        width: int,
        depth: int,
        aggregation: Literal["mean", "max"],
    ):
        super().__init__()
        if not 1 <= neighbours <= points:
            raise E2EError(
                f"particlenet: {neighbours} neighbours among {points} points; choose fewer, at least 1"
            )
        self.window = Window(task)
        self.points = graph.Points(self.window.task, points)
        self.neighbours = neighbours
        self.embed = perceptron(self.points.features, width, width)
        self.blocks = nn.ModuleList(Block(width, aggregation) for _ in range(depth))
        self.normalise = nn.LayerNorm(width)
        self.width, self.features = width, 2 * width

    def tokens(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        features, cells, _, mask = self.points(self.window(frames))
        points = self.embed(features)
        for number, block in enumerate(self.blocks):
            if number == 0:
                edges = graph.nearest_cells(cells, mask, self.neighbours)
            else:
                edges = graph.nearest_features(points, mask, self.neighbours)
            points = block(points, *edges)
        return self.normalise(points), mask

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return graph.pool(tokens, mask)


def build(
    task: Task,
    points: int = 64,
    neighbours: int = 8,
    width: int = 48,
    depth: int = 3,
    aggregation: Literal["mean", "max"] = "mean",
    hidden: int = 64,
) -> Network:
    """A network of ``depth`` edge convolutions; classification or regression, as the task asks for.

    ``points`` is how many leading hits of the ``Window`` are looked at, ``neighbours`` how many each is
    joined to; ``width`` the number of features of a point, ``hidden`` that of the layer before the answer.
    ``aggregation`` over the neighbours is their mean or max. Raises E2EError for numbers that do not fit, or
    other channels than a jet's.
    """
    network = Network(task, ParticleNet(task, points, neighbours, width, depth, aggregation), hidden)
    network.dynamic_graph = depth > 1
    return network
