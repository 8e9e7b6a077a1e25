"""Point clouds and graphs in a network against sorted(), scikit-learn, torch_geometric and e2e.data.views."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from torch import nn

from e2e.data import views
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.models import graph
from e2e.tasks import Channel, Crop, Task, task
from e2e.tasks.tau import TASK as TAU

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)
FEW = st.sampled_from(
    [-1.5, -(2.0**-149), 0.0, 2.0**-149, 0.5, float(np.nextafter(np.float32(0.5), np.float32(1)))]
)
SMALL = Task(**{**vars(TAU), "crop": Crop(rows=6, columns=7, seed_row=2, seed_column=3)})


def samples_of(frames: torch.Tensor, of: Task) -> Samples:
    """The hits of dense frames, as a store has them."""
    flat = frames.flatten(1).numpy()
    index = [np.flatnonzero(frame) for frame in flat]
    n = len(flat)
    return Samples(
        sample=np.full(n, "jets"),
        run=np.ones(n, np.uint32),
        lumi=np.ones(n, np.uint32),
        event=np.arange(n, dtype=np.uint64),
        object=np.zeros(n, np.uint32),
        target=np.zeros(n, np.float32),
        kinematics={},
        offsets=np.cumsum([0, *map(len, index)]),
        index=np.concatenate([*index, []]).astype(np.uint32),
        value=np.concatenate([*(frame[i] for frame, i in zip(flat, index, strict=True)), []]).astype(
            np.float32
        ),
        channels=of.channels,
        classes=(),
        shape=of.shape,
    )


def cloud(objects: int, points: int, features: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random points and masks; the first clouds have no point, one, and two."""
    generator = torch.Generator().manual_seed(seed)
    count = torch.randint(3, points + 1, (objects,), generator=generator)
    count[:3] = torch.tensor([0, 1, 2])
    mask = torch.arange(points) < count[:, None]
    return torch.randn(objects, points, features, generator=generator) * mask[..., None], mask


def pyg_edges(neighbours: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """edge_index [2, edges] of all clouds of a batch as one graph, as PyTorch Geometric joins them."""
    objects, points, k = neighbours.shape
    first = (torch.arange(objects) * points).reshape(-1, 1, 1)
    target = (torch.arange(points).reshape(1, -1, 1) + first).expand(-1, -1, k)
    return torch.stack(((neighbours + first)[mask], target[mask]))


@settings(max_examples=300, deadline=None)
@given(values=st.lists(st.one_of(FLOATS, FEW), min_size=1, max_size=40), data=st.data())
def test_smallest_values_come_in_order_of_value_then_position(values, data):
    k = data.draw(st.integers(1, len(values)))
    values = np.array(values, np.float32)
    expected = sorted(range(len(values)), key=lambda i: (values[i], i))[:k]
    assert graph.smallest(torch.from_numpy(values), k).tolist() == expected


def test_order_holds_at_the_last_positions_of_the_largest_crop():
    values = torch.full((2**15,), 3.0)
    values[-1] = float(np.nextafter(np.float32(3), np.float32(0)))  # the least that is smaller
    assert graph.smallest(values, 4).tolist() == [2**15 - 1, 0, 1, 2]
    assert graph.smallest(-values, 2**15)[-3:].tolist() == [2**15 - 3, 2**15 - 2, 2**15 - 1]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), k=st.integers(1, 42))
def test_points_are_those_of_the_views(data, k):
    """Of frames with many equal energies, negative ones, and pixels without any energy."""
    value = st.sampled_from([0.0] * 8 + [1.0, 0.5, -0.5, 0.1, 3.0])
    size = 2 * len(SMALL.channels) * 42
    frames = torch.tensor(data.draw(st.lists(value, min_size=size, max_size=size))).reshape(2, *SMALL.shape)
    expected = views.points(samples_of(frames, SMALL), k, SMALL.crop)
    points = graph.Points(SMALL, k)
    features, cells, sums, mask = points(frames)
    np.testing.assert_array_equal(mask, expected.mask)
    np.testing.assert_array_equal(cells, expected.cells)
    energies = expected.values[..., points.ranked].sum(axis=2)
    np.testing.assert_allclose(sums[mask], energies[expected.mask], rtol=1e-6)
    assert features.shape == (2, k, points.features)
    assert not features[~mask].any()
    np.testing.assert_allclose(features[..., -3:-1], expected.coordinates, rtol=1e-6)
    np.testing.assert_allclose(features[..., -1], np.linalg.norm(expected.coordinates, axis=2), rtol=1e-6)
    values = torch.from_numpy(expected.values).transpose(1, 2)
    np.testing.assert_array_equal(
        features[..., : points.jet_features.channels], points.jet_features(values).transpose(1, 2)
    )


