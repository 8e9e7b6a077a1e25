"""Jet ntuples: reproducible, complete, seeds from the energies alone."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e import tasks
from e2e.data.ntuple import check
from e2e.errors import E2EError
from e2e.simulation import simulate
from e2e.simulation.calorimeters import tower_column, tower_row
from e2e.simulation.detector import Detector
from e2e.simulation.generator import CODE, ETA, PHI, PT
from e2e.simulation.guns import DITAU_MASS, DITAU_PT, TOP_MASS, TOP_PT
from e2e.simulation.jets import GENERATORS
from e2e.simulation.jets import simulate as simulate_jets
from e2e.simulation.particle_flow import SEED_PADDING, SEED_REACH, find_seed
from e2e.simulation.pileup_pool import Pileup, read

JETS, SEED = 12, 7
ALL = [
    (name, sample)
    for name, task in tasks.every().items()
    if task.simulation and task.simulation.module == "jets"
    for sample in task.simulation.samples
]


@pytest.fixture(scope="module", params=ALL, ids=lambda pair: "-".join(pair))
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture(scope="module")
def ntuple(tmp_path_factory: pytest.TempPathFactory, pair: tuple[str, str], collisions: Path) -> Path:
    path = tmp_path_factory.mktemp("jets") / "jets.root"
    simulate(path, *pair, JETS, SEED, progress=False, pileup=collisions)
    return path


@pytest.fixture(scope="module")
def arrays(ntuple: Path) -> dict[str, np.ndarray]:
    with uproot.open(ntuple) as file:
        return file["fevt/RHTree"].arrays(library="np")


@pytest.mark.parametrize("pair", [("quark_gluon", "qcd"), ("mass_regression", "top")], indirect=True)
def test_same_bytes_in_two_directories(
    tmp_path: Path, ntuple: Path, pair: tuple[str, str], collisions: Path
) -> None:
    # One sample of collisions and one of a gun.
    simulate(tmp_path / ntuple.name, *pair, JETS, SEED, progress=False, pileup=collisions)
    assert (tmp_path / ntuple.name).read_bytes() == ntuple.read_bytes()


def test_another_seed_gives_other_events(tmp_path: Path, collisions: Path) -> None:
    energies = []
    for seed in (1, 2):
        simulate(
            tmp_path / "jets.root", "mass_regression", "a_tautau", 1, seed, progress=False, pileup=collisions
        )
        with uproot.open(tmp_path / "jets.root") as file:
            energies.append(file["fevt/RHTree/ECAL_energy"].array(library="np")[0])
    assert (energies[0] != energies[1]).any()


def test_another_detector_sees_the_same_particles(tmp_path: Path, collisions: Path) -> None:
    energies, masses = [], []
    for material in (1.0, 0.0):
        detector = Detector(material)
        path, chosen = tmp_path / "jets.root", ("mass_regression", "a_tautau", 1, 1)
        simulate(path, *chosen, progress=False, pileup=collisions, detector=detector)
        with uproot.open(path) as file:
            energies.append(file["fevt/RHTree/ECAL_energy"].array(library="np")[0])
            masses.append(file["fevt/RHTree/a_m"].array(library="np")[0])
    assert (energies[0] != energies[1]).any()
    assert masses[0] == masses[1]


def test_a_valid_ntuple(ntuple: Path, pair: tuple[str, str], arrays: dict[str, np.ndarray]) -> None:
    task = tasks.task(pair[0])
    found = check(ntuple, task)
    assert JETS <= sum(map(len, arrays["jetPt"])) < JETS + 4
    assert (found.origin, found.layout.tracks) == ("e2e simulation", "direction")
    assert found.layout.truth.branch in arrays
    assert set(arrays["runId"]) == {SEED}
    assert set(arrays["lumiId"]) == {1}
    # Those without a jet are left out.
    assert (np.diff(arrays["eventId"].astype(int), prepend=0) > 0).all()
    assert all(len(jets) for jets in arrays["jetPt"])


def test_kinematics_are_those_of_the_sample(arrays: dict[str, np.ndarray], pair: tuple[str, str]) -> None:
    sample = GENERATORS[tasks.task(pair[0]).simulation.samples[pair[1]]]
    pt, eta, mass = (np.concatenate(arrays[name]) for name in ("jetPt", "jetEta", "jetM"))
    assert ((pt >= sample.minimum) & (pt < sample.maximum)).all()
    assert (abs(eta) < 1.74).all()  # the seed within 16 towers of the middle, the axis within 3 of it
    assert (mass >= 0).all()
    assert (mass < pt).all()


def test_seeds_are_hottest_and_follow_from_the_energies_alone(arrays: dict[str, np.ndarray]) -> None:
    for towers, rows, columns, etas, phis in zip(
        *(arrays[name] for name in ("HBHE_energy", "jetSeed_ieta", "jetSeed_iphi", "jetEta", "jetPhi")),
        strict=True,
    ):
        towers = towers.reshape(56, 72).astype(np.float64)
        for row, column, eta, phi in zip(rows.astype(int), columns.astype(int), etas, phis, strict=True):
            assert find_seed(towers, eta, phi) == (row, column)
            assert SEED_PADDING <= row < 56 - SEED_PADDING
            middle, at = tower_row(eta), tower_column(phi)
            rows_around, columns_around = (range(i - SEED_REACH, i + SEED_REACH + 1) for i in (middle, at))
            assert row in rows_around
            assert (column - at + 36) % 72 - 36 in range(-SEED_REACH, SEED_REACH + 1)
            around = towers[np.clip(rows_around, 0, 55)][:, np.array(columns_around) % 72]
            assert towers[row, column] == around.max()


@pytest.mark.parametrize(
    ("task", "sample", "jets", "seed", "message"),
    [
        ("quark_gluon", "tau", 1, 1, "unknown sample 'tau' of task 'quark_gluon'; it has: qcd"),
        ("electron_photon", "qcd", 1, 1, "unknown sample 'qcd' of task 'electron_photon'"),
        ("self_supervised", "qcd", 1, 1, "unknown sample 'qcd' of task 'self_supervised'; it has: none"),
        ("quark_gluon", "qcd", -1, 1, "-1 objects with seed 1"),
        ("quark_gluon", "qcd", 1, 2**32, "1 objects .* give objects >= 1"),
    ],
)
def test_errors(tmp_path: Path, task: str, sample: str, jets: int, seed: int, message: str) -> None:
    with pytest.raises(E2EError, match=f"jets.root: {message}"):
        simulate(tmp_path / "jets.root", task, sample, jets, seed, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_jets(tmp_path: Path, collisions: Path) -> None:
    pileup = Pileup(read(collisions), "qcd", 1)
    simulate_jets(tmp_path / "jets.root", tasks.task("quark_gluon"), "qcd", 0, 1, pileup, progress=False)
    assert check(tmp_path / "jets.root", tasks.task("quark_gluon")).entries == 0


def test_both_classes_of_taus_have_the_same_spectrum_by_construction(
    arrays: dict[str, np.ndarray], pair: tuple[str, str]
) -> None:
    if pair[0] != "tau":
        return
    counts, _ = np.histogram(np.concatenate(arrays["jetPt"]), np.linspace(15.0, 60.0, 10))
    assert counts.max() - counts.min() <= 10


def test_electrons_and_muons_come_from_the_peak_and_from_above_it() -> None:
    """Without masses above the peak, few of them would have momenta of the upper half of the range."""
    masses, codes = [], set()
    for collision, _ in zip(GENERATORS["electrons_and_muons"].collisions(1), range(60), strict=False):
        one, other = collision.objects
        codes |= {one[CODE], other[CODE]}
        opening = np.cosh(one[ETA] - other[ETA]) - np.cos(one[PHI] - other[PHI])
        masses.append(np.sqrt(2 * one[PT] * other[PT] * opening))
    assert codes == {-13, -11, 11, 13}
    peak = np.array(masses[::3])
    assert ((peak > 59) & (peak < 121)).all()
    assert np.mean(abs(peak - 91.2) < 5) > 0.7
    assert min(masses[1::3]) > 119


def test_truth(arrays: dict[str, np.ndarray], pair: tuple[str, str]) -> None:
    branch = {
        name: np.concatenate(values)
        for name, values in arrays.items()
        if name.startswith(("gen", "a_", "jet"))
    }
    if pair == ("quark_gluon", "qcd"):
        assert set(abs(branch["jet_truthLabel"])) <= {99, 1, 2, 3, 4, 5, 21}
        assert {21, -99} <= set(branch["jet_truthLabel"])
    elif pair[0] == "tau":
        assert set(branch["jet_IsTau"]) == {float(pair[1] == "tau")}
        # a W boson's muon is no jet of its sample
        codes = {"tau": {15}, "leptons": {11, 13}}.get(pair[1], {1, 2, 3, 4, 5, 21})
        assert set(abs(branch["gen_pdgId"])) <= codes
        assert (np.isin(branch["gen_Prongs"], [1, 3]) == (pair[1] == "tau")).all()
        assert (branch["gen_Pi0s"].max() > 0) == (pair[1] == "tau")
        np.testing.assert_array_equal(branch["jet_Pt"], branch["jetPt"])
    else:
        mass, pt = {"a_tautau": (DITAU_MASS, DITAU_PT), "top": (TOP_MASS, TOP_PT)}[pair[1]]
        assert ((branch["a_m"] >= mass[0]) & (branch["a_m"] <= mass[1])).all()
        assert ((branch["a_pt"] >= pt[0]) & (branch["a_pt"] <= pt[1])).all()
        assert all(len(jets) == 1 for jets in arrays["jetPt"])
