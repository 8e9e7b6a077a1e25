"""Tracks and calorimeters of the jet simulation: helices, resolutions, sharing, energy kept."""

import math
from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e.simulation import calorimeters, tracks
from e2e.simulation.calorimeters import TOWER_PHI, deposit_ecal, deposit_hcal, empty, frame_column, frame_row
from e2e.simulation.crossing import TRACK_COLUMNS, TRACKS, Frames, empty_frames, simulate_crossing
from e2e.simulation.detector import NOMINAL, Detector
from e2e.simulation.generator import CHARGED_HADRON, ELECTRON, NEUTRAL_HADRON, PHOTON
from e2e.simulation.particle_flow import _mean_hadron, find_seed, pileup_density, reconstruct
from e2e.simulation.pileup import VERTEX_SIGMA
from e2e.simulation.shower import FIRST_PHI
from e2e.simulation.tracker import ARRIVALS, BARREL_END, BARREL_ETA, ECAL_RADIUS, ENDCAP_FACE, transport
from e2e.simulation.tracks import impact_parameters, reach, track_resolution

ECAL = (ECAL_RADIUS, BARREL_END, ENDCAP_FACE)


@pytest.mark.parametrize("charge", [-1.0, 1.0])
@pytest.mark.parametrize("pt", [1.0, 5.0, 50.0])
def test_bending_to_the_barrel_follows_the_helix(charge: float, pt: float) -> None:
    x, y, z = reach(charge, pt, 0.0, 0.0, 0.0, 0.3, 0.5, *ECAL)
    assert math.hypot(x, y) == pytest.approx(ECAL_RADIUS)
    radius = pt / (0.299792458 * 3.8) * 100.0  # cm
    turn = math.asin(ECAL_RADIUS / (2.0 * radius))
    # In a field along +z, positive particles turn towards smaller phi.
    assert math.atan2(y, x) == pytest.approx(0.3 - charge * turn)
    assert z == pytest.approx(0.5 * 2.0 * radius * turn)


def test_neutral_particles_go_straight() -> None:
    x, y, z = reach(0.0, 1.0, 0.0, 0.0, 2.0, 1.0, 0.5, *ECAL)
    assert (math.atan2(y, x), z) == pytest.approx((1.0, 2.0 + 0.5 * ECAL_RADIUS))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_bending_to_the_endcap_follows_the_helix(side: float) -> None:
    pt, sinh_eta = 3.0, side * math.sinh(2.0)
    x, y, z = reach(1.0, pt, 0.0, 0.0, 0.0, 0.0, sinh_eta, *ECAL)
    assert z == side * ENDCAP_FACE
    radius = pt / (0.299792458 * 3.8) * 100.0
    turn = ENDCAP_FACE / math.sinh(2.0) / radius
    assert (x, y) == pytest.approx((radius * math.sin(turn), radius * (math.cos(turn) - 1.0)))


def test_soft_particles_curl_up() -> None:
    # 0.3 GeV turns within 53 cm; straight up it would take more than a turn to the endcap.
    assert reach(1.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.1, *ECAL) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("charge", [-1.0, 1.0])
def test_impact_parameters_of_a_helix(charge: float) -> None:
    # A particle from the beam line, carried along its helix, points back to where it came from.
    x, y, z = reach(charge, 2.0, 0.0, 0.0, 1.0, 0.7, 0.2, 5.0, 300.0, 300.0)
    phi = 2.0 * math.atan2(y, x) - 0.7  # a chord makes equal angles with both tangents
    dxy, at = impact_parameters(charge, 2.0, x, y, z, phi, 0.2)
    assert dxy == pytest.approx(0.0, abs=1e-9)
    assert at == pytest.approx(1.0, abs=0.01)
    # Born 1 mm beside the beam line, going straight away from the side.
    dxy, _ = impact_parameters(charge, 50.0, -0.1 * math.sin(0.7), 0.1 * math.cos(0.7), 0.0, 0.7, 0.2)
    assert dxy == pytest.approx(0.1, rel=1e-3)


def test_track_resolutions_are_the_published_ones() -> None:
    # arXiv 1405.6569, muons of 100 GeV: 2.8 % in pT, 10 um in d0, 30 um in dz; at 1 GeV 90, 150 um.
    pt, d0, dz = track_resolution(100.0, 0.5)
    assert pt == pytest.approx(0.028, rel=0.02)
    assert (d0, dz) == pytest.approx((10e-4, 30e-4), rel=0.2)
    pt, d0, dz = track_resolution(1.0, 0.5)
    assert pt == pytest.approx(0.015, rel=0.02)
    assert (d0, dz) == pytest.approx((90e-4, 150e-4), rel=0.05)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("pt", [1.0, 100.0])
