"""Hadrons in the crystals: ionisation, interactions, sharing with the HCAL, what their showers look like."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2e.simulation import hadrons, jet_validation
from e2e.simulation.calorimeters import deposit_hadron_ecal, deposit_muon, empty
from e2e.simulation.particle_flow import draw_hadrons
from e2e.simulation.shower import COLUMNS, ENDCAP_FACE, ROWS
from e2e.simulation.tracker import ECAL_RADIUS
from e2e.simulation.validation import spread


def arrival(energy: float, charge: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """Into the middle of a crystal at eta = 0, at an ``angle`` in phi to the direction from the beam."""
    half = 0.5 * math.radians(1.0)
    place = ECAL_RADIUS * math.cos(half), ECAL_RADIUS * math.sin(half), 0.5 * 0.0174 * ECAL_RADIUS
    return np.array([charge, energy, *place, half + angle, 0.0, 0.0])


def drawn(energy: float, number: int, charge: float = 1.0) -> np.ndarray:
    """Energies [number, 2] that ECAL and HCAL show."""
    rng, cells = np.random.default_rng(2), np.zeros(ROWS * COLUMNS)
    return np.array(
        [hadrons.deposit_hadron(rng, cells, None, arrival(energy, charge), 1.0) for _ in range(number)]
    )


def test_ionisation_of_a_crystal() -> None:
    """Most probable 0.27 GeV in 23 cm, with the PDG's formula by hand, and Moyal's width of it."""
    rng = np.random.default_rng(1)
    lost = np.array([hadrons.ionisation(rng, 23.0, 1.0) for _ in range(20_000)])
    width = 0.1535e-3 * 0.4131 * 8.28 * 23.0
    assert width == pytest.approx(0.0121, rel=0.01)
    peak = width * (math.log(2.0 * 0.511e-3 * width / (53.3e-9) ** 2) + 0.2)
    assert peak == pytest.approx(0.27, abs=0.005)
    counts, edges = np.histogram(lost, bins=60, range=(0.2, 0.5))
    assert edges[counts.argmax()] == pytest.approx(peak, abs=0.012)
    assert lost.mean() - peak == pytest.approx(1.270 * width, rel=0.05)  # Moyal: Euler's constant + ln 2
    assert lost.std() == pytest.approx(math.pi / math.sqrt(2.0) * width, rel=0.05)
    slow = np.mean([hadrons.ionisation(rng, 23.0, 0.6) for _ in range(2000)])
    assert 1.8 < slow / lost.mean() < 3.0  # 1 / beta^2, less by the logarithm


@pytest.mark.parametrize("angle", [0.0, 0.35])
def test_ionisation_lies_in_the_crystals_crossed(angle: float) -> None:
    """23 cm at 20 degrees to the crystals lead through four of them: pions of 2 GeV come so."""
    rng, crystals = np.random.default_rng(1), empty()
    deposit_muon(rng, crystals, arrival(5.0, angle=angle), 1.0)
    assert 0.2 < crystals.barrel.sum() < 0.6
    columns = np.flatnonzero(crystals.barrel.sum(axis=0))
    width = 2.0 * math.pi / 360 * (ECAL_RADIUS + 12.0)
    assert len(columns) == pytest.approx(1.0 + 23.0 * math.sin(angle) / width, abs=1.0)
    assert columns.max() - columns.min() == len(columns) - 1


def test_hadrons_interact_or_ionise() -> None:
    ecal, hcal = drawn(20.0, 8000).T
    # 23 cm of crystal with an interaction length of 22.4 cm; ionisation alone peaks at 0.27 GeV.
    assert np.mean(ecal < 0.55) == pytest.approx(math.exp(-23.0 / 22.4), abs=0.06)
    assert (hcal >= 0).all()
    neutral = drawn(20.0, 4000, charge=0.0)
    assert np.mean(neutral[:, 0] == 0.0) == pytest.approx(math.exp(-23.0 / 22.4), abs=0.03)


@pytest.mark.parametrize("energy", [5.0, 10.0, 20.0, 50.0, 100.0])
def test_resolution_is_that_of_the_source(energy: float) -> None:
    """arXiv 1706.04965: 110 % / sqrt(E) and 9 % of ECAL and HCAL together."""
    shown = drawn(energy, 4000).sum(axis=1)
    assert spread(shown) == pytest.approx(math.hypot(1.10 / math.sqrt(energy), 0.09), rel=0.09)
    assert 0.75 < shown.mean() / energy < 1.02


@pytest.mark.parametrize("endcap", [False, True])
def test_energy_shown_is_energy_deposited(endcap: bool) -> None:
    """What a hadron shows in the ECAL is in its crystals, and never more than photons of its energy would."""
    rng, total, crystals = np.random.default_rng(3), 0.0, empty()
    place = arrival(10.0)
    if endcap:
        place[2:5], place[6] = (60.0, 40.0, ENDCAP_FACE), ENDCAP_FACE / math.hypot(60.0, 40.0)
        place[5] = math.atan2(40.0, 60.0)
    for _ in range(300):
        ecal, _ = deposit_hadron_ecal(rng, crystals, place, 1.0)
        total += ecal
    inside = crystals.endcaps[1] if endcap else crystals.barrel
    assert inside.sum() == pytest.approx(total, rel=0.03)  # a little leaves the end of the crystals sideways
    assert crystals.barrel.any() != crystals.endcaps[1].any()
    assert not crystals.endcaps[0].any()
    assert 0.25 < total / 3000.0 < 0.45


def test_electromagnetic_share_fluctuates() -> None:
    """Some hadrons are nearly a photon, some have none: the ECAL's share of 10 GeV is wide, and not flat."""
    shares = drawn(10.0, 4000)[:, 0] / 10.0
    shares = shares[shares > 0.06]
    assert 0.15 < shares.std() < 0.30
    assert np.mean(shares > 0.9) == pytest.approx(0.05, abs=0.04)
    assert shares.mean() == pytest.approx(0.50, abs=0.08)  # GFlash: 0.59, less what late ones leave behind


@pytest.mark.parametrize("energy", [2.0, 10.0])
def test_no_shape_alone_tells_hadrons_from_photons(energy: float) -> None:
    """By E1/E25, at most 0.95 (it was 1.000), of all hadrons and of those that shower."""
    rng = np.random.default_rng(4)
    photons = jet_validation.shapes("photon", energy, rng)
    found = jet_validation.shapes("hadron", energy, rng)
    for some in (found, found[found.e25 > 0.25 * energy]):
        assert len(some) > 60
        area = roc_auc_score(np.repeat([1, 0], [len(photons), len(some)]), np.r_[photons.e1_e25, some.e1_e25])
        assert 0.5 < area < 0.95
        assert some.e1_e25.std() > 0.1


def test_hadrons_are_those_of_their_seed() -> None:
    energies, shown, again = np.array([3.0, 30.0]), np.empty((2, 50, 2)), np.empty((2, 50, 2))
    draw_hadrons(np.random.default_rng(5), energies, shown)
    draw_hadrons(np.random.default_rng(5), energies, again)
    np.testing.assert_array_equal(shown, again)
