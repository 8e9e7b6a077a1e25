"""One event in several detectors: the same generated particles, known by their identity, and other hits."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from e2e.data.parts import in_part
from e2e.errors import E2EError
from e2e.simulation import simulate
from e2e.simulation.detector import Detector

RECORD = {  # branches of what is generated, as far as the detector does not change it
    "electron_photon": ["gen_pt", "gen_eta", "gen_phi", "gen_m"],
    "mass_regression": ["a_m", "a_pt", "a_eta", "a_phi"],
}
SAMPLES = {"electron_photon": "electron", "mass_regression": "a_tautau"}
IMAGES = {"electron_photon": "EB_energy", "mass_regression": "ECAL_energy"}
CHANGES = {
    "seed": {"detector_seed": 1},
    "pileup": {"detector": Detector(pileup_mean=60.0)},
    "material": {"detector": Detector(material=1.5)},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, collisions: Path):
    """Function (task, changes) -> arrays by branch of a file of 16 objects, made once."""
    folder, known = tmp_path_factory.mktemp("made"), {}

    def arrays(task: str, **changes: object) -> dict[str, np.ndarray]:
        key = (task, *changes.items())
        if key not in known:
            path = folder / f"{len(known)}.root"
            pool = {} if task == "electron_photon" else {"pileup": collisions}
            simulate(path, task, SAMPLES[task], 16, 7, progress=False, **pool, **changes)
            with uproot.open(path) as file:
                known[key] = file["fevt/RHTree"].arrays(library="np")
        return known[key]

    return arrays


def by_event(arrays: dict[str, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
    return {
        int(number): {name: column[i] for name, column in arrays.items()}
        for i, number in enumerate(arrays["eventId"])
    }


@pytest.mark.parametrize("task", list(SAMPLES))
@pytest.mark.parametrize("name", list(CHANGES))
def test_pairs_have_one_record_of_the_generator_and_different_hits(made, task: str, name: str) -> None:
    changes = CHANGES[name]
    nominal, changed = by_event(made(task)), by_event(made(task, **changes))
    assert set(made(task, **changes)["runId"]) == {7}
    both = nominal.keys() & changed.keys()
    assert len(both) >= 6
    for number in both:
        one, other = nominal[number], changed[number]
        for name in RECORD[task]:
            # Candidates come in the order of their energies, so that two particles may be exchanged.
            shared = min(len(one[name]), len(other[name]))
            assert len(np.intersect1d(one[name], other[name])) >= len(np.unique(one[name][:shared])), name
        assert not np.array_equal(one[IMAGES[task]], other[IMAGES[task]])


def test_changes_are_those_asked_for(made) -> None:
    def mean(name: str, **changes: object) -> float:
        """Of all objects, or of the number of hits of events."""
        lists = made("electron_photon", **changes)[name]
        hits = [np.count_nonzero(each) for each in lists]
        return float(np.mean(hits if name == "EB_energy" else np.concatenate(lists)))

    assert mean("EB_energy", detector=Detector(pileup_mean=60.0)) > 1.3 * mean("EB_energy")
    assert mean("gen_fbrem", detector=Detector(material=10.0)) > mean("gen_fbrem") + 0.2


def test_a_momentum_changes_nothing_else_that_is_generated(made) -> None:
    """Directions and charges are those of the nominal events."""
    one, other = made("electron_photon", pt=(50.0,)), made("electron_photon", pt=(30.0,))
    assert set(np.concatenate(other["gen_pt"]).round(3)) <= {30.0, 0.0}
    for name in ("gen_eta", "gen_phi"):
        assert len(np.intersect1d(*(np.concatenate(each[name]) for each in (one, other)))) >= 14


def test_a_spectrum_is_flat_in_the_logarithm_of_the_momentum(tmp_path: Path) -> None:
    simulate(tmp_path / "a.root", "electron_photon", "photon", 300, 5, progress=False, pt=(20.0, 100.0))
    with uproot.open(tmp_path / "a.root") as file:
        pt = np.concatenate(file["fevt/RHTree"]["gen_pt"].array(library="np"))
    share = np.log(pt[pt > 0] / 20.0) / np.log(5.0)
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert share.mean() == pytest.approx(0.5, abs=4 * 0.29 / np.sqrt(len(share)))
    assert share.std() == pytest.approx(0.289, abs=0.03)


@pytest.mark.parametrize("task", list(SAMPLES))
def test_one_part_has_the_events_of_the_whole_that_fall_into_it(made, task: str) -> None:
    sample = SAMPLES[task]
    whole, part = by_event(made(task)), by_event(made(task, part="validation"))
    assert all(in_part("validation", sample, 7, 1, number) for number in part)
    wanted = {number for number in whole if in_part("validation", sample, 7, 1, number)}
    assert wanted <= part.keys()
    for number in wanted:
        np.testing.assert_array_equal(part[number][IMAGES[task]], whole[number][IMAGES[task]])


@pytest.mark.parametrize(
    ("task", "sample", "changes", "message"),
    [
        (
            "electron_photon",
            "photon",
            {"detector": Detector(-0.1)},
            "material of -0.1, pileup of 21, detector",
        ),
        (
            "electron_photon",
            "photon",
            {"detector": Detector(1, -1)},
            "pileup of -1, detector seed 0; give 0 <=",
        ),
        ("electron_photon", "photon", {"pt": (30.0, 20.0)}, "from 30 to 20 GeV; give 0 < low <= high"),
        ("electron_photon", "photon", {"part": "tset"}, "no part 'tset'; choose one of: train, validation"),
        ("electron_photon", "photon", {"detector_seed": -1}, "detector seed -1; give 0 <= material"),
        ("tau", "tau", {"pt": (30.0,)}, "momenta of task 'tau' are those of its collisions"),
    ],
)
def test_errors(tmp_path: Path, task: str, sample: str, changes: dict, message: str) -> None:
    with pytest.raises(E2EError, match=message):
        simulate(tmp_path / "a.root", task, sample, 10, 1, progress=False, **changes)
    assert list(tmp_path.iterdir()) == []
