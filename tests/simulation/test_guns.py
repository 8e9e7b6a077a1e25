"""Particle guns: flat in what they promise, momentum kept, decays and showers as expected."""

from itertools import islice

import numpy as np
import pytest

from e2e.simulation.generator import (
    CHARGE,
    CODE,
    ENERGY,
    ETA,
    KIND,
    MASS,
    PHI,
    PHOTON,
    PT,
    PX,
    PY,
    PZ,
    charges,
    minimum_bias,
)
from e2e.simulation.guns import DITAU_MASS, DITAU_PT, TOP_MASS, TOP_PT, ditau_gun, top_gun


def test_codes_have_their_charges() -> None:
    assert charges(np.array([211, -11, 22, 3312, 2])).tolist() == [1.0, 1.0, 0.0, -1.0, pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("gun", "code", "masses", "momenta"),
    [(ditau_gun, 36, DITAU_MASS, DITAU_PT), (top_gun, 6, TOP_MASS, TOP_PT)],
)
def test_guns_are_flat(gun, code: int, masses: tuple[float, float], momenta: tuple[float, float]) -> None:
    objects = np.concatenate([collision.objects for collision in islice(gun(5), 300)])
    assert set(objects[:, CODE]) == {code}
    for column, (low, high) in ((MASS, masses), (PT, momenta), (ETA, (-1.4, 1.4)), (PHI, (-np.pi, np.pi))):
        share = (objects[:, column] - low) / (high - low)
        assert ((share > -1e-6) & (share < 1 + 1e-6)).all()
        # A flat distribution's mean, to four standard deviations.
        assert share.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 300))


def test_taus_of_a_pair_lose_their_neutrinos_only() -> None:
    for collision in islice(ditau_gun(6), 50):
        total = collision.particles[:, PX : ENERGY + 1].sum(axis=0)
        pt, eta, mass = collision.objects[0, [PT, ETA, MASS]]
        assert total[3] < np.hypot(mass, pt * np.cosh(eta)) * (1 + 1e-6)
        assert total[3] ** 2 - total[:3] @ total[:3] < mass**2 * (1 + 1e-6)


def test_a_top_quark_showers_and_keeps_its_momentum() -> None:
    charged, ratio = [], []
    for collision in islice(top_gun(7), 100):
        particles = collision.particles
        pt, phi = collision.objects[0, [PT, PHI]]
        along = np.cos(np.arctan2(particles[:, PY], particles[:, PX]) - phi) > 0
        charged.append(np.count_nonzero(particles[along, CHARGE]))
        total = particles[along, PX : PZ + 1].sum(axis=0)
        ratio.append(np.hypot(total[0], total[1]) / pt)
        assert np.count_nonzero(particles[:, KIND] == PHOTON) > 0
    # A W boson alone has 19 charged particles (LEP), a bottom quark's jet about ten more.
    assert 28 < np.mean(charged) < 50
    assert 0.9 < np.median(ratio) < 1.05


def test_minimum_bias_has_the_measured_density_of_charged_particles() -> None:
    particles, offsets = minimum_bias(8, 300)
    assert len(offsets) == 301
    assert offsets[-1] == len(particles)
    pt = np.hypot(particles[:, PX], particles[:, PY])
    central = (particles[:, CHARGE] != 0) & (abs(particles[:, PZ]) < pt * np.sinh(1.0))
    # 5.8 per unit of eta of non-single-diffractive ones (arXiv 1005.3299); here of all, above 0.2 GeV.
    assert 3.0 < central.sum() / 300 / 2.0 < 5.8
