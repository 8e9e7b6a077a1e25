"""Pairs of hits against four-vectors, and what attention must not depend on."""

import numpy as np
import torch

from e2e import models
from e2e.geometry import CELL
from e2e.models.particle_transformer import Pairs
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON


def splittings(cells: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """ln Delta, ln kT, ln z and ln m^2 [N, P, P, 4], before they are scaled."""
    pairs = Pairs()
    return pairs(cells, sums) * pairs.scale + pairs.centre


def test_pairs_are_those_of_massless_four_vectors():
    """As in arXiv 2202.03772, of points cells apart: in float64, with the jet anywhere in the barrel."""
    generator = np.random.default_rng(1)
    cells = generator.permutation(
        [(row, column) for row in range(-30, 31, 6) for column in range(-30, 31, 6)]
    )
    momenta = generator.uniform(1.0, 100.0, len(cells))
    found = splittings(torch.tensor(cells[None]).float(), torch.tensor(momenta[None]).float())[0].double()
    eta, phi = cells.T * CELL + np.array([[0.7], [2.0]])
    vectors = momenta * np.array([np.cosh(eta), np.cos(phi), np.sin(phi), np.sinh(eta)])
    pair = vectors[:, :, None] + vectors[:, None, :]
    mass = pair[0] ** 2 - (pair[1:] ** 2).sum(axis=0)
    delta = np.hypot(eta[:, None] - eta, phi[:, None] - phi)
    less = np.minimum(momenta[:, None], momenta)
    expected = np.stack((delta, less * delta, less / (momenta[:, None] + momenta), mass), axis=2)
    apart = ~np.eye(len(cells), dtype=bool)
    # 40 MeV of noise, 1/3 of a cell's area, and the series of m^2.
    np.testing.assert_allclose(found.exp().numpy()[apart], expected[apart], rtol=0.06)
    far = delta > 0.4
    hard = far & (less > 20.0)
    np.testing.assert_allclose(found.exp().numpy()[hard], expected[hard], rtol=0.01)


def test_pairs_are_finite_and_symmetric_where_points_coincide_or_are_padding():
    cells = torch.tensor([[[3.0, -2.0], [3.0, -2.0], [0.0, 0.0], [0.0, 0.0]]])
    sums = torch.tensor([[5.0, 5.0, 0.0, -1.0]], requires_grad=True)
    found = splittings(cells, sums)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(sums.grad).all()
    torch.testing.assert_close(found, found.transpose(1, 2))
    torch.testing.assert_close(found[0, 0, 1, 0].exp(), torch.tensor(CELL / 3**0.5))
    torch.testing.assert_close(found[0, 0, 1, 2].exp(), torch.tensor(0.5))


def test_pairs_count_and_padding_does_not(make_frames):
    frames = make_frames(QUARK_GLUON, 6)
    torch.manual_seed(0)
    trunk = models.build("particle_transformer", QUARK_GLUON, points=40).trunk.eval()
    with torch.no_grad():
        for block in trunk.blocks:  # which begin as the identity
            block.attention.join.weight.normal_(0, 0.1)
        expected = trunk(frames)
        trunk.compare[2].weight.zero_()
        assert (trunk(frames)[3:] != expected[3:]).any(dim=1).all()
        padded = trunk(frames[:2])
        assert not trunk.tokens(frames[:2])[1].all(dim=1).any()
        trunk.points.k += 7
        torch.testing.assert_close(trunk(frames[:2]), padded)
