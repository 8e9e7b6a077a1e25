"""Point clouds and graphs inside a network: dense, exportable, and with one answer to every tie.

A cloud has P points of which some are padding, marked by a mask bool [N, P]; each point has K neighbours,
marked in the same way. What padding holds never changes what a point gets. docs/networks.md says why the
graphs are built so, ``e2e.data.views`` builds the same ones from the hits of a store.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from e2e.errors import E2EError
from e2e.geometry import CELL
from e2e.models.preprocessing import JetFeatures, shares
from e2e.tasks import Task

# Larger than any energy or squared distance, and finite in the short floats of mixed precision, too.
LAST = 2.0**100


def smallest(values: Tensor, k: int) -> Tensor:
    """Positions int64 [..., k] of the ``k`` smallest float32 values [..., n], equal ones by position.

    The order is total, and made so before the search, since libraries break ties as they like: in float64
    each value is raised by less than half the distance to the next float32, in proportion to its position.
    Positions must be below 2^15.
    """
    wide = values.detach().double()
    position = torch.arange(values.shape[-1], device=values.device, dtype=torch.float64)
    # In place: these are the largest tensors of the network, and memory costs more than arithmetic.
    raised = wide.abs().add_(2.0**-130).mul_(position * 2.0**-40).add_(wide)
    return raised.topk(k, largest=False).indices


class Points(nn.Module):
    """Frames [N, C, H, W] -> the ``k`` leading pixels: features, cells, sums, mask. As ``views.points``.

    Points are pixels with a hit, ordered by the sum of their channels in GeV, and by pixel where sums are
    equal. Features [N, k, ``features``] are ``JetFeatures`` and the share of the crop's energy of each of its
    energies, eta and phi relative to the seed (in cells of ``geometry.CELL`` rad) and their length. Cells
    float32 [N, k, 2] are whole numbers (row, column), relative to the seed, sums float32 [N, k] those in GeV.
    Raises E2EError for more points than there are pixels, or other channels than a jet's.
    """

    def __init__(self, task: Task, k: int):
        super().__init__()
        crop = task.crop
        if not 1 <= k <= crop.rows * crop.columns:
            raise E2EError(
                f"{k} points of a crop of {crop.rows} x {crop.columns} pixels; choose fewer, at least 1"
            )
        self.k = k
        self.columns = crop.columns
        self.seed = crop.seed_row, crop.seed_column
        self.ranked = [place for place, channel in enumerate(task.channels) if channel.unit == "GeV"]
        self.jet_features = JetFeatures(task)
        self.features = self.jet_features.channels + self.jet_features.energies.channels + 3

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels = frames.flatten(2)
        total = self._sum(pixels)
        index, mask = self._lead(pixels.detach(), total.detach())
        values = pixels.gather(2, index.unsqueeze(1).expand(-1, pixels.shape[1], -1))
        row = torch.div(index, self.columns, rounding_mode="floor")
        column = index - row * self.columns
        cells = torch.stack((row - self.seed[0], column - self.seed[1]), dim=2) * mask.unsqueeze(2)
        cells = cells.float()
        place = cells * CELL
        length = torch.sqrt((place * place).sum(dim=2, keepdim=True))
        energies = self.jet_features.energies
        logarithms = torch.cat(
            (self.jet_features(values), shares(energies(values), energies(frames))), dim=1
        ).transpose(1, 2)
        features = torch.cat((logarithms, place, length), dim=2) * mask.unsqueeze(2)
        return features, cells, total.gather(1, index), mask

    def _sum(self, pixels: Tensor) -> Tensor:
        """The sum in GeV [N, H * W] of pixels [N, C, H * W]."""
        total = pixels[:, self.ranked[0]]
        for place in self.ranked[1:]:  # one by one: the sum must not depend on how a library adds up
            total = total + pixels[:, place]
        return total

    def _lead(self, pixels: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels int64 [N, k] of the points of pixels [N, C, H * W] with these sums, and their mask."""
        hit = (pixels != 0.0).any(dim=1)
        index = smallest(torch.where(hit, -total, LAST), self.k)
        return index, hit.gather(1, index)


def _possible(mask: Tensor) -> Tensor:
    """Which pairs of points [N, P, P] may be joined: not a point with itself, nor with padding."""
    unlike = ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    return mask.unsqueeze(1) & mask.unsqueeze(2) & unlike