@pytest.mark.parametrize("name", ["quark_gluon", "mass_regression", "tau"])
def test_points_of_jets_are_those_of_the_views(name, make_frames):
    jets = task(name)
    frames = make_frames(jets, 12)
    expected = views.points(samples_of(frames, jets), 128, jets.crop)
    _, cells, _, mask = graph.Points(jets, 128)(frames)
    np.testing.assert_array_equal(mask, expected.mask)
    np.testing.assert_array_equal(cells, expected.cells)
    assert mask.sum(dim=1).tolist()[0] == 0
    assert mask[3:].all()


@settings(max_examples=100, deadline=None)
@given(data=st.data(), k=st.integers(1, 12))
def test_neighbours_are_those_of_the_views_and_of_scikit_learn(data, k):
    """On a lattice, where most distances occur several times."""
    pixels = data.draw(st.lists(st.integers(0, 41), unique=True, max_size=20))
    padding = data.draw(st.integers(max(k - len(pixels), 0), 14))
    cells = np.zeros((1, len(pixels) + padding, 2), np.int32)
    cells[0, : len(pixels)] = np.stack(np.divmod(pixels, 7), axis=-1)
    mask = np.arange(cells.shape[1])[None] < len(pixels)
    expected, there = views.edges(views.PointCloud(cells, np.zeros((1, cells.shape[1], 1)), mask), k)
    found, found_there = graph.nearest_cells(torch.from_numpy(cells).float(), torch.from_numpy(mask), k)
    np.testing.assert_array_equal(found_there.flatten(), there.flatten())
    np.testing.assert_array_equal(found.flatten()[there.flatten()], expected[0, 0][there.flatten()])
    degree = min(k, len(pixels) - 1)
    if degree > 0:
        points = cells[0, : len(pixels)]
        distance, _ = NearestNeighbors(n_neighbors=degree, algorithm="brute").fit(points).kneighbors()
        near = points[found[0, : len(pixels), :degree].numpy()] - points[:, None]
        np.testing.assert_allclose(np.linalg.norm(near, axis=2), distance, atol=1e-6)


def test_neighbours_in_feature_space_are_those_of_scikit_learn():
    points, mask = cloud(20, 60, 16)
    found, there = graph.nearest_features(points, mask, 8)
    for cloud_points, valid, neighbours, exists in zip(points, mask, found, there, strict=True):
        n = int(valid.sum())
        degree = min(8, max(n - 1, 0))
        assert exists.sum(dim=1).tolist() == [degree] * n + [0] * (60 - n)
        if degree:
            search = NearestNeighbors(n_neighbors=degree, algorithm="brute").fit(cloud_points[:n].double())
            expected = search.kneighbors(return_distance=False)
            np.testing.assert_array_equal(neighbours[:n, :degree], expected)


def test_equal_features_are_neighbours_in_order_of_the_cloud():
    points = torch.tensor([[0.0], [1.0], [-1.0], [0.0], [1.0]]).unsqueeze(0)
    neighbours, there = graph.nearest_features(points, torch.ones(1, 5, dtype=torch.bool), 4)
    assert there.all()
    assert neighbours[0, 0].tolist() == [3, 1, 2, 4]
    assert neighbours[0, 1].tolist() == [4, 0, 3, 2]


