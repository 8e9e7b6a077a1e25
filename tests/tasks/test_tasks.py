import pkgutil
from dataclasses import replace
from importlib import import_module

import pytest

from e2e import tasks
from e2e.errors import E2EError
from e2e.imports import digest, imported
from e2e.tasks import every, supervised, task


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
    assert digest("learning/train.py", facts=replace(ours, simulation=None, shown=(1, 1))) == said
    assert digest("learning/train.py", facts=replace(ours, truth={})) != said
    assert digest("tasks/tau.py") != digest("tasks/quark_gluon.py")
