"""Layouts of analyzers and their versions: small files as they write them, by the rows of layouts.json."""

import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.data import ntuple, objects
from e2e.tasks import task
from e2e.tasks.mass_regression import TASK as MASS_REGRESSION
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
import rhtree

SEEDS = {"jetSeed_ieta": [[31.0, 31.0, 20.0]], "jetSeed_iphi": [[7.0, 7.0, 40.0]]}  # the first jet twice
ETA = [[0.3, 0.3, -0.7]]


def identity(run: int = 1) -> dict:
    return {
        "runId": np.array([run], np.uint32),
        "lumiId": np.array([1], np.uint32),
        "eventId": np.array([1], np.uint64),
    }


def read(path: Path, branches: dict, looks_at=QUARK_GLUON, run: int = 1):
    """A file with the branches and empty images, checked, and its objects."""
    looks_at = task(looks_at.name, 3 if looks_at is QUARK_GLUON else 4)
    images = {
        "ECAL_tracksPt_atECALfixIP": (280, 360),
        "ECAL_tracksDz_atECALfixIP": (280, 360),
        "ECAL_tracksD0_atECALfixIP": (280, 360),
        "ECAL_energy": (280, 360),
        "HBHE_energy": (56, 72),
    }
    empty = {name: [np.zeros(shape, np.float32)] for name, shape in images.items()}
    rhtree.write(path, identity(run) | branches | empty)
    checked = ntuple.check(path, looks_at)
    with ntuple.open_tree(path) as tree:
        return checked, objects.read(path, tree, looks_at, checked.layout)


@pytest.mark.parametrize(
    ("mode", "branches"),
    [
        # A jet is listed once for each of its taus: vecOf_jetTauPair of ..._dijet_ditau.cc.
        ("dijet_ditau", {"jetpT": [[90.0, 90.0, 40.0]], "jetIsSignal": [[]], "TaupT": [[30.0, 25.0, 22.0]]}),
        # A jet near two tops is listed for both: the loop over had_tops of ..._dijet_top.cc.
        (
            "boostedTop",
            {
                "jet_Pt": [[90.0, 90.0, 40.0]],
                "jet_Eta": ETA,
                "jet_IsTau": [[0.0, 0.0, 0.0]],
                "seljet_genpart_pdgid": [[[6.0], [6.0], [6.0]]],
            },
        ),
    ],
)
def test_a_jet_listed_twice_goes_in_once(tmp_path, mode, branches):
    checked, found = read(tmp_path / "twice.root", SEEDS | branches)
    assert checked.layout.mode == mode
    assert found.twice == 1
    assert found.number.tolist() == [0, 2]
    np.testing.assert_array_equal(found.kinematics["jetPt"], np.float32([90, 40]))


def test_two_jets_whose_hottest_tower_is_one_go_in_once_without_what_differs(tmp_path):
    branches = {"jetpT": [[90.0, 80.0, 40.0]], "jetM": [[9.0, 9.0, 4.0]], "jetIsSignal": [[]]}
    _, found = read(tmp_path / "two.root", SEEDS | branches)
    assert (found.twice, found.number.tolist()) == (1, [0, 2])
    np.testing.assert_array_equal(found.kinematics["jetPt"], np.float32([np.nan, 40]))
    np.testing.assert_array_equal(found.kinematics["jetM"], np.float32([9, 4]))
    assert found.notes[objects.DIFFERS] == "null for 1 objects"


def test_the_branch_of_dijet_ditau_that_data_have_too_tells_no_simulation(tmp_path):
    """The mode dijet_ditau makes jetIsSignal of data, too; A_mass of simulation alone."""
    branches = SEEDS | {"jetpT": [[90.0, 90.0, 40.0]], "jetIsSignal": [[]]}
    checked, _ = read(tmp_path / "data.root", branches, run=300_000)
    assert checked.origin == ntuple.DATA
    checked, _ = read(tmp_path / "simulation.root", branches | {"A_mass": [[8.0, 8.0]]})
    assert checked.origin == ntuple.SIMULATION


def test_directions_of_unphysical_masses_come_from_subjets_without_the_suffix(tmp_path):
    branches = {
        "jetSeed_ieta": [[31.0]],
        "jetSeed_iphi": [[7.0]],
        "jetPt_un": [[90.0]],
        "jetIsDiTau_un": [[1.0]],
        "jetPdgIds_un": [[25.0]],
        "a_m_un": [[2.5]],
        "subJet0_Px": [[30.0, 40.0]],
        "subJet0_Py": [[20.0, 10.0]],
        "subJet0_Pz": [[10.0, 12.0]],
    }
    checked, found = read(tmp_path / "unphysical.root", branches, MASS_REGRESSION)
    assert checked.layout.mode == "dijet_tau_massregression_unphysical"
    np.testing.assert_allclose(found.target, [2.5])
    np.testing.assert_allclose(found.kinematics["jetPhi"], np.arctan2(30, 70), rtol=1e-6)
    np.testing.assert_allclose(found.kinematics["jetEta"], np.arcsinh(22 / np.hypot(70, 30)), rtol=1e-6)


def test_a_mass_that_is_not_finite_is_no_target(tmp_path):
    seeds = {"jetSeed_ieta": [[30.0, 20.0, 25.0]], "jetSeed_iphi": [[10.0, 30.0, 50.0]]}
    branches = seeds | {"a_m": [np.array([np.inf, 1e300, 14.5])]}  # the second is too large for a float32
    _, found = read(tmp_path / "masses.root", branches, MASS_REGRESSION)
    np.testing.assert_array_equal(found.target, np.array([np.nan, np.nan, 14.5], np.float32))
    assert found.notes["a_m that is not finite"] == "null for 2 objects"