def test_forward_tracks_are_measured_half_as_well(pt: float, side: float) -> None:
    """A forward track as good as a central one would tell pileup from jets where CMS cannot."""
    central, forward = (np.array(track_resolution(pt, side * eta)) for eta in (1.39, 1.41))
    assert forward / central == pytest.approx([2.0, 2.0, 2.0])


def test_track_efficiency() -> None:
    rng = np.random.default_rng(1)

    def efficiency(pt: float, eta: float, radius: float = 0.0) -> float:
        return float(np.mean([tracks.is_found(rng, False, pt, eta, radius) for _ in range(4000)]))

    assert efficiency(2.0, 0.0) == pytest.approx(0.94, abs=0.015)
    assert efficiency(2.0, -2.0) == pytest.approx(0.85, abs=0.02)
    assert efficiency(2.0, 0.0, radius=30.0) < 0.6
    assert efficiency(0.4, 0.0) == efficiency(2.0, 2.6) == efficiency(2.0, 0.0, radius=70.0) == 0.0


def test_rows_of_a_frame_lie_over_the_towers() -> None:
    # Five rows to a tower, everywhere: the middle of a tower lies in its middle crystal.
    edges = calorimeters.TOWER_EDGES
    for row, eta in enumerate(0.5 * (edges[1:] + edges[:-1])):
        assert calorimeters.tower_row(eta) == 28 + row
        assert calorimeters.tower_row(-eta) == 27 - row
        assert frame_row(eta) // 5 == 28 + row
        assert frame_row(-eta) // 5 == 27 - row
    assert frame_row(3.1) == frame_row(-3.1) == calorimeters.tower_row(3.1) == -1


def test_columns_wrap_around() -> None:
    assert frame_column(FIRST_PHI + 1e-6) == frame_column(FIRST_PHI + 2 * math.pi + 1e-6) == 0
    assert frame_column(FIRST_PHI - 1e-6) == 359
    assert calorimeters.tower_column(FIRST_PHI - 1e-6) == 71
    for phi in (FIRST_PHI + 1e-6, -1e-6, 0.5 * TOWER_PHI, 3.0):  # a tower lies over 5 columns of crystals
        assert frame_column(phi) // 5 == calorimeters.tower_column(phi)


@pytest.mark.parametrize("eta", [0.0, 0.9, -1.35, 1.9, 2.6])
@pytest.mark.parametrize("phi", [0.01, 1.0, -0.01])
def test_towers_share_all_of_the_energy(eta: float, phi: float) -> None:
    towers = np.zeros((56, 72))
    deposit_hcal(towers, eta, phi, 10.0)
    assert towers.sum() == pytest.approx(10.0)
    assert (towers >= 0).all()
    hit = towers[calorimeters.tower_row(eta), calorimeters.tower_column(phi)]
    assert hit == towers.max()
    assert 0 < hit < 10.0
    assert np.count_nonzero(towers) == 9


def photon(x: float, y: float, z: float) -> np.ndarray:
    """A row of arrivals: 10 GeV from the nominal vertex."""
    return np.array([0.0, 10.0, x, y, z, math.atan2(y, x), z / math.hypot(x, y), 0.0])


def test_a_photon_in_the_crystals() -> None:
    rng, crystals = np.random.default_rng(1), empty()
    eta, phi = 10.5 * 0.0174, math.radians(30.5)  # the middle of a crystal
    deposit_ecal(
        rng, crystals, photon(*(ECAL_RADIUS * f for f in (math.cos(phi), math.sin(phi), math.sinh(eta))))
    )
    assert 9.6 < crystals.barrel.sum() < 10.0
    row, column = np.unravel_index(crystals.barrel.argmax(), crystals.barrel.shape)
    assert (row + 55, column) == (frame_row(eta), frame_column(phi))
    assert not crystals.endcaps.any()
    crystals = empty()
    deposit_ecal(rng, crystals, photon(-60.0, 40.0, -ENDCAP_FACE))
    assert 9.5 < crystals.endcaps[0].sum() < 10.0
    assert not crystals.endcaps[1].any()
    assert not crystals.barrel.any()


