"""Tracks and material against closed forms."""

import math

import numpy as np
import pytest

from e2e.simulation import tracker
from e2e.simulation.tracker import ARRIVALS, ECAL_RADIUS, ENERGY, FIELD, LIGHT, PHI, TIME, X, Y, Z


def bending_radius(pt: float) -> float:
    """cm, from p [GeV] = 0.3 B [T] R [m]."""
    return 100.0 * pt / (LIGHT / 100.0 * FIELD)


def run(number: int, charge: float, eta: float, energy: float = 50.0, seed: int = 1):
    rng = np.random.default_rng(seed)
    arrivals = np.empty((ARRIVALS, 8))
    for _ in range(number):
        count, left, conversion = tracker.transport(
            rng, charge, energy, 0.3, math.sinh(eta), 0.0, 0.0, arrivals
        )
        yield arrivals[:count].copy(), left, conversion


@pytest.mark.parametrize("charge", [-1.0, 1.0])
@pytest.mark.parametrize("pt", [0.8, 2.0, 10.0, 50.0])
@pytest.mark.parametrize("phi", [-3.0, 0.0, 1.2])
def test_helix_from_the_origin(charge: float, pt: float, phi: float) -> None:
    angle = math.asin(ECAL_RADIUS / (2.0 * bending_radius(pt)))
    length = tracker.arc(charge, pt, 0.0, 0.0, phi, ECAL_RADIUS)
    assert length == pytest.approx(2.0 * bending_radius(pt) * angle, rel=1e-6)
    x, y, direction = tracker.move(charge, pt, 0.0, 0.0, phi, length)
    assert math.hypot(x, y) == pytest.approx(ECAL_RADIUS, rel=1e-9)
    # Positive charges turn clockwise in a field along +z.
    assert math.remainder(math.atan2(y, x) - (phi - charge * angle), 2 * math.pi) == pytest.approx(
        0, abs=1e-7
    )
    assert direction == pytest.approx(phi - 2.0 * charge * angle, abs=1e-7)


def test_helix_in_two_parts_is_the_helix() -> None:
    x, y, phi = tracker.move(-1.0, 2.0, 0.0, 0.0, 0.5, tracker.arc(-1.0, 2.0, 0.0, 0.0, 0.5, 60.0))
    x, y, phi = tracker.move(-1.0, 2.0, x, y, phi, tracker.arc(-1.0, 2.0, x, y, phi, ECAL_RADIUS))
    whole = tracker.move(-1.0, 2.0, 0.0, 0.0, 0.5, tracker.arc(-1.0, 2.0, 0.0, 0.0, 0.5, ECAL_RADIUS))
    assert (x, y, phi) == pytest.approx(whole, abs=1e-6)


def test_slow_particles_curl_up() -> None:
    limit = 0.5 * ECAL_RADIUS / bending_radius(1.0)  # GeV
    assert limit == pytest.approx(0.735, abs=0.001)
    assert tracker.arc(1.0, 0.99 * limit, 0.0, 0.0, 0.0, ECAL_RADIUS) < 0
    assert tracker.arc(1.0, 1.01 * limit, 0.0, 0.0, 0.0, ECAL_RADIUS) > 0


def test_photon_flies_straight_at_the_speed_of_light() -> None:
    eta, z, phi = 0.8, 3.0, 0.3
    rng, arrivals = np.random.default_rng(1), np.empty((ARRIVALS, 8))
    conversion = 1.0
    while conversion:
        _, _, conversion = tracker.transport(rng, 0.0, 50.0, phi, math.sinh(eta), z, 0.1, arrivals)
    arrival = arrivals[0]
    assert math.atan2(arrival[Y], arrival[X]) == pytest.approx(phi)
    assert arrival[Z] == pytest.approx(z + ECAL_RADIUS * math.sinh(eta))
    assert arrival[TIME] == pytest.approx(0.1 + ECAL_RADIUS * math.cosh(eta) / LIGHT)
    assert arrival[PHI] == phi


