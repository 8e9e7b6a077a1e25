"""Kinematics and truth go to the seed that they fit, in whatever order and under whatever names they come."""

import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.data import ntuple, objects, pairing
from e2e.errors import E2EError
from e2e.tasks import task

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
import rhtree
from ntuple_cases import (
    CRYSTALS,
    FAR,
    JET_MODES,
    NEAR,
    PRONGS,
    TOWERS,
    again,
    direction,
    equal_momenta,
    generated,
    jets,
    lists,
    photons,
)

NAMES = ("jetPt", "jetEta", "jetPhi")
PTS = lists(lambda i, k: 100.0 - 10 * k)
PHIS = [[np.arctan2(*direction(*seed, 1.0)[2:0:-1]) for seed in event] for event in TOWERS]
ETAS = [[direction(*seed, 1.0)[0] for seed in event] for event in TOWERS]
DIRECTIONS = {"jetPt": PTS, "jetEta": ETAS, "jetPhi": PHIS}


def read(path: Path, branches: dict, looks_at=("quark_gluon", 3), **options):
    """Objects of a file with the branches of TOWERS, in which the HCAL is no more looked at."""
    chosen = task(*looks_at)
    rhtree.write(path / "x.root", branches, **options)
    checked = ntuple.check(path / "x.root", chosen)
    with ntuple.open_tree(path / "x.root") as tree:
        return checked, objects.read(path / "x.root", tree, chosen, checked.layout)


def reversed_(*names: str, event: int = 0, **branches) -> dict:
    """Branches of which those with these names list one event the other way round."""
    return branches | {
        name: [values[::-1] if i == event else values for i, values in enumerate(branches[name])]
        for name in names
    }


def known(found: objects.Objects) -> list[bool]:
    """Of which objects there are all kinematics; of the others there are none."""
    table = np.array([np.isfinite(found.kinematics[name]) for name in NAMES if name in found.kinematics])
    assert (table.all(axis=0) | ~table.any(axis=0)).all()
    return table.all(axis=0).tolist()


@pytest.mark.parametrize(
    "marker", ["gen_Prongs", "jet_EledR", "seljet_genpart_pdgid", "jet_IsTau"], ids=lambda name: f"no {name}"
)
def test_an_order_belongs_to_the_branch_not_to_the_mode(tmp_path, marker):
    """jet_* come by generated particles, also in a fork that lacks what tells its mode."""
    mode = next(mode for mode, branches in JET_MODES.items() if marker in branches)
    extra = {name: values for name, values in (generated() | JET_MODES[mode]).items() if name != marker}
    checked, found = read(tmp_path, jets() | extra)
    assert checked.layout.mode != mode
    np.testing.assert_array_equal(found.kinematics["jetPt"], np.concatenate(PTS))
    np.testing.assert_allclose(found.kinematics["jetEta"], np.concatenate(ETAS), rtol=1e-5)
    np.testing.assert_allclose(found.kinematics["jetPhi"], np.concatenate(PHIS), rtol=1e-5, atol=1e-6)


def test_a_fork_whose_momenta_tell_no_order_has_no_kinematics_there(tmp_path):
    branches = reversed_("jet_Pt", **generated())  # the hardest is what lies at the second seed
    _, found = read(tmp_path, jets() | branches)
    assert known(found) == [False, False, True, True, True, True]
    assert found.notes[objects.ELSEWHERE] == "null for 2 objects"
    one_too_many = {name: [[*values[0], 1.0], *values[1:]] for name, values in generated().items()}
    _, found = read(tmp_path, jets() | one_too_many)
    assert known(found) == [False, False, True, True, True, True]


@pytest.mark.parametrize("names", [("jetEta",), ("jetPhi",), ("jetEta", "jetPhi")], ids="-".join)
def test_directions_are_compared_in_modes_in_the_order_of_the_seeds(tmp_path, names):
    truth = {"jet_truthLabel": lists(lambda i, k: 21.0 if k else 1.0)}
    _, found = read(tmp_path, jets() | DIRECTIONS | truth)
    assert known(found) == [True] * 6
    assert found.notes == {}
    np.testing.assert_array_equal(found.target, [1, 0] * 3)
    _, found = read(tmp_path, jets() | reversed_(*names, **DIRECTIONS, **truth))
    assert known(found) == [False, False, True, True, True, True]
    np.testing.assert_array_equal(found.target, [np.nan, np.nan, 1, 0, 1, 0])
    assert found.notes == {objects.ELSEWHERE: "null for 2 objects"}


@pytest.mark.parametrize("kind", ["seljet", "candidates", "subjets"])
def test_sums_of_momenta_are_compared_too(tmp_path, kind):
    momenta = [[direction(*seed, 50.0)[1:3] for seed in event] for event in TOWERS]
    momenta[1] = momenta[1][::-1]
    px, py = ([[p[i] for p in event] for event in momenta] for i in range(2))
    pz = [[50.0 * np.sinh(eta) for eta in event] for event in ETAS]
    pz[1] = pz[1][::-1]
    branches = {"jetPt": PTS}
    for axis, values in zip("xyz", (px, py, pz), strict=True):
        if kind == "seljet":
            branches[f"seljet_p{axis}"] = values
        elif kind == "candidates":
            branches[f"jetPFCandP{axis}"] = [[[0.5 * p, 0.5 * p] for p in event] for event in values]
        else:
            branches |= {f"subJet{k}_P{axis}": [[event[k]] for event in values] for k in range(2)}
    _, found = read(tmp_path, jets() | branches)
    assert known(found) == [True, True, False, False, True, True]