def crossing(
    kind: int, charge: float, pt: float, eta: float, phi: np.ndarray, detector: Detector = NOMINAL
) -> tuple[Frames, np.ndarray]:
    """Frames and tracks of a crossing of particles of directions ``phi``, without pileup."""
    particles = np.zeros((len(phi), 9))
    momentum = pt * np.stack([np.cos(phi), np.sin(phi), np.full(len(phi), math.sinh(eta))])
    particles[:, 0], particles[:, 1], particles[:, 2:5] = kind, charge, momentum.T
    particles[:, 5] = np.hypot(pt * math.cosh(eta), 0.14 if kind == CHARGED_HADRON else 0.0)
    frames, tracks = empty_frames(), np.empty((TRACKS, TRACK_COLUMNS))
    no_pileup = np.empty((0, 9)), np.empty((0, 2), np.int64)
    rng = np.random.default_rng(2)
    vertex = VERTEX_SIGMA * rng.standard_normal()
    found = simulate_crossing(rng, particles, *no_pileup, frames, tracks, True, detector, vertex)
    return frames, tracks[:found]


PHI = np.linspace(-math.pi, math.pi, 200, endpoint=False)


@pytest.mark.parametrize("kind", [PHOTON, ELECTRON, CHARGED_HADRON, NEUTRAL_HADRON])
@pytest.mark.parametrize("eta", [1.0, 1.45, -1.55, 1.6, -2.0])
def test_particles_of_any_direction_meet_crystals(kind: int, eta: float) -> None:
    """Those that pass between the end of the barrel and the endcap's inner radius met none."""
    charge = float(kind in (ELECTRON, CHARGED_HADRON))
    frames, _ = crossing(kind, charge, 20.0, eta, PHI)
    rows = np.arange(280) if abs(eta) < BARREL_ETA - 0.2 else np.r_[0:60, 220:280]
    shown = frames.ecal[rows].sum() / (200 * 20.0 * math.cosh(eta))
    assert shown > (0.85 if kind in (PHOTON, ELECTRON) else 0.15)


@pytest.mark.parametrize("eta", [0.0, 1.4, -2.2])
def test_photons_convert_in_a_crossing_as_by_themselves(eta: float) -> None:
    """Tracks in a crossing of photons: the electrons of conversions that are found where they are born."""
    rng, arrivals, births = np.random.default_rng(1), np.empty((ARRIVALS, 8)), np.empty((ARRIVALS, 8))
    pt, number, expected = 50.0, 2000, []
    start = np.array((0.0, pt * math.cosh(eta), 0.0, 0.0, 0.0, 0.3, math.sinh(eta), 0.0))
    for _ in range(number):
        _, born, _, _ = transport(rng, start, 1.0, arrivals, births)
        found = [
            tracks.is_found(rng, False, energy / math.cosh(eta), eta, math.hypot(x, y))
            for _, energy, x, y, *_ in births[:born]
            if energy / math.cosh(eta) > 1.0  # none of these curls up
        ]
        expected.append(sum(found))
    _, seen = crossing(PHOTON, 0.0, pt, eta, np.repeat(PHI, 5))
    tracks_of_photon = np.count_nonzero(seen[:, 0] > 1.0) / 1000
    assert tracks_of_photon > 0.1
    error = np.std(expected) * math.sqrt(1 / number + 1 / 1000)
    assert tracks_of_photon == pytest.approx(np.mean(expected), abs=4.0 * error)


def test_without_material_photons_make_no_tracks_and_land_where_they_fly() -> None:
    eta, phi = 10.5 * 0.0174, math.radians(30.5)
    frames, seen = crossing(PHOTON, 0.0, 100.0, eta, np.array([phi]), Detector(material=0.0))
    assert len(seen) == 0
    rows, column = np.nonzero(frames.ecal == frames.ecal.max())
    # The vertex along the beam moves the row, by 4.8 cm of 129 in a standard deviation.
    assert column == frame_column(phi)
    assert abs(rows[0] - frame_row(eta)) < 5 * 4.8 / ECAL_RADIUS / 0.0174
    with_material = [len(crossing(PHOTON, 0.0, 100.0, eta, PHI, Detector(x))[1]) for x in (0.0, 1.0, 3.0)]
    assert with_material[0] == 0 < 1.5 * with_material[1] < with_material[2]


def test_noise_alone_leaves_few_hits() -> None:
    rng = np.random.default_rng(3)
    cells, frame = empty(), np.zeros((280, 360))
    calorimeters.read_out(rng, cells, frame)
    # Above 95 of 42 MeV: 1.2 %; above 300 of 150 MeV: 2.3 % of the crystals; above 0.7 of 0.2 GeV: 0.02 %.
    assert np.count_nonzero(frame[55:225]) / 61200 == pytest.approx(0.0118, abs=0.002)
    assert 200 < np.count_nonzero(frame) - np.count_nonzero(frame[55:225]) < 500
    assert np.count_nonzero(cells.towers) < 10