@pytest.mark.parametrize("aggregation", ["mean", "max"])
def test_edge_convolution_is_that_of_torch_geometric(aggregation):
    geometric = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is not installed")
    points, mask = cloud(6, 30, 5)
    neighbours, there = graph.nearest_features(points, mask, 7)
    torch.manual_seed(0)
    ours = graph.EdgeConv(5, 16, 12, aggregation)
    theirs = geometric.EdgeConv(nn.Sequential(ours.first, nn.ReLU(), ours.second), aggr=aggregation)
    expected = theirs(points.flatten(0, 1), pyg_edges(neighbours, there)).reshape(6, 30, 12)
    found = ours(points, neighbours, there)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not found[0].any()
    assert not found[1].any()  # a point without neighbours
    assert found[2, :2].any()


def test_edge_convolution_has_two_aggregations():
    with pytest.raises(E2EError, match="'sum'; choose mean or max"):
        graph.EdgeConv(5, 16, 12, "sum")


def test_graph_attention_is_that_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is not installed")
    points, mask = cloud(6, 30, 5)
    neighbours, there = graph.nearest_features(points, mask, 7)
    attributes = torch.randn(6, 30, 7, 3)
    torch.manual_seed(0)
    ours = graph.GATv2Conv(5, 12, heads=3, attributes=3)
    nn.init.normal_(ours.bias)
    theirs = geometric.GATv2Conv(5, 4, heads=3, edge_dim=3, add_self_loops=False)
    with torch.no_grad():
        for mine, its in (
            (ours.source.weight, theirs.lin_l.weight),
            (ours.source.bias, theirs.lin_l.bias),
            (ours.target.weight, theirs.lin_r.weight),
            (ours.target.bias, theirs.lin_r.bias),
            (ours.edge.weight, theirs.lin_edge.weight),
            (ours.attention, theirs.att[0]),
            (ours.bias, theirs.bias),
        ):
            its.copy_(mine)
    expected = theirs(points.flatten(0, 1), pyg_edges(neighbours, there), attributes[there])
    found = ours(points, neighbours, there, attributes)
    torch.testing.assert_close(found, expected.reshape(6, 30, 12), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[0], ours.bias.expand(30, 12))
    assert (found[2, :2] != ours.bias).all()


class Convolutions(nn.Module):
    """One layer of each kind on both graphs, pooled."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.mean, self.max = (graph.EdgeConv(5, 8, 5, aggregation) for aggregation in ("mean", "max"))
        self.attention = graph.GATv2Conv(5, 8, heads=2, attributes=2)

    def forward(self, points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        cells = (100.0 * points[..., :2]).round()
        points = self.mean(points, *graph.nearest_cells(cells, mask, 4))
        points = self.max(points, *graph.nearest_features(points, mask, 4))
        neighbours, there = graph.nearest_cells(cells, mask, 4)
        attributes = (graph.gather(cells, neighbours) - cells.unsqueeze(2)) / 100.0
        return graph.pool(self.attention(points, neighbours, there, attributes), mask)


@pytest.mark.parametrize("seed", range(4))
def test_padding_and_order_of_the_points_do_not_count(seed):
    """Whatever is in padded points, however many there are and wherever; for points without ties."""
    points, mask = cloud(8, 20, 5, seed)
    network = Convolutions()
    expected = network(points, mask)
    assert expected[1:].any()
    assert not expected[0].any()
    garbage = torch.where(mask[..., None], points, 1e3 * torch.randn(points.shape))
    torch.testing.assert_close(network(garbage, mask), expected, atol=1e-5, rtol=1e-5)
    more = (
        torch.cat((garbage, torch.randn(8, 7, 5)), dim=1),
        torch.cat((mask, torch.zeros(8, 7, dtype=bool)), dim=1),
    )
    torch.testing.assert_close(network(*more), expected, atol=1e-5, rtol=1e-5)
    order = torch.randperm(27)
    torch.testing.assert_close(network(more[0][:, order], more[1][:, order]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("k", [0, 43])
def test_impossible_number_of_points(k):
    with pytest.raises(E2EError, match=f"{k} points of a crop of 6 x 7 pixels"):
        graph.Points(SMALL, k)


def test_points_need_channels_of_jets():
    times = Task(**{**vars(SMALL), "channels": (Channel("EB_energy", "GeV"), Channel("EB_time", "ns"))})
    with pytest.raises(E2EError, match=r"EB_energy \[GeV\], which is none of a jet's"):
        graph.Points(times, 5)