@pytest.mark.parametrize(("eta", "low", "high"), [(0.0, 0.36, 0.44), (1.4, 1.62, 2.2)])
def test_material_is_the_published_one(eta: float, low: float, high: float) -> None:
    assert low <= tracker.budget(eta) <= high
    assert tracker.budget(-eta) == tracker.budget(eta)


def test_layers_are_crossed_from_inside_to_outside() -> None:
    radius, depth = np.empty(tracker.LAYERS), np.empty(tracker.LAYERS)
    for eta in np.linspace(-1.4, 1.4, 29):
        count = tracker.cross(math.sinh(eta), 4.0, radius, depth)
        assert count >= 14  # beam pipe, 3 pixel and 10 strip layers at least
        assert (np.diff(radius[:count]) >= 0).all()
        assert radius[0] == pytest.approx(3.003)
        assert radius[count - 1] < ECAL_RADIUS
        assert (depth[:count] > 0).all()


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.3])
def test_conversion_probability(eta: float) -> None:
    number = 4000
    converted = np.array([conversion > 0 for _, _, conversion in run(number, 0.0, eta)])
    expected = 1.0 - math.exp(-7.0 / 9.0 * tracker.budget(eta))
    assert converted.mean() == pytest.approx(
        expected, abs=4.0 * math.sqrt(expected * (1 - expected) / number)
    )


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.3])
def test_mean_energy_after_bremsstrahlung(eta: float) -> None:
    left = np.array([left for _, left, _ in run(4000, -1.0, eta)]) / 50.0
    # What the softest photons would take is left with the electron: 0.13 % per radiation length.
    expected = math.exp(-tracker.budget(eta))
    assert left.mean() == pytest.approx(expected, abs=4.0 * left.std() / math.sqrt(len(left)) + 0.002)


def test_bremsstrahlung_spectrum() -> None:
    rng, photons, depth, number = np.random.default_rng(1), np.empty(64), 0.01, 40_000
    hard = 0
    for _ in range(number):
        hard += (photons[: tracker.radiate(rng, 100.0, depth, photons)] > 10.0).sum()
    expected = number * depth * (4 / 3 * math.log(10) - 4 / 3 * 0.9 + 0.5 * 0.99)
    assert hard == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_conversion_spectrum() -> None:
    rng = np.random.default_rng(1)
    shares = np.array([tracker.split(rng) for _ in range(20_000)])
    # Of 9/7 (1 - 4/3 x (1 - x)): mean 1/2, second moment 12/35.
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert (shares**2).mean() == pytest.approx(12 / 35, abs=0.01)


@pytest.mark.parametrize("charge", [0.0, -1.0])
def test_energy_is_conserved_but_for_curling_particles(charge: float) -> None:
    totals = np.array([arrivals[:, ENERGY].sum() for arrivals, _, _ in run(1000, charge, 1.0)])
    assert (totals <= 50.0 + 1e-9).all()
    assert totals.mean() > 0.98 * 50.0


def test_radiated_energy_lands_beside_the_electron() -> None:
    """Photons go straight on where the electron bends away, so all are on the same side of it."""
    sides = []
    for arrivals, left, _ in run(300, -1.0, 0.5):
        electron = arrivals[arrivals[:, ENERGY] == left]
        photons = arrivals[arrivals[:, tracker.CHARGE] == 0]
        # Without a conversion: its electrons radiate too, and bend to either side.
        if len(electron) == 1 and len(photons) and len(electron) + len(photons) == len(arrivals):
            azimuth = np.arctan2(photons[:, Y], photons[:, X]) - math.atan2(electron[0, Y], electron[0, X])
            sides.extend(azimuth)
    assert len(sides) > 100
    # Electrons turn anticlockwise.
    assert np.mean(np.array(sides) < 0) > 0.98
