"""Views of hits: images, point clouds and graphs against plain loops and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from e2e.data import images, views
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.geometry import CELL
from e2e.tasks import Channel, Crop

CHANNELS = (Channel("tracksPt", "GeV"), Channel("tracksDz", "cm"), Channel("energy", "GeV"))
CROP = Crop(rows=4, columns=5, seed_row=1, seed_column=2)


def make(hits, channels=CHANNELS) -> Samples:
    """Samples of dictionaries {index: value}, one an object."""
    ordered = [sorted(crop.items()) for crop in hits]
    flat = [hit for crop in ordered for hit in crop]
    n = len(hits)
    return Samples(
        sample=np.full(n, "jets"),
        run=np.ones(n, np.uint32),
        lumi=np.ones(n, np.uint32),
        event=np.arange(n, dtype=np.uint64),
        object=np.zeros(n, np.uint32),
        target=np.zeros(n, np.float32),
        kinematics={},
        offsets=np.cumsum([0, *map(len, ordered)]),
        index=np.array([index for index, _ in flat], np.uint32),
        value=np.array([value for _, value in flat], np.float32),
        channels=channels,
        classes=(),
        shape=(len(channels), CROP.rows, CROP.columns),
    )


def dense(hits) -> np.ndarray:
    frames = np.zeros((len(hits), 60), np.float32)
    for frame, crop in zip(frames, hits, strict=True):
        frame[list(crop)] = list(crop.values())
    return frames.reshape(-1, 3, 4, 5)


FLOATS = st.floats(-1e6, 1e6, width=32).filter(bool)
VALUES = st.one_of(FLOATS, st.sampled_from([-1.0, 0.5, 1.0]))  # the few make ties
OBJECTS = st.lists(st.dictionaries(st.integers(0, 59), VALUES, max_size=60), max_size=6)


@settings(max_examples=60, deadline=None)
@given(hits=OBJECTS)
def test_images_are_the_hits_in_place(hits):
    samples = make(hits)
    count = np.diff(samples.offsets)
    frames = images.images(samples.offsets[:-1], count, samples.index, samples.value, samples.shape)
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames, dense(hits))


def test_hit_outside_the_crop_is_refused():
    samples = make([{60: 1.0}])
    with pytest.raises(IndexError, match="outside the crop"):
        samples.images()


@pytest.mark.parametrize("offsets", [[-1, 1], [2, 1], [0, 3]])
def test_points_are_not_taken_from_beyond_the_hits(offsets):
    samples = replace(make([{0: 1.0, 1: 2.0}]), offsets=np.array(offsets))
    with pytest.raises(IndexError, match="outside their array"):
        views.points(samples, 3, CROP)


@settings(max_examples=100, deadline=None)
@given(hits=OBJECTS, k=st.integers(1, 25))
def test_points_are_the_leading_pixels(hits, k):
    """Against sorted() over dense images."""
    cloud = views.points(make(hits), k, CROP)
    assert cloud.cells.shape == (len(hits), k, 2)
    assert cloud.values.shape == (len(hits), k, 3)
    for i, image in enumerate(dense(hits)):
        pixels = [p for p in range(20) if image[:, p // 5, p % 5].any()]
        gev = image[0] + image[2]  # float32
        order = sorted(pixels, key=lambda p: (-gev[p // 5, p % 5], p))[:k]
        assert cloud.mask[i].tolist() == [True] * len(order) + [False] * (k - len(order))
        assert cloud.cells[i, : len(order)].tolist() == [[p // 5 - 1, p % 5 - 2] for p in order]
        for p, values in zip(order, cloud.values[i], strict=False):
            assert values.tolist() == image[:, p // 5, p % 5].tolist()
        assert not cloud.values[i, len(order) :].any()
        assert not cloud.cells[i, len(order) :].any()
        assert not cloud.coordinates[i, len(order) :].any()


def test_coordinates_are_relative_to_the_seed():
    cloud = views.points(make([{7: 3.0, 19: 2.0}]), 2, CROP)
    np.testing.assert_allclose(cloud.coordinates[0], [[0, 0], [2 * CELL, 2 * CELL]], rtol=1e-6)
    assert cloud.coordinates.dtype == np.float32


def test_channels_that_are_no_energy_do_not_order_points():
    dz = make([{20: 100.0, 41: 0.1, 22: -7.0, 2: 5.0}])  # dz at pixels 0 and 2, energy at 1, pT at 2
    assert views.points(dz, 3, CROP).cells[0, :, 1].tolist() == [0, -1, -2]
    with pytest.raises(E2EError, match=r"channels in GeV; there is none among hits \[hits\]"):
        views.points(make([{0: 1.0}], (Channel("hits", "hits"),)), 3, CROP)


@settings(max_examples=100, deadline=None)
@given(hits=OBJECTS, k=st.integers(1, 22), neighbours=st.integers(1, 8))
def test_edges_are_those_of_scikit_learn(hits, k, neighbours):
    """Distances against its brute force; which of equally near points are chosen, against sorted()."""
    cloud = views.points(make(hits), k, CROP)
    edge_index, mask = views.edges(cloud, neighbours)
    assert edge_index.shape == (len(hits), 2, k * neighbours)
    assert not edge_index[~np.broadcast_to(mask[:, None], edge_index.shape)].any()
    for cells, valid, edges, there in zip(cloud.cells, cloud.mask, edge_index, mask, strict=True):
        n = int(valid.sum())
        degree = min(neighbours, max(n - 1, 0))
        assert there.reshape(k, neighbours).sum(axis=1).tolist() == [degree] * n + [0] * (k - n)
        if not degree:
            continue
        source, target = edges[:, there].reshape(2, n, degree)
        assert (target == np.arange(n)[:, None]).all()
        found = np.linalg.norm(cells[source] - cells[target], axis=-1)
        nearest = NearestNeighbors(n_neighbors=degree, algorithm="brute").fit(cells[:n])
        np.testing.assert_allclose(found, nearest.kneighbors()[0], atol=1e-6)
        for i in range(n):
            distance = ((cells[:n] - cells[i]) ** 2).sum(axis=1)
            order = sorted((j for j in range(n) if j != i), key=lambda j: (distance[j], j))
            assert source[i].tolist() == order[:degree]


def test_neighbours_do_not_wrap_around_phi():
    cloud = views.points(make([{0: 3.0, 4: 2.0, 2: 1.0}]), 3, CROP)  # columns 0, 4 and 2 of row 0
    edge_index, mask = views.edges(cloud, 1)
    assert mask.all()
    assert edge_index[0].tolist() == [[2, 2, 0], [0, 1, 2]]  # 4 is no neighbour of 0
