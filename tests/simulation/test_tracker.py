"""Tracks and material against closed forms."""

import math

import numpy as np
import pytest

from e2e.simulation import tracker
from e2e.simulation.tracker import (
    ARRIVALS,
    BARREL_END,
    CONVERSION_MINIMUM,
    ECAL_RADIUS,
    ENDCAP_FACE,
    ENERGY,
    FIELD,
    LIGHT,
    PHI,
    TIME,
    X,
    Y,
    Z,
)
from e2e.simulation.tracks import reach


def bending_radius(pt: float) -> float:
    """cm, from p [GeV] = 0.3 B [T] R [m]."""
    return 100.0 * pt / (LIGHT / 100.0 * FIELD)


def run(
    number: int,
    charge: float,
    eta: float,
    energy: float = 50.0,
    at: tuple[float, float, float] = (0.0, 0.0, 0.0),
    material: float = 1.0,
):
    rng = np.random.default_rng(1)
    arrivals, births = np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 8))
    start = np.array((charge, energy, *at, 0.3, math.sinh(eta), 0.1))
    for _ in range(number):
        count, _, left, conversion = tracker.transport(rng, start, material, arrivals, births)
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
    arrival = next(
        arrivals[0] for arrivals, _, conversion in run(50, 0.0, eta, at=(0.0, 0.0, z)) if not conversion
    )
    assert math.atan2(arrival[Y], arrival[X]) == pytest.approx(phi)
    assert arrival[Z] == pytest.approx(z + ECAL_RADIUS * math.sinh(eta))
    assert arrival[TIME] == pytest.approx(0.1 + ECAL_RADIUS * math.cosh(eta) / LIGHT)
    assert arrival[PHI] == phi


@pytest.mark.parametrize("eta", [-2.6, -1.5, 1.7, 2.9])
def test_photons_in_the_endcap_meet_its_plane(eta: float) -> None:
    z = 3.0
    for arrivals, _, conversion in run(20, 0.0, eta, at=(1.0, -2.0, z)):
        assert (arrivals[:, Z] == math.copysign(ENDCAP_FACE, eta)).all()
        if not conversion:
            along = (math.copysign(ENDCAP_FACE, eta) - z) / math.sinh(eta)
            expected = 1.0 + along * math.cos(0.3), -2.0 + along * math.sin(0.3)
            assert arrivals[0, [X, Y]] == pytest.approx(expected)
            assert arrivals[0, TIME] == pytest.approx(0.1 + along * math.cosh(eta) / LIGHT)


@pytest.mark.parametrize("charge", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("eta", [-2.4, -1.6, -0.4, 0.0, 0.9, 1.55, 2.9])
@pytest.mark.parametrize("pt", [0.3, 0.8, 5.0])
@pytest.mark.parametrize("at", [(0.0, 0.0, -4.0), (2.0, 1.0, 5.0), (30.0, -20.0, -40.0)])
def test_layer_by_layer_leads_where_the_helix_does(
    charge: float, eta: float, pt: float, at: tuple[float, float, float]
) -> None:
    """Steps through layers without material end at the face, or nowhere, as one helix does."""
    (arrivals, left, conversion), *_ = run(1, charge, eta, pt * math.cosh(eta), at, material=0.0)
    expected = reach(charge, pt, *at, 0.3, math.sinh(eta), ECAL_RADIUS, BARREL_END, ENDCAP_FACE)
    assert (left, conversion) == (pt * math.cosh(eta), 0.0)
    if expected[:2] == (0.0, 0.0):
        assert len(arrivals) == 0
    else:
        assert arrivals[0, [X, Y, Z]] == pytest.approx(expected, abs=1e-6)


def test_what_is_born_outside_crosses_what_is_left() -> None:
    at = 115.0, 0.0, 0.0  # of the tracker, the outer wall is left
    converted = np.array([conversion for _, _, conversion in run(4000, 0.0, 0.0, at=at, material=5.0)])
    assert set(np.round(converted[converted > 0], 3)) == {120.0}
    assert (converted > 0).mean() == pytest.approx(1.0 - math.exp(-7 / 9 * 5 * 0.042), abs=0.03)


@pytest.mark.parametrize("charge", [0.0, 1.0])
@pytest.mark.parametrize("eta", [-2.0, 0.0, 2.0])
def test_what_is_born_beyond_the_calorimeter_is_lost(charge: float, eta: float) -> None:
    at = (ECAL_RADIUS + 1.0, 0.0, math.copysign(ENDCAP_FACE + 1.0, eta))
    for arrivals, _, _ in run(3, charge, eta, at=at):
        assert len(arrivals) == 0


def test_soft_photons_do_not_convert() -> None:
    for arrivals, _, conversion in run(50, 0.0, 1.4, 0.99 * CONVERSION_MINIMUM):
        assert len(arrivals) == 1
        assert conversion == 0.0


def test_charges_of_a_conversion() -> None:
    rng, arrivals, births = np.random.default_rng(1), np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 8))
    start = np.array((0.0, 50.0, 0.0, 0.0, 0.0, 0.3, 0.5, 0.0))
    pairs = 0
    for _ in range(200):
        _, born, _, conversion = tracker.transport(rng, start, 1.0, arrivals, births)
        if not conversion:
            assert born == 0
            continue
        pairs += 1
        assert births[:2, ENERGY].sum() == pytest.approx(50.0)
        assert births[:2, tracker.CHARGE].tolist() == [-1.0, 1.0]
        assert np.hypot(births[:2, X], births[:2, Y]) == pytest.approx(conversion)
    assert pairs > 50