def nearest_cells(cells: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` nearest points of each in eta and phi: positions int64 [N, P, k] and their mask.

    Nearest first, and equally near ones in the order of the cloud: as ``views.edges``, by the squared
    distance of cells [N, P, 2] times P plus the position, which are whole numbers. phi does not wrap around
    within a crop.
    """
    points = cells.shape[1]
    # Up to 2^24 whole numbers are exact in float32: squared distances in a jet's crop are below 2^15.
    rows, columns = (cells if points <= 2**9 else cells.double()).unbind(dim=2)
    down, along = (place.unsqueeze(1) - place.unsqueeze(2) for place in (rows, columns))
    position = torch.arange(points, device=cells.device, dtype=rows.dtype)
    key = (down * down + along * along) * points + position
    possible = _possible(mask)
    neighbours = torch.where(possible, key, LAST).topk(k, largest=False).indices
    return neighbours, possible.gather(2, neighbours)


def nearest_features(points: Tensor, mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same by the Euclidean distance of points [N, P, F], computed in float64 and rounded once.

    Frameworks still differ in the last digits of the points themselves, and so in the neighbours where two
    distances are as good as equal.
    """
    points = points.detach().double()
    square = (points * points).sum(dim=2)
    one = torch.ones_like(square)
    # |x|^2 - 2 x y + |y|^2 as one product. Of x and the transpose of y, ONNX Runtime up to 1.20 would make an
    # operator that it lacks in float64.
    first = torch.cat((points, square.unsqueeze(2), one.unsqueeze(2)), dim=2)
    second = torch.cat((-2.0 * points.transpose(1, 2), one.unsqueeze(1), square.unsqueeze(1)), dim=1)
    distance = first @ second
    possible = _possible(mask)
    neighbours = smallest(torch.where(possible, distance.clamp(min=0.0).float(), LAST), k)
    return neighbours, possible.gather(2, neighbours)


def gather(points: Tensor, neighbours: Tensor) -> Tensor:
    """Points [N, P, F] at neighbours int64 [N, Q, K] -> [N, Q, K, F]."""
    first = torch.arange(points.shape[0], device=points.device) * points.shape[1]
    places = neighbours + first.reshape(-1, 1, 1)
    return points.flatten(0, 1).index_select(0, places.flatten()).reshape(*neighbours.shape, points.shape[2])


class EdgeConv(nn.Module):
    """Edge convolution (arXiv 1801.07829): the mean or maximum over neighbours j of MLP(x_i, x_j - x_i).

    The MLP has two linear layers and a rectifier between. Points [N, P, inputs] -> [N, P, outputs]; 0 for a
    point without neighbours. The same as torch_geometric's EdgeConv: the first layer is applied to
    points rather than edges, and of a mean so is the second, which is the same and many times faster.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, aggregation: Literal["mean", "max"] = "mean"):
        super().__init__()
        if aggregation not in ("mean", "max"):
            raise E2EError(f"EdgeConv: unknown aggregation {aggregation!r}; choose mean or max")
        self.first = nn.Linear(2 * inputs, hidden)
        self.second = nn.Linear(hidden, outputs)
        self.aggregation = aggregation

    def forward(self, points: Tensor, neighbours: Tensor, mask: Tensor) -> Tensor:
        inputs = points.shape[2]
        own, difference = self.first.weight[:, :inputs], self.first.weight[:, inputs:]
        here = functional.linear(points, own - difference, self.first.bias).unsqueeze(2)
        given = functional.linear(points, difference)
        any_there = mask.any(dim=2, keepdim=True)
        if self.aggregation == "mean":
            # Neighbours that are not there are one more point, of which the rectifier leaves nothing.
            given = torch.cat((given, torch.full_like(given[:, :1], -LAST)), dim=1)
            edges = torch.relu(here + gather(given, torch.where(mask, neighbours, points.shape[1])))
            return self.second(edges.sum(dim=2) / mask.sum(dim=2, keepdim=True).clamp(min=1)) * any_there
        edges = self.second(torch.relu(here + gather(given, neighbours)))
        return torch.where(mask.unsqueeze(3), edges, -LAST).amax(dim=2) * any_there


class GATv2Conv(nn.Module):
    """Graph attention (arXiv 2105.14491) with ``heads`` heads: points [N, P, inputs] -> [N, P, outputs].

    Neighbour j of point i has the weight softmax_j(a . LeakyReLU(L x_j + R x_i + E e_ij)), e_ij being the
    attributes of the edge, and gives L x_j; each head has outputs / heads of the features. The same as
    torch_geometric's GATv2Conv without self-loops of its own. A point without neighbours gets the bias.
    """

    SLOPE = 0.2  # of the leaky rectifier

    def __init__(self, inputs: int, outputs: int, heads: int, attributes: int):
        super().__init__()
        if outputs % heads:
            raise E2EError(f"{heads} heads do not divide the width {outputs} of the graph attention")
        self.source = nn.Linear(inputs, outputs)
        self.target = nn.Linear(inputs, outputs)
        self.edge = nn.Linear(attributes, outputs, bias=False)
        self.attention = nn.Parameter(torch.empty(heads, outputs // heads))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.attention)

    def forward(self, points: Tensor, neighbours: Tensor, mask: Tensor, attributes: Tensor) -> Tensor:
        heads = self.attention.shape[0]
        given = gather(self.source(points), neighbours)
        compared = given + self.target(points).unsqueeze(2) + self.edge(attributes)
        compared = functional.leaky_relu(compared, self.SLOPE).unflatten(3, (heads, -1))
        logits = (compared * self.attention).sum(dim=4)
        there = mask.unsqueeze(3)
        weights = torch.softmax(torch.where(there, logits, -LAST), dim=2) * there
        return (given.unflatten(3, (heads, -1)) * weights.unsqueeze(4)).sum(dim=2).flatten(2) + self.bias


def pool(points: Tensor, mask: Tensor) -> Tensor:
    """Mean and maximum over the points of a cloud [N, P, F] -> [N, 2 F]; 0 for a cloud without."""
    there = mask.unsqueeze(2)
    mean = (points * there).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    largest = torch.where(there, points, -LAST).amax(dim=1) * mask.any(dim=1, keepdim=True)
    return torch.cat((mean, largest), dim=1)
