"""The record and the figures of the validation."""

from pathlib import Path

import pytest

from e2e.data.ntuple_writer import write_ntuple
from e2e.errors import E2EError
from e2e.report.validation import draw
from e2e.simulation import validation
from e2e.tasks.electron_photon import TASK

FIGURES = {"shapes", "material", "energy", "time", "symmetry"}


def test_record_and_figures(simulated: dict[str, Path]) -> None:
    found = validation.validate(TASK, list(simulated.values()))
    assert set(draw(TASK, found)) == FIGURES
    checks = {check["name"]: check for check in found.record["checks"]}
    assert len(checks) == len(TASK.simulation.expectations) + 1
    for name in (
        "E9/E25, unconverted photons",
        "R9, unconverted photons",
        "sigma_ieta_ieta, unconverted photons",
        "energy resolution, unconverted photons",
    ):
        check = checks[name]
        assert check["objects"] > 30
        assert check["inside"], check
        assert check["uncertainty"] > 0
    assert checks["phi width, electrons"]["expected"] is None
    assert checks["phi width, electrons"]["inside"] is None


def test_a_wrong_simulation_is_noticed(simulated: dict[str, Path]) -> None:
    objects, _ = validation.read(TASK, [simulated["photon"]])
    objects["sigma_ieta_ieta"] *= 1.2
    expected = {each.name: each for each in TASK.simulation.expectations}
    expectation = expected["sigma_ieta_ieta, unconverted photons"]
    assert validation.compare(expectation, objects)["inside"] is False


def test_too_few_objects_are_no_answer(simulated: dict[str, Path]) -> None:
    objects, _ = validation.read(TASK, [simulated["photon"]])
    check = validation.compare(TASK.simulation.expectations[1], objects[:9])
    assert check["value"] is None
    assert check["inside"] is None


def test_one_particle_only(simulated: dict[str, Path]) -> None:
    with pytest.raises(E2EError, match=r"photon.root: no generated electron among the candidates"):
        validation.validate(TASK, [simulated["photon"]])


def test_not_a_simulation(tmp_path: Path) -> None:
    write_ntuple(tmp_path / "data.root", [], task=TASK)
    with pytest.raises(E2EError, match=r"data.root: no branch gen_rconv"):
        validation.validate(TASK, [tmp_path / "data.root"])
