"""Showers against Grindhammer and Peters' formulas, and against what crystals are known to contain."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from e2e.simulation import shower
from e2e.simulation.shower import CELL_ETA, CELL_PHI, COLUMNS, FINE, FIRST_PHI, ROWS
from e2e.simulation.tracker import ECAL_RADIUS, LIGHT


def shoot(charge: float, energy: float, eta: float, phi: float, rng: np.random.Generator, delay: float = 0.0):
    """Energy and energy x time frames of a particle from the nominal vertex."""
    cells, times = np.zeros(ROWS * COLUMNS), np.zeros(ROWS * COLUMNS)
    x, y, z = ECAL_RADIUS * math.cos(phi), ECAL_RADIUS * math.sin(phi), ECAL_RADIUS * math.sinh(eta)
    arrival = np.array(
        [charge, energy, x, y, z, phi, math.sinh(eta), ECAL_RADIUS * math.cosh(eta) / LIGHT + delay]
    )
    shower.deposit_particle(rng, cells, times, arrival, FINE)
    return cells.reshape(ROWS, COLUMNS), times.reshape(ROWS, COLUMNS)


@pytest.mark.parametrize("a", [0.3, 1.0, 4.5, 12.0])
def test_incomplete_gamma(a: float) -> None:
    for x in np.geomspace(1e-3, 60.0, 40):
        assert shower.incomplete_gamma(a, x) == pytest.approx(special.gammainc(a, x), abs=1e-9)
    assert shower.incomplete_gamma(a, 0.0) == 0.0


@pytest.mark.parametrize("energy", [1.0, 50.0])
def test_longitudinal_fluctuations(energy: float) -> None:
    rng = np.random.default_rng(1)
    alpha, depth = np.log([shower.sample_profile(rng, energy) for _ in range(5000)]).T
    logy = math.log(energy / shower.CRITICAL_ENERGY)
    assert depth.mean() == pytest.approx(math.log(logy - 0.812), abs=4 * depth.std() / math.sqrt(5000))
    assert depth.std() == pytest.approx(1 / (-1.4 + 1.26 * logy), rel=0.05)
    assert alpha.std() == pytest.approx(1 / (-0.58 + 0.86 * logy), rel=0.05)
    assert np.corrcoef(alpha, depth)[0, 1] == pytest.approx(0.705 - 0.023 * logy, abs=0.04)


@pytest.mark.parametrize(("radius", "expected"), [(1.0, 0.90), (2.0, 0.95)])
@pytest.mark.parametrize("energy", [5.0, 50.0])
def test_moliere_containment(radius: float, expected: float, energy: float) -> None:
    """90 % of a shower lie within one Molière radius, 95 % within two (PDG)."""
    alpha, depth = shower.mean_profile(energy)
    t = np.linspace(0.05, 25.0, 500)
    weight = stats.gamma.pdf(t, alpha, scale=depth / (alpha - 1.0))
    contained = np.empty_like(t)
    for i, tau in enumerate(t / depth):
        core, tail, share = shower.radial_profile(energy, tau)
        contained[i] = share * radius**2 / (radius**2 + core**2)
        contained[i] += (1.0 - share) * radius**2 / (radius**2 + tail**2)
    assert np.average(contained, weights=weight) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("eta", [0.1, -1.2])
@pytest.mark.parametrize("charge", [-1.0, 0.0])
def test_energy_in_the_crystals(charge: float, eta: float) -> None:
    """3 x 3 crystals hold 94 % and 5 x 5 hold 97 % (CERN/LHCC 97-33); little leaks out behind."""
    rng = np.random.default_rng(1)
    nine, twentyfive, total = [], [], []
    for _ in range(150):
        frame, _ = shoot(
            charge, 50.0, eta + rng.uniform(-CELL_ETA, CELL_ETA), rng.uniform(0.0, CELL_PHI), rng
        )
        row, column = np.unravel_index(frame.argmax(), frame.shape)
        nine.append(frame[row - 1 : row + 2, column - 1 : column + 2].sum() / 50.0)
        twentyfive.append(frame[row - 2 : row + 3, column - 2 : column + 3].sum() / 50.0)
        total.append(frame.sum() / 50.0)
    assert np.mean(nine) == pytest.approx(0.94, abs=0.015)
    assert np.mean(twentyfive) == pytest.approx(0.97, abs=0.01)
    assert max(total) <= 1.0 + 1e-9
    assert np.mean(total) == pytest.approx(0.993, abs=0.006)


def test_soft_particles_stay_in_their_crystal() -> None:
    frame, _ = shoot(0.0, 0.05, 0.5 * CELL_ETA, FIRST_PHI + 7.5 * CELL_PHI, np.random.default_rng(1))
    assert frame[ROWS // 2, 7] == pytest.approx(0.05)
    assert np.count_nonzero(frame) == 1


def test_phi_wraps_around() -> None:
    """A shower on the border between the last and the first column looks like any other."""
    seam, _ = shoot(-1.0, 50.0, 0.3, FIRST_PHI, np.random.default_rng(3))
    inner, _ = shoot(-1.0, 50.0, 0.3, FIRST_PHI + 100 * CELL_PHI, np.random.default_rng(3))
    assert seam[:, 0].sum() > 5.0
    assert seam[:, -1].sum() > 1.0
    np.testing.assert_allclose(np.roll(seam, 100, axis=1), inner, atol=1e-6)


def test_energy_beyond_the_barrel_is_lost() -> None:
    frame, _ = shoot(-1.0, 50.0, ROWS / 2 * CELL_ETA, 0.0, np.random.default_rng(1))
    assert 0.0 < frame.sum() < 45.0


@pytest.mark.parametrize(("eta", "phi"), [(0.01, 0.0), (-0.01, 3.1), (1.2, -2.0), (-1.47, 1.0)])
def test_cells_of_the_front_face(eta: float, phi: float) -> None:
    row, column = shower.cell(eta, phi, 0.0)
    assert row == pytest.approx(eta / 0.0174 + 85.0)
    assert column == pytest.approx((math.degrees(phi) + 10.0) % 360.0)


@pytest.mark.parametrize("end", [-1.0, 1.0])
def test_crystals_are_tilted(end: float) -> None:
    """At 20 cm depth a crystal's axis is 20 cm tan(3 degrees) nearer to the middle than its front face.

    In phi it is 20 cm tan(2.93 degrees) beside the line from the vertex, on another side at either end.
    """
    depth, eta = 20.0, end * 1e-9
    row, column = shower.cell(eta, 0.0, depth)
    distance = (ECAL_RADIUS + depth) * (10.0 - column) * CELL_PHI
    assert distance == pytest.approx(end * depth * math.tan(math.radians(2.93)))
    distance = (row - 85.0) * CELL_ETA * (ECAL_RADIUS + depth)
    assert distance == pytest.approx(end * depth * math.tan(math.radians(3.0)), rel=1e-6)


def test_crystals_are_tilted_as_in_cms(shared: Path) -> None:
    """Against the axes of real crystals: from the centre of the front face to that of the back face.

    Beyond the innermost crystals, which lean less in theta, the simulation's axes are theirs: along each,
    row and column stay the same to 0.03 crystals.
    """
    table = pd.read_csv(shared / "data" / "detids.csv.gz")
    table = table[(table.detector == "EB") & (abs(table.id1) > 5)]
    assert len(table) > 20_000
    places = []
    for face in ("front", "back"):
        x, y, z = (table[f"{face}_{axis}"].to_numpy() for axis in "xyz")
        rho = np.hypot(x, y)
        points = zip(np.arcsinh(z / rho), np.arctan2(y, x), rho - ECAL_RADIUS, strict=True)
        places.append([shower.cell(*point) for point in points])
    rows, columns = np.diff(places, axis=0)[0].T
    columns = (columns + COLUMNS / 2) % COLUMNS - COLUMNS / 2
    for end in (-1, 1):
        here = np.sign(table.id1) == end
        # Without a tilt 0.4 crystals in phi and 0.5 in eta, with the opposite sign twice as much.
        for drift in (rows[here], columns[here]):
            assert abs(drift.mean()) < 0.03
            assert drift.std() < 0.03


@pytest.mark.parametrize("charge", [0.0, -1.0])
def test_only_both_reflections_together_are_a_symmetry(charge: float) -> None:
    """(eta, phi) -> (-eta, -phi) brings showers onto showers; a reflection in phi alone does not."""

    def lean(eta: float, phi: float) -> tuple[float, float]:
        rng = np.random.default_rng(3)
        total = sum(shoot(charge, 50.0, eta, phi, rng)[0] for _ in range(200))
        row, column = np.unravel_index(total.argmax(), total.shape)
        near = total[row - 2 : row + 3, column - 2 : column + 3] / total.sum()
        return near[3:].sum() - near[:2].sum(), near[:, 3:].sum() - near[:, :2].sum()

    eta, phi = 40.5 * CELL_ETA, FIRST_PHI + 100.5 * CELL_PHI
    outer, other = lean(eta, phi), lean(-eta, -phi)
    assert other == pytest.approx((-outer[0], -outer[1]), abs=0.01)
    reflected = lean(eta, -phi)
    assert abs(reflected[1] + outer[1]) > 0.1  # the same, and not its opposite


def test_time_is_what_exceeds_the_flight_of_light() -> None:
    frame, times = shoot(-1.0, 50.0, 0.9, 1.0, np.random.default_rng(1), delay=0.25)
    hit = frame > 0
    np.testing.assert_allclose(times[hit] / frame[hit], 0.25, atol=1e-9)


def beyond(
    energy: float, t: np.ndarray, edges: list[np.ndarray], scale: float, rng: np.random.Generator
) -> float:
    """Share of electrons' energy beyond either of two ``edges`` (cm) [n], in one dimension across the shower.

    The ``edges`` are those at the depths ``t`` [n] (radiation lengths, in steps of 1), radii in units of
    ``scale`` cm. In one dimension a profile is x / (2 sqrt(x^2 + R^2)).
    """
    logy = math.log(energy / shower.CRITICAL_ENERGY)
    mean_alpha = 0.81 + (0.458 + 2.26 / shower.ATOMIC_NUMBER) * logy
    outside, total = 0.0, 0.0
    for _ in range(200):
        alpha, depth = shower.sample_profile(rng, energy)
        length = depth / (alpha - 1.0)
        weight = np.diff(stats.gamma.cdf(np.append(t - 0.5, t[-1] + 0.5), alpha, scale=length))
        tau = t / (alpha * length * (mean_alpha - 1.0) / mean_alpha)
        core, tail, share = np.array([shower.radial_profile(energy, value) for value in tau]).T
        for part, radius in ((share, core), (1.0 - share, tail)):
            for edge in edges:
                outside += (weight * part * 0.5 * (1.0 - edge / np.hypot(edge, scale * radius))).sum()
        total += weight.sum()
    return outside / total


def test_profiles_are_widened_as_in_cms() -> None:
    """CMS multiplies the radii of Grindhammer and Peters by 1.096 (FastSimulation, RadiusFactorEB).

    Without it a fifth of what lies outside three columns would not, and electrons would be told too easily.
    """
    energy, phi, rng = 50.0, FIRST_PHI + 100.5 * CELL_PHI, np.random.default_rng(1)
    frames = np.array([shoot(-1.0, energy, 0.005, phi, rng)[0] for _ in range(200)])
    outside = 1.0 - frames[:, :, 99:102].sum() / frames.sum()

    t = np.arange(0.5, 23.0 / 0.89, 1.0)  # radiation lengths, along the axis of a crystal
    shift, half = math.tan(math.radians(3.0)) * 0.89 * t, 1.5 * CELL_PHI * (ECAL_RADIUS + 0.89 * t)
    edges = [half - shift, half + shift]
    assert outside == pytest.approx(beyond(energy, t, edges, 1.096 * 2.19, rng), rel=0.05)


def test_profiles_of_the_endcaps_are_wider() -> None:
    """By 1.25 (CMSSW, RadiusFactorEE), in crystals of 3.0 cm: what lies outside three rows of an electron."""
    energy, rng = 50.0, np.random.default_rng(1)
    x, y, z = 0.5 * shower.ENDCAP_PITCH, 60.0, shower.ENDCAP_FACE
    phi, sinh_eta = math.atan2(y, x), z / math.hypot(x, y)
    outside, total = 0.0, 0.0
    for _ in range(200):
        cells = np.zeros(shower.ENDCAP_CRYSTALS**2)
        shower.deposit_particle(
            rng, cells, None, np.array([-1.0, energy, x, y, z, phi, sinh_eta, 0.0]), FINE, True
        )
        rows = cells.reshape(shower.ENDCAP_CRYSTALS, -1).sum(axis=1)
        outside += rows.sum() - rows[49:52].sum()
        total += rows.sum()

    cosine = z / math.hypot(x, y, z)
    t = np.arange(0.5, 22.0 / 0.89, 1.0)
    half = 1.5 * shower.ENDCAP_PITCH * (1.0 + 0.89 * t * cosine / (315.4 + 130.0))
    expected = beyond(energy, t, [half, half], 1.25 * 2.19, rng)
    assert outside / total == pytest.approx(expected, rel=0.05)