def test_boosted_tops_are_compared_in_phi_by_their_candidates(tmp_path):
    """Of one event the candidates lie at the other jet, although eta fits."""
    events = [[(31, 7), (31, 44)], *TOWERS[1:]]
    momenta = [[direction(*seed, 50.0)[1:3] for seed in event] for event in events]
    etas = [[direction(*seed, 1.0)[0] for seed in event] for event in events]
    momenta[0] = momenta[0][::-1]
    branches = {
        "jet_Pt": PTS,
        "jet_Eta": etas,
        "jet_IsTau": lists(lambda i, k: 0.0),
        "seljet_genpart_pdgid": [[[6.0] for _ in event] for event in events],
        "jetPFCandPx": [[[p[0]] for p in event] for event in momenta],
        "jetPFCandPy": [[[p[1]] for p in event] for event in momenta],
        "jetPFCandPz": [[[50.0 * np.sinh(eta)] for eta in event] for event in etas],
    }
    checked, found = read(tmp_path, jets(events) | branches)
    assert checked.layout.mode == "boostedTop"
    assert known(found) == [False, False, True, True, True, True]


def test_photons_are_compared(tmp_path):
    eta = [[0.0174 * (row - 84.5) for row, _ in event] for event in CRYSTALS]
    phi = [[np.radians(column - 9.5) for _, column in event] for event in CRYSTALS]
    phi[0] = phi[0][::-1]  # at 90.5 and 349.5 degrees
    branches = photons() | {
        "pho_pT": lists(lambda i, k: 50.0, CRYSTALS),
        "pho_eta": eta,
        "pho_phi": phi,
        "gen_pdgId": lists(lambda i, k: 22.0, CRYSTALS),
    }
    _, found = read(tmp_path, branches, ("electron_photon", None))
    assert np.isnan(found.kinematics["pho_pT"]).tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(found.target, [np.nan, np.nan, 0, 0, 0])


def test_masses_that_nothing_vouches_for_are_noted(tmp_path):
    branches = jets() | JET_MODES["dijet_tau_massregression"]
    looks_at = ("mass_regression", 5)
    checked, found = read(tmp_path, branches, looks_at)
    assert "a_m" not in checked.notes
    del branches["jetPdgIds"]
    checked, found = read(tmp_path, branches, looks_at)
    assert checked.notes["a_m"].startswith(
        "trusted, as there is no jetPdgIds: where an event has lost a jet,"
    )
    assert np.isfinite(found.target).all()
    checked, _ = read(tmp_path, branches, looks_at, marker="{}")  # of this project, which loses none
    assert "a_m" not in checked.notes
    for ids, lost in (([1.0] * 3, 2), ([1.0], 2), ([], 0)):
        _, found = read(tmp_path, branches | {"jetPdgIds": [ids, [1.0], [1.0] * 3]}, looks_at)
        assert np.isnan(found.target).sum() == lost + 4, ids


@pytest.mark.parametrize("mode", JET_MODES)
def test_a_seed_goes_in_once_in_every_mode(tmp_path, mode):
    """Neighbours or not; cmsRun: the cases `seeds again`."""
    checked, found = read(tmp_path, again(mode))
    assert checked.layout.mode == mode
    assert found.twice == 3
    assert found.number.tolist() == ([0, 2] if checked.layout.order else [0, 1]) * 3


def test_the_benchmark_repeats_objects_on_purpose(tmp_path):
    events = [[event[0]] * 40 for event in TOWERS]
    _, found = read(tmp_path, jets(events, first_column=1), marker='{"repeats": true}')
    assert (found.twice, len(found.entry)) == (0, 120)


@pytest.mark.parametrize("prongs", [{}, PRONGS], ids=["fork", "tau_classification"])
def test_jets_of_one_momentum_are_told_apart_by_their_directions(tmp_path, prongs):
    _, found = read(tmp_path, equal_momenta(*FAR) | prongs, ("tau", 5))
    np.testing.assert_array_equal(found.kinematics["jetM"], [1, 2])
    np.testing.assert_array_equal(found.target, [0, 1] if prongs else [np.nan] * 2)
    _, found = read(tmp_path, equal_momenta(*NEAR) | prongs, ("tau", 5))
    assert np.isnan(found.kinematics["jetM"]).all()
    assert np.isnan(found.target).all()
    assert found.notes[objects.TIED] == "null for 2 objects"


def test_a_jet_of_one_momentum_that_lies_at_no_seed_is_refused(tmp_path):
    branches = equal_momenta(*FAR, at_seeds=False)
    _, found = read(tmp_path, branches, ("tau", 5))
    np.testing.assert_array_equal(found.kinematics["jetM"], [1, np.nan])
    with pytest.raises(E2EError, match="the jet with jet_Pt in this place does not lie at its seed"):
        read(tmp_path, branches | PRONGS, ("tau", 5))


def test_resolve():
    yes, no = True, False
    cases = [
        ([[yes, no], [no, yes]], [0, 1], [0, 1], [0, 1]),
        ([[no, yes], [yes, no]], [0, 1], [0, 1], [1, 0]),
        ([[yes, yes], [yes, yes]], [0, 1], [0, 1], [None, None]),
        ([[yes, yes], [no, yes]], [0, 1], [0, 1], [None, None]),
        ([[yes, yes], [yes, yes]], [0, 0], [0, 0], [0, 1]),  # one jet, listed twice
        ([[yes, yes, no], [no, no, yes], [yes, yes, no]], [0, 1, 0], [0, 0, 1], [0, 2, 1]),
        ([[no, no], [yes, yes]], [0, 1], [0, 0], [None, 0]),
    ]
    for fits, seeds, listed, expected in cases:
        assert pairing.resolve(np.array(fits), np.array(seeds), np.array(listed)) == expected, fits