def test_coarse_towers_share_evenly() -> None:
    rng = np.random.default_rng(4)
    cells, frame = empty(), np.zeros((280, 360))
    cells.towers[55, 11] = 50.0
    cells.towers[30, 11] = 50.0
    calorimeters.read_out(rng, cells, frame)
    assert cells.towers[55, 10] == cells.towers[55, 11] == pytest.approx(25.0, abs=1.0)
    assert cells.towers[30, 11] == pytest.approx(50.0, abs=2.0)
    assert cells.towers[30, 10] < 2.0


@pytest.mark.parametrize("name", ["cms2012-bjet-rhtree.root", "cms2012-double-electron-rhtree.root"])
def test_seeds_of_real_jets(name: str, shared: Path) -> None:
    with uproot.open(shared / "data" / name) as file:
        names = ("HBHE_energy", "jetEta", "jetPhi", "jetSeed_ieta", "jetSeed_iphi")
        arrays = file["fevt/RHTree"].arrays(names, library="np")
    found = []
    for towers, *jets in zip(*(arrays[name] for name in names), strict=True):
        towers = towers.reshape(56, 72).astype(float)
        for eta, phi, row, column in zip(*jets, strict=True):
            if towers[int(row), int(column)] > 0:
                found.append(find_seed(towers, eta, phi) == (row, column))
    assert len(found) > 70
    assert np.mean(found) > 0.9  # MLAnalyzer looks at the first depth alone, which the image has not


@pytest.mark.parametrize("tower", [(28, 0), (27, 71), (20, 35), (50, 10)])
@pytest.mark.parametrize("crystal", [(0, 0), (2, 2), (4, 1)])
def test_neutral_energy_lies_where_the_crystals_saw_it(
    tower: tuple[int, int], crystal: tuple[int, int]
) -> None:
    """What only the HCAL saw lies in the middle of the tower; all else must not gather there."""

    def found(crystals: float, hcal: float) -> tuple[float, float, float]:
        """Energy, eta and phi of the one neutral particle."""
        frames, candidates = empty_frames(), np.empty((4, 4))
        frames.ecal[row, column] = crystals
        frames.calorimeters.towers[tower] = hcal
        assert reconstruct(frames, np.empty((0, TRACK_COLUMNS)), *_mean_hadron(), candidates) == 1
        px, py, pz, energy = candidates[0]
        return energy, math.asinh(pz / math.hypot(px, py)), math.atan2(py, px) % (2.0 * math.pi)

    row, column = 5 * tower[0] + crystal[0], 5 * tower[1] + crystal[1]
    low, high = calorimeters.tower_edges(tower[0])
    energy, eta, phi = found(20.0, 0.0)
    assert energy == pytest.approx(20.0)
    assert eta == pytest.approx(low + (crystal[0] + 0.5) / 5 * (high - low))
    assert phi == pytest.approx((FIRST_PHI + (tower[1] + (crystal[1] + 0.5) / 5) * TOWER_PHI) % (2 * math.pi))
    assert (frame_row(eta), frame_column(phi)) == (row, column)

    _, middle_eta, middle_phi = found(0.0, 20.0)
    assert (middle_eta, middle_phi) == pytest.approx(
        (0.5 * (low + high), (FIRST_PHI + (tower[1] + 0.5) * TOWER_PHI) % (2 * math.pi))
    )
    energy, eta_of_both, _ = found(20.0, 20.0)
    assert eta_of_both == pytest.approx(middle_eta + 20.0 / energy * (eta - middle_eta))


def test_a_hard_jet_is_no_pileup() -> None:
    """The density is the median of the cells: their mean would count the jets, and subtract them."""
    rng = np.random.default_rng(1)
    eta, phi = rng.uniform(-2.5, 2.5, 100_000), rng.uniform(-np.pi, np.pi, 100_000)
    pt = np.full(len(eta), 0.02)
    expected = pt.sum() / (5.0 * 2.0 * math.pi)

    def density(*extra: tuple[float, float, float]) -> float:
        t, e, p = np.concatenate([np.stack([pt, eta, phi]), np.array(extra).reshape(-1, 3).T], axis=1)
        return pileup_density(
            np.stack([t * np.cos(p), t * np.sin(p), t * np.sinh(e), t * np.cosh(e)], axis=1)
        )

    assert density() == pytest.approx(expected, rel=0.02)
    assert density((500.0, 0.1, 1.0), (500.0, -0.7, -2.0)) == pytest.approx(expected, rel=0.02)