# 0.4 X0 in the middle, 1.8 at 1.4, beyond which it falls to about 1 at 2.5: JINST 3 S08004.
@pytest.mark.parametrize(
    ("eta", "low", "high"), [(0.0, 0.36, 0.44), (1.4, 1.62, 2.2), (2.0, 1.2, 1.8), (2.6, 0.8, 1.3)]
)
def test_material_is_the_published_one(eta: float, low: float, high: float) -> None:
    assert low <= tracker.budget(eta) <= high
    assert tracker.budget(-eta) == tracker.budget(eta)


def test_layers_are_crossed_from_inside_to_outside() -> None:
    for eta in np.linspace(-2.9, 2.9, 59):
        photon, layers = np.array((0.0, 1.0, 0.0, 0.0, 4.0, 0.3, math.sinh(eta), 0.0)), np.zeros(2, np.int64)
        tracker.next_layers(photon, layers)
        radii = []
        while (depth := tracker.step(photon, layers)) >= 0.0:
            if depth > 0.0:
                radii.append(math.hypot(photon[X], photon[Y]))
        assert depth == tracker.ARRIVED
        if abs(eta) < 2.4:
            assert len(radii) >= 14  # beam pipe, 3 pixel and 10 strip layers at least
        assert (np.diff(radii) >= 0).all()
        assert radii[-1] < ECAL_RADIUS


@pytest.mark.parametrize(("eta", "material"), [(0.0, 1.0), (0.7, 1.0), (1.3, 1.1), (2.2, 1.0)])
def test_conversion_probability(eta: float, material: float) -> None:
    number = 4000
    converted = np.array([conversion > 0 for _, _, conversion in run(number, 0.0, eta, material=material)])
    expected = 1.0 - math.exp(-7.0 / 9.0 * material * tracker.budget(eta))
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
@pytest.mark.parametrize("eta", [1.0, -2.0])
def test_energy_is_conserved_but_for_curling_particles(charge: float, eta: float) -> None:
    totals = np.array([arrivals[:, ENERGY].sum() for arrivals, _, _ in run(1000, charge, eta, 100.0)])
    assert (totals <= 100.0 + 1e-9).all()
    assert totals.mean() > 0.98 * 100.0
    # Of 50 TeV, nothing curls up that would be seen.
    totals = np.array([arrivals[:, ENERGY].sum() for arrivals, _, _ in run(300, charge, eta, 5e4)])
    assert totals == pytest.approx(5e4, rel=1e-3)


def test_radiated_energy_lands_beside_the_electron() -> None:
    """Photons go straight on where the electron bends away, so all are on the same side of it."""
    sides = []
    for arrivals, left, _ in run(300, -1.0, 0.5):
        electron = arrivals[arrivals[:, ENERGY] == left]
        photons = arrivals[(arrivals[:, tracker.CHARGE] == 0) & (arrivals[:, ENERGY] > 1.0)]
        # Without a conversion: its electrons radiate too, and bend to either side; soft ones curl up.
        if len(electron) == 1 and np.count_nonzero(arrivals[:, tracker.CHARGE]) == 1:
            azimuth = np.arctan2(photons[:, Y], photons[:, X]) - math.atan2(electron[0, Y], electron[0, X])
            sides.extend(azimuth)
    assert len(sides) > 100
    # Electrons turn anticlockwise.
    assert np.mean(np.array(sides) < 0) > 0.98
