"""Files in the layouts of MLAnalyzer: what is known of each object, and the pixels that must hold energy."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e import tasks
from e2e.cli import main
from e2e.data import hcal_columns, layouts, store
from e2e.data.convert import convert
from e2e.errors import E2EError
from e2e.tasks import ECAL, HCAL
from e2e.tasks.mass_regression import TASK as MASS_REGRESSION
from e2e.tasks.quark_gluon import TASK as QUARK_GLUON
from e2e.tasks.tau import TASK as TAU

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
import rhtree
from ntuple_cases import FORKS, JET_MODES, as_in_the_detector
from ntuple_cases import jets as ntuple_jets

NAMES = {way["branch"]: name for name, ways in layouts.TABLE["images"].items() for way in ways}
FILES = ("jet_dijet", "jet_dijet_gg_qq", "jet_boostedTop", "jet_dijet_tau_massregression", "photon_mbandrews")
# What a truth of the file is as a target of each task; None: the mode has no truth for it.
TARGETS = {
    ("jet_dijet", "quark_gluon"): {21: 0, 1: 1, 2: 1, 3: 1},
    ("jet_dijet_gg_qq", "quark_gluon"): {0: 0, 1: 1},
}


def uses(name: str) -> list[tasks.Task]:
    if name.startswith("photon"):
        return [tasks.task("electron_photon")]
    channels = 5 if name == "jet_dijet_gg_qq" else None  # this one has no pixel layers
    return [QUARK_GLUON, *(tasks.task(task, channels) for task in ("mass_regression", "tau"))]


@pytest.mark.parametrize("name", FILES)
def test_expected_objects_and_pixels(shared, tmp_path, name):
    folder = shared / "data/genuine"
    expected = json.loads((folder / "expected.json").read_text())[f"{name}.root"]
    for task in uses(name):
        label = "photon" if name.startswith("photon") else None
        output = tmp_path / f"{task.name}.parquet"
        metadata = convert(task, folder / f"{name}.root", output, progress=False, label=label)
        samples = store.read(output)
        identity = zip(samples.run, samples.lumi, samples.event, samples.object, strict=True)
        keys = ("run", "lumi", "event", "object")
        assert list(identity) == [tuple(of[key] for key in keys) for of in expected]
        channels = [channel.name for channel in task.channels]
        for i, (image, of) in enumerate(zip(samples.images(), expected, strict=True)):
            image = as_in_the_detector(image, task, of["seed"][0])
            for branch, pixels in of["hits"].items():
                if NAMES[branch] in channels:
                    for row, column, value in pixels:
                        assert image[channels.index(NAMES[branch]), row, column] == pytest.approx(value)
            for quantity, column in samples.kinematics.items():
                if quantity in of and np.isfinite(column[i]):
                    assert column[i] == pytest.approx(of[quantity], rel=1e-5, abs=1e-6)
            assert target(samples, i) == wanted(name, task, of)
        assert metadata.tracks == (None if label else "direction")
        assert metadata.rejected == {"detector_edge": 0}


def target(samples, i):
    return None if np.isnan(samples.target[i]) else float(samples.target[i])


def wanted(name, task, of):
    if name.startswith("photon"):
        return 0.0
    if name == "jet_dijet_tau_massregression" and task.name == "mass_regression":
        return (
            None if of["event"] == 103 else of["truth"]
        )  # this event has lost a jet, its masses are others'
    return TARGETS.get((name, task.name), {}).get(abs(of["truth"]))


def jets(rows: list[list[tuple[int, int]]], **branches) -> dict:
    """Branches of events with jets at these towers, each with energy there and in the crystals beside."""
    count = len(rows)
    found = {
        "runId": np.full(count, 1, np.uint32),
        "lumiId": np.full(count, 1, np.uint32),
        "eventId": np.arange(1, count + 1, dtype=np.uint64),
        "jetSeed_ieta": [[float(row) for row, _ in event] for event in rows],
        "jetSeed_iphi": [[float(column) for _, column in event] for event in rows],
    }
    for name in ("ECAL_energy", "ECAL_tracksPt_atECALfixIP", "HBHE_energy"):
        cell = 5 if name == "HBHE_energy" else 1
        images = np.zeros((count, 280 // cell, 360 // cell), np.float32)
        for image, event in zip(images, rows, strict=True):
            for row, column in event:
                image[(5 * row + 2) // cell, (5 * column + 2) // cell] = 10 + row
        found[name] = [image.ravel() for image in images]
    return found | branches


def directions(rows, order) -> dict:
    """jet_* of each event, in the ``order`` of generated particles, of jets in the middle of their seeds."""
    found = {name: [] for name in ("jet_Pt", "jet_Eta", "jet_Px", "jet_Py", "jet_Pz", "jet_M")}
    for event, places in zip(rows, order, strict=True):
        for values in found.values():
            values.append([])
        for place in places:
            row, column = event[place]
            pt, eta, phi = 100.0 - 10 * place, (row - 27.5) * 0.087, (column - 1.5) * 2 * np.pi / 72
            momentum = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta))
            for values, value in zip(found.values(), (pt, eta, *momentum, place), strict=True):
                values[-1].append(float(value))
    return found


ROWS = [[(20, 10), (30, 40), (25, 71)], [(40, 0), (13, 20)]]
ORDER = [[2, 0, 1], [1, 0]]  # of the generated particles


def test_generated_order_is_sorted_to_the_seeds(tmp_path):
    """tau_classification and its like: sorted by falling momentum; a jet listed twice goes in once."""
    rows = [[*ROWS[0], ROWS[0][2]], ROWS[1]]
    branches = directions(ROWS, ORDER)
    for values in branches.values():
        values[0].append(values[0][0])  # the softest jet, matched by two generated particles
    truth = {"jet_IsTau": [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0]], "gen_Prongs": [[0.0, 1, 3, 0], [0.0, 1]]}
    truth["gen_pdgId"] = [[21.0, 15, -15, 1], [-2.0, 15]]
    task = replace(TAU, channels=(tasks.TRACK_PT, ECAL, HCAL))
    path = rhtree.write(tmp_path / "tau.root", jets(rows, **branches, **truth))
    metadata = convert(task, path, tmp_path / "out.parquet", progress=False)
    samples = store.read(tmp_path / "out.parquet")
    assert metadata.rejected == {"detector_edge": 0, "listed_twice": 1}
    assert list(zip(samples.event, samples.object, strict=True)) == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    np.testing.assert_array_equal(samples.kinematics["jetM"], [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(samples.target, [1, 1, 0, 1, 0])
    np.testing.assert_array_equal(samples.kinematics["gen_Prongs"], [1, 3, 0, 1, 0])
    # The softest jet is near a gluon and a quark: it is of no one kind.
    np.testing.assert_array_equal(samples.kinematics["gen_pdgId"], [15, -15, np.nan, 15, -2])
    assert np.isnan(samples.kinematics["gen_Pi0s"]).all()
    towers = samples.images()[:, 2, 62, 62] * 25
    np.testing.assert_allclose(towers, [10 + row for event in ROWS for row, _ in event])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b["jet_Pt"][0].pop(), r"1:1:1: jet_Pt has 2 objects, jetSeed_ieta 3; its order tells"),
        (lambda b: b["jet_Pt"][1].__setitem__(0, np.nan), r"1:1:2: jet_Pt is nan; its order tells"),
        (lambda b: b["jet_Pt"][0].__setitem__(0, 500.0), r"1:1:1: the jet with jet_Pt .* does not lie at"),
        (lambda b: b["jet_Eta"][1].__setitem__(0, 1.5), r"1:1:2: .* as jet_Eta and jet_Px and jet_Py say"),
        (lambda b: b["jet_Py"][1].pop(), r"1:1:2: jet_Py has 1 objects, jetSeed_ieta 2"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(tmp_path, change, message):
    branches = directions(ROWS, ORDER)
    change(branches)
    truth = {"jet_IsTau": [[0.0] * 3, [0.0] * 2], "gen_Prongs": [[1.0] * 3, [1.0] * 2]}
    path = rhtree.write(tmp_path / "tau.root", jets(ROWS, **branches, **truth))
    with pytest.raises(E2EError, match=message):
        convert(QUARK_GLUON, path, tmp_path / "out.parquet", progress=False)
    assert not (tmp_path / "out.parquet").exists()


def test_candidates_tell_the_direction(tmp_path):
    """Lists of candidates a jet (boostedTop), and lists in branches of their own (mass regressions)."""
    momentum = directions(ROWS, [[0, 1, 2], [0, 1]])
    parts = {axis: [[[0.5 * p, 0.5 * p] for p in event] for event in momentum[f"jet_{axis}"]] for axis in
             ("Px", "Py", "Pz")}  # fmt: skip
    candidates = {f"jetPFCand{axis}": values for axis, values in parts.items()}
    subjets = {
        f"subJet{k}_{axis}": [event[k] if k < len(event) else [] for event in values]
        for axis, values in parts.items()
        for k in range(3)
    }
    for name, branches in {"candidates": candidates, "subjets": subjets}.items():
        path = rhtree.write(tmp_path / f"{name}.root", jets(ROWS, **branches))
        convert(QUARK_GLUON, path, tmp_path / "out.parquet", progress=False)
        found = store.read(tmp_path / "out.parquet").kinematics
        eta = [value for event in momentum["jet_Eta"] for value in event]
        phi = np.arctan2(*(np.concatenate(momentum[f"jet_{axis}"]) for axis in ("Py", "Px")))
        np.testing.assert_allclose(found["jetEta"], eta, rtol=1e-5)
        np.testing.assert_allclose(found["jetPhi"], phi, rtol=1e-5)
        assert np.isnan(found["jetPt"]).all()


def test_old_ntuples_are_told_from_genuine_ones(tmp_path):
    """Towers in columns of their own: refused with the remedy, read right when it is said."""
    rows = [[(row, column) for row, column in zip(range(13, 43, 6), range(0, 75, 15), strict=True)]]
    branches = jets(rows, jet_truthLabel=[[21.0] * 5])
    genuine = rhtree.write(tmp_path / "genuine.root", branches)
    old = np.roll(branches["HBHE_energy"][0].reshape(56, 72), -2, axis=1).ravel()
    path = rhtree.write(tmp_path / "old.root", branches | {"HBHE_energy": [old]})
    metadata = convert(QUARK_GLUON, genuine, tmp_path / "genuine.parquet", progress=False)
    assert metadata.notes["HCAL"] == "in the columns of the ECAL: so 5 of 5 seeds say"
    with pytest.raises(
        E2EError, match=r"old\.root: HBHE_energy lies 2 towers to the left .*--hcal-columns own"
    ):
        convert(QUARK_GLUON, path, tmp_path / "old.parquet", progress=False)
    metadata = convert(QUARK_GLUON, path, tmp_path / "old.parquet", progress=False, own_columns=True)
    assert metadata.tracks == "point"
    np.testing.assert_array_equal(
        store.read(tmp_path / "old.parquet").images(), store.read(tmp_path / "genuine.parquet").images()
    )
    few = {name: [values[0][:4]] if "jetSeed" in name else values for name, values in branches.items()}
    few |= {"HBHE_energy": [old], "jet_truthLabel": [[21.0] * 4]}
    path = rhtree.write(tmp_path / "few.root", few)
    metadata = convert(QUARK_GLUON, path, tmp_path / "few.parquet", progress=False)
    assert "not checked: fewer than 5 jets" in metadata.notes["HCAL"]


@pytest.mark.parametrize("case", FORKS, ids=lambda case: case.name)
def test_files_of_forks_and_files_that_are_none(tmp_path, case):
    """Taken with these objects, or refused with this sentence; cmsRun: tests/cmssw/test_same_files.py."""
    path, output = tmp_path / "x.root", tmp_path / "x.parquet"
    case.make(path)
    task = tasks.task(case.task, case.channels)
    if case.refused:
        with pytest.raises(E2EError) as error:
            convert(task, path, output, progress=False, own_columns=case.own_columns)
        assert str(error.value).startswith(f"{path}: {case.refused}")
        assert not output.exists()
    else:
        convert(task, path, output, progress=False, own_columns=case.own_columns)
        samples = store.read(output)
        assert tuple(zip(samples.event, samples.object, strict=True)) == case.objects


TURNS = {
    **{f"{k:+d}": lambda image, k=k: np.roll(image, k, axis=1) for k in (-3, -2, -1, 1, 2, 3, 10, 36)},
    "eta": lambda image: image[::-1],
    "phi": lambda image: image[:, ::-1],
    "both": lambda image: image[::-1, ::-1],
}


@pytest.mark.parametrize("name", ["cms2012-double-electron", "cms2012-bjet"])
def test_real_towers_that_are_moved_or_turned_are_noticed(shared, tmp_path, name):
    """Of 25 events, too: all of them, and the last 9 of them beside genuine ones, of 2 columns."""
    with uproot.open(shared / f"data/{name}-rhtree.root") as file:
        tree = file["fevt/RHTree"].arrays(library="np")
    branches = {branch: list(tree[branch]) for branch in ("jetSeed_ieta", "jetSeed_iphi", "HBHE_energy")}
    shape = (56, 72)

    def found(images) -> str:
        path = tmp_path / "x.root"
        rhtree.write(path, branches | {"HBHE_energy": [image.ravel() for image in images]})
        with uproot.open(path) as file:
            looked = hcal_columns.look(file["fevt/RHTree"], "HBHE_energy", tuple(branches)[:2], shape)
        return hcal_columns.check(looked, "HBHE_energy", own=False)

    frames = [image.reshape(shape) for image in branches["HBHE_energy"]]
    assert "so" in found(frames)
    for turn in TURNS.values():
        with pytest.raises(E2EError, match=r"HBHE_energy (lies|does not lie)"):
            found([turn(frame) for frame in frames])
    with pytest.raises(E2EError, match="HBHE_energy lies in two places"):
        found([TURNS["-2"](frame) if i >= 16 else frame for i, frame in enumerate(frames)])


def test_a_sample_that_is_a_class(tmp_path):
    path = rhtree.write(tmp_path / "qcd.root", jets(ROWS))
    metadata = convert(TAU_CHANNELS, path, tmp_path / "out.parquet", progress=False, label="jet")
    assert (store.read(tmp_path / "out.parquet").target == 0).all()
    assert metadata.notes["target"] == "jet, as the sample is; mode jets without truth does not tell"
    with pytest.raises(E2EError, match="task tau has no class quark; it has jet, tau"):
        convert(TAU_CHANNELS, path, tmp_path / "no.parquet", progress=False, label="quark")
    masses = replace(MASS_REGRESSION, channels=TAU_CHANNELS.channels)
    with pytest.raises(E2EError, match="mass_regression has no class jet; it has none"):
        convert(masses, path, tmp_path / "no.parquet", progress=False, label="jet")
    path = rhtree.write(tmp_path / "dijet.root", jets(ROWS, jet_truthLabel=[[21.0] * 3, [1.0] * 2]))
    with pytest.raises(E2EError, match="tells the class of each object in jet_truthLabel"):
        convert(QUARK_GLUON, path, tmp_path / "no.parquet", progress=False, label="quark")


@pytest.mark.parametrize("mode", JET_MODES)
def test_a_file_without_truth_says_what_it_holds_and_what_it_serves_for(tmp_path, capsys, mode):
    """One line of `e2e convert`; and a class only where nothing speaks against it."""
    path, output, looks_at = tmp_path / "x.root", tmp_path / "x.parquet", tasks.task("tau", 5)
    rhtree.write(path, ntuple_jets() | JET_MODES[mode])
    assert main(["convert", "--task", "tau", "--channels", "5", str(path), str(output)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "target:" in line]
    if mode == "tau_classification":
        assert not lines
        return
    (line,) = lines
    assert line.startswith(f"  target: none: mode {mode} has no truth for task tau that can be read; ")
    assert "the objects can be scored (e2e predict, cmsRun), not be trained on or measured with" in line
    allowed = {
        "qcd": ["jet"],
        "dijet_gg_qq": ["jet"],
        "dijet of Top Gun": ["jet", "tau"],
        "dijet": ["jet", "tau"],
        "jets without truth": ["jet", "tau"],
    }.get(mode, [])
    assert line.endswith(f", unless all are of class {' or '.join(allowed)} (--class)" if allowed else "with")
    for label in ("jet", "tau"):
        if label in allowed:
            metadata = convert(looks_at, path, output, progress=False, label=label)
            assert metadata.notes["target"].startswith(f"{label}, as the sample is")
        else:
            why = rf"holds jets .* \(mode {mode}\), none of which is known to be a {label}"
            with pytest.raises(E2EError, match=why):
                convert(looks_at, path, output, progress=False, label=label)


def test_truth_that_no_object_has(tmp_path):
    path = rhtree.write(tmp_path / "x.root", jets(ROWS, jet_truthLabel=[[-99.0] * 3, [5.0] * 2]))
    metadata = convert(QUARK_GLUON, path, tmp_path / "x.parquet", progress=False)
    assert metadata.notes["target"].startswith("none: none of the 5 objects has one in jet_truthLabel; ")


TAU_CHANNELS = replace(TAU, channels=(tasks.TRACK_PT, ECAL, HCAL))


@pytest.mark.parametrize("name", ["cms2012-double-electron", "cms2012-bjet"])
def test_real_towers_lie_under_the_crystals(shared, tmp_path, name):
    """Median difference in phi of the energies in ECAL and HCAL around a jet, in degrees (1 a column)."""
    convert(QUARK_GLUON, shared / f"data/{name}-rhtree.root", tmp_path / "out.parquet", progress=False)
    images = store.read(tmp_path / "out.parquet").images()[:, 1:, 22:103, 22:103].astype(float)
    sums = images.sum(axis=(2, 3))
    middle = (images.sum(axis=2) * np.arange(81)).sum(axis=2) / np.maximum(sums, 1e-9)
    both = (sums > 1).all(axis=1)
    assert both.sum() > 40
    assert abs(np.median(middle[both, 1] - middle[both, 0])) < 2
