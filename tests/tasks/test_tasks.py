import pkgutil
import re
from dataclasses import replace
from importlib import import_module

import pytest

from e2e import tasks
from e2e.errors import E2EError
from e2e.geometry import Crop
from e2e.imports import digest, imported
from e2e.tasks import Classification, Quantity, Regression, every, supervised, task
from e2e.tasks.working_points import WorkingPoints

SAMPLES, BOTH = ("tau", "wjets", "qcd", "leptons"), {"tau": {}, "jet": {}}


def test_a_task_is_a_file(add_task):
    before = set(every())
    add_task("flavour")
    assert set(every()) == {*before, "flavour"}
    assert task("flavour", 4).classes == ("b", "c", "light")
    assert "flavour" in supervised()


def test_a_task_has_the_name_of_its_file(add_task):
    add_task("flavours", called="flavour")
    with pytest.raises(E2EError, match=r"tasks/flavours.py: its TASK is called 'flavour'"):
        every()


def test_unknown_tasks_and_channels():
    with pytest.raises(E2EError, match="unknown task 'muon'; choose one of: electron_photon, "):
        task("muon")
    with pytest.raises(E2EError, match="unknown task 'jets'"):  # a module, but no task
        task("jets")
    with pytest.raises(E2EError, match="1 to 8 channels, not 9"):
        task("tau", 9)


def test_no_step_depends_on_the_file_of_a_task():
    """They are imported by name; what a task says is a parameter of its own steps."""
    steps = ("cli.py", "report/comparison.py", "deploy/export.py", "learning/train.py", "simulation/jets.py")
    assert not set(imported(*steps)) & {f"tasks/{name}.py" for name in every()}
    modules = {name for _, name, _ in pkgutil.iter_modules(tasks.__path__)}
    assert {f"tasks/{name}.py" for name in modules - set(every())} < set(imported(*steps))


def test_what_a_task_says_makes_its_steps_stale():
    said = {name: digest("learning/train.py", facts=task(name)) for name in every()}
    assert len(set(said.values())) == len(every())
    same = import_module("e2e.tasks.tau").TASK
    assert digest("learning/train.py", facts=same) == said["tau"]


def test_what_is_drawn_or_expected_of_a_task_repeats_no_training():
    """The steps that look at it name its file (rules/common.smk)."""
    ours = task("tau")
    assert ours.simulation
    said = digest("learning/train.py", facts=ours)
    changed = replace(ours, simulation=None, working_points=None, shown=(1, 1))
    assert digest("learning/train.py", facts=changed) == said
    assert digest("learning/train.py", facts=replace(ours, truth={})) != said
    assert digest("tasks/tau.py") != digest("tasks/quark_gluon.py")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": Classification(("one",)), "truth": {}}, "its classes are one; give two or more"),
        (
            {"goal": Classification(("a", "a")), "truth": {}},
            "its classes are a, a; give two or more",
        ),
        (
            {"truth": {"jet_IsTau": {0: "jet", 1: "muon"}}},
            "truth jet_IsTau names no class 'muon'; it has: jet",
        ),
        ({"truth": {"jet_IsTau": None}}, "truth jet_IsTau says of no value which class it is"),
        ({"goal": Regression(Quantity("m", "GeV"))}, "truth jet_IsTau names no class 'jet'; it has: none"),
        ({"balance": ("jetPt",)}, "balance is .*name a momentum and an eta"),
        ({"balance": ("pt", "eta")}, "balance is "),
        (
            {"crop": Crop(125, 125, 62, 62, outward=True)},
            "crop is outward, but turning would change the sign of track_dz",
        ),
        ({"fewest": 9}, "fewest is 9; it has 8 channels"),
        (
            {"simulation": replace(task("tau").simulation, shares={"tau": 1.0})},
            "shares are .*; give one to each of its samples, 1 in all",
        ),
        (
            {"simulation": replace(task("tau").simulation, shares=dict.fromkeys(SAMPLES, 0.3))},
            "shares are .*; give one to each of its samples, 1 in all",
        ),
        (
            {"working_points": WorkingPoints({"loose": 0.9}, {"tau": {}})},
            "working points tell kinds of tau; ",
        ),
        ({"working_points": WorkingPoints({"loose": 1.0}, BOTH)}, "give shares between 0 and 1"),
        ({"working_points": WorkingPoints({"loose": 0.9}, BOTH), "balance": ()}, "need a balance"),
    ],
)
def test_a_task_that_contradicts_itself(change, message):
    assert re.search(message, replace(task("tau"), **change).fault())
    assert task("tau").fault() is None


def test_objects_are_shared_out_among_samples_and_files():
    simulated = {name: task(name).simulation for name in every() if task(name).simulation}
    taus = simulated["tau"]
    assert {name: taus.of_file(name, 18000, 4) for name in taus.samples} == {
        "tau": 2250,
        "wjets": 1238,  # of 1237.5
        "qcd": 788,
        "leptons": 225,
    }
    assert simulated["electron_photon"].of_file("photon", 20000, 2) == 5000
    assert simulated["mass_regression"].of_file("top", 24000, 5) == 4800  # it is the only one


def test_a_file_that_cannot_be_read_is_one_line(add_task, monkeypatch):
    add_task("broken", called='wrong"')
    with pytest.raises(E2EError, match=r"tasks/broken.py: cannot be read \(SyntaxError: "):
        every()
