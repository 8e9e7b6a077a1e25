"""The record and the figures of the validation of jets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from e2e.data.ntuple_writer import write_ntuple
from e2e.errors import E2EError
from e2e.report.jet_validation import draw
from e2e.simulation import jet_validation
from e2e.simulation.jets import simulate
from e2e.simulation.pileup_pool import Pileup, read
from e2e.simulation.validation import compare
from e2e.tasks.quark_gluon import TASK

FIGURES = {"jets", "hadrons", "resolution"}


@pytest.fixture(scope="module")
def ntuple(tmp_path_factory: pytest.TempPathFactory, collisions: Path) -> Path:
    path = tmp_path_factory.mktemp("jets") / "jets.root"
    simulate(path, TASK, "qcd", 60, 3, Pileup(read(collisions), "qcd", 1), progress=False)
    return path


@pytest.mark.filterwarnings("ignore:No TeX")
def test_record_and_figures(ntuple: Path) -> None:
    found = jet_validation.validate(TASK, [ntuple])
    assert set(draw(TASK, found)) == FIGURES
    record = found.record
    assert len(record["checks"]) == len(jet_validation.SINGLE_PARTICLES) + len(TASK.simulation.expectations)
    single = record["checks"][: len(jet_validation.SINGLE_PARTICLES)]
    assert all(check["inside"] for check in single), single
    assert 0 < record["occupancy"]["ECAL_energy"] < 10
    assert 0.5 <= record["auc"]["tracks"] <= 1.0


@pytest.mark.filterwarnings("ignore:No TeX")
def test_isolated_tracks_beside_data(collisions: Path, shared: Path, tmp_path: Path) -> None:
    """Hadrons look like those of real events: E1/E25 was 0.16 with mean profiles, data have 0.38."""
    simulated = tmp_path / "jets.root"
    simulate(
        simulated, TASK, "qcd", 120, 4, Pileup(read(collisions), "qcd", 1), progress=False, tracks="point"
    )
    data = [shared / f"data/cms2012-{name}-tracks-at-point.root" for name in ("bjet", "double-electron")]
    found = jet_validation.validate(TASK, [simulated], data)
    assert set(draw(TASK, found)) == FIGURES | {"isolated_tracks"}
    of = found.record["isolated_tracks"]
    assert [of[path.stem]["tracks"] for path in data] == [29, 24]
    assert of["simulated"]["tracks"] > 80
    low, median, high = of["simulated"]["e1_e25"]
    assert 0.29 < median < 0.45
    assert low == pytest.approx(0.27, abs=0.05)
    assert 0.50 < high < 0.70
    checks = [check for check in found.record["checks"] if "isolated" in check["name"]]
    assert [check["inside"] for check in checks] == [True, True]


def test_a_wrong_response_is_noticed() -> None:
    particles = jet_validation.single_particles()
    particles["response"] *= 1.3
    checks = [compare(expectation, particles) for expectation in jet_validation.SINGLE_PARTICLES[:4]]
    assert not any(check["inside"] for check in checks)


def test_separation_of_classes() -> None:
    numbers = dict.fromkeys(jet_validation.SINGLE_NUMBERS, np.array([1.0, 2.0, 3.0, 4.0, 9.0]))
    jets = pd.DataFrame({"target": [0.0, 0.0, 1.0, 1.0, np.nan], **numbers})
    assert set(jet_validation.separation(jets).values()) == {1.0}
    assert jet_validation.separation(jets[:2]) == {}
    assert jet_validation.separation(jets.drop(columns="target")) == {}


def test_errors(tmp_path: Path) -> None:
    write_ntuple(tmp_path / "data.root", [], task=TASK)
    with pytest.raises(E2EError, match=r"data.root: no branch gen_jetPt"):
        jet_validation.validate(TASK, [tmp_path / "data.root"])
