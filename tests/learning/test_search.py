"""The search itself on made-up losses, and once with real trainings."""

import math
import subprocess
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml

from e2e.config import schema, validate
from e2e.errors import E2EError
from e2e.learning import batches, search
from e2e.learning.loop import LossError
from e2e.report import history
from e2e.tasks.electron_photon import TASK

SCHEMA = schema()


@pytest.fixture
def made_up(monkeypatch):
    """The settings of trainings that take no time.

    Their loss is lowest at a learning rate of 0.003 and a hidden layer of 32.
    """
    calls = []

    def train(*outputs, architecture, network, trainer, report, **arguments):
        calls.append({"architecture": architecture, "network": network, "trainer": trainer, **arguments})
        loss = 0.5 + math.log10(trainer["learning_rate"] / 0.003) ** 2 + 0.1 * (network["hidden"] != 32)
        for epoch in range(1, trainer["epochs"] + 1):
            report(epoch, loss + 1 / epoch)
        return {"validation_loss": loss + 1 / trainer["epochs"]}

    monkeypatch.setattr(search, "train", train)
    return calls


@pytest.fixture
def run(toy, call):
    """Function (folder, trials, **changes) -> the table of trials of a search in ``folder``."""

    def arguments(folder: Path, number: int, epochs: int = 4, **changes) -> pd.DataFrame:
        outputs, options = call(toy, folder)
        del options["checkpoints"], options["accelerator"]
        names = ("best.yaml", "trials.csv")
        options |= {"model": "resnet", "study": folder / "study.db", "trials": number, "epochs": epochs}
        trials, origin = search.search(*outputs[:2], *(folder / name for name in names), **options | changes)
        assert len(history.trials(trials, TASK, origin).axes) == 1
        return pd.read_csv(folder / "trials.csv")

    return arguments


def test_the_first_trial_is_the_model_itself_and_what_it_gives_is_kept(run, made_up, tmp_path):
    table = run(tmp_path, 8)
    assert len(table) == len(made_up) == 8
    first = made_up[0]
    assert first["trainer"]["learning_rate"] == first["trainer"]["weight_decay"] == 0.01
    assert first["network"] == {"widths": [4, 8], "blocks": [1, 1], "hidden": 64}
    assert all(each["network"]["widths"] == [4, 8] for each in made_up)
    assert all(each["trainer"]["epochs"] == 4 for each in made_up)
    assert len({each["trainer"]["learning_rate"] for each in made_up}) == 8


def test_the_best_trial_becomes_an_entry_of_the_configuration(run, made_up, tmp_path):
    table = run(tmp_path, 20)
    complete = table[table["state"] == "complete"]
    best = complete["validation_loss"].idxmin()
    assert table["validation_loss"][best] < table["validation_loss"][0]
    ((name, entry),) = yaml.safe_load((tmp_path / "best.yaml").read_text()).items()
    assert name == "resnet_tuned"
    tried = made_up[best]
    assert entry["network"] == tried["network"]
    assert entry["trainer"] == tried["trainer"]  # the toy model has four epochs, too
    assert entry["trainer"]["learning_rate"] == pytest.approx(table["learning_rate"][best], rel=0.01)
    validate({"run": "any", "tasks": {"electron_photon": {"models": {name: entry}}}}, SCHEMA)


def test_a_model_that_begins_with_a_given_trunk_keeps_it_as_it_is(run, made_up, trained, tmp_path):
    """Another trunk could not take its weights."""
    run(tmp_path, 4, network={}, init="other", freeze=True, trunk=trained)
    assert all(set(each["network"]) == {"hidden"} for each in made_up)
    assert all(each["init"] == trained and each["freeze"] for each in made_up)
    ((_, entry),) = yaml.safe_load((tmp_path / "best.yaml").read_text()).items()
    assert entry["init"] == "other"
    assert entry["freeze"]
    run(tmp_path, 4, network={})  # from scratch: another study
    assert len(made_up) == 8
    assert set(made_up[-1]["network"]) == {"widths", "blocks", "hidden"}
    assert made_up[-1]["init"] is None


def test_trials_that_fall_behind_are_given_up_and_are_never_the_best(run, made_up, tmp_path):
    table = run(tmp_path, 20)
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) > 0
    assert (pruned["epochs"] < 4).all()
    assert (table["state"][: search.UNPRUNED] == "complete").all()
    assert (table["epochs"][table["state"] == "complete"] == 4).all()


@pytest.mark.parametrize("killed_in", [0, 3, 11])
def test_a_killed_search_goes_on_as_if_it_had_not_been(run, made_up, tmp_path, monkeypatch, killed_in):
    run(tmp_path / "whole", 14)
    made_up.clear()
    with monkeypatch.context() as patch:
        train = search.train

        def dies(*outputs, **arguments):
            if len(made_up) == killed_in:
                raise KeyboardInterrupt
            return train(*outputs, **arguments)

        patch.setattr(search, "train", dies)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", 14)
    assert not (tmp_path / "killed/best.yaml").exists()
    run(tmp_path / "killed", 14)
    assert len(made_up) == 14  # no trial was trained twice
    for name in ("best.yaml", "trials.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_more_trials_are_added_and_other_settings_begin_anew(run, made_up, tmp_path):
    run(tmp_path, 3)
    run(tmp_path, 5)
    assert len(made_up) == 5
    run(tmp_path, 5, epochs=2)
    run(tmp_path, 5, code="changed")
    assert len(made_up) == 15


def test_a_loss_that_is_not_finite_is_the_worst(run, made_up, tmp_path, monkeypatch):
    train = search.train

    def diverges(*outputs, **arguments):
        if len(made_up) == 1:
            made_up.append(None)
            raise LossError("the loss is nan")
        return train(*outputs, **arguments)

    monkeypatch.setattr(search, "train", diverges)
    table = run(tmp_path, 3)
    assert table["state"].tolist() == ["complete", "pruned", "complete"]


@pytest.mark.parametrize("full_in", [0, 4])
def test_a_search_on_a_full_disk_is_one_sentence_and_goes_on(
    run, made_up, full_disk, tmp_path, monkeypatch, full_in
):
    subprocess.run(["mount", "-o", "remount,size=1m", full_disk], check=True)
    study, other = full_disk / "study.db", full_disk / "other"

    def fill():
        with suppress(OSError), open(other, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))

    with monkeypatch.context() as patch:
        train = search.train

        def fills(*outputs, **arguments):
            if len(made_up) == full_in - 1:
                fill()
            return train(*outputs, **arguments)

        patch.setattr(search, "train", fills)
        if not full_in:
            fill()
        with pytest.raises(
            E2EError, match=r"study.db: cannot be used as a study \(.*disk is full\)"
        ) as caught:
            run(tmp_path, 6, study=study)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.*"))
    assert len(made_up) == full_in
    other.unlink()
    assert len(run(tmp_path, 6, study=study)) == 6
    assert len(made_up) == 6 + (full_in > 0)  # the trial that met the full disk was made again


def test_a_study_that_is_something_else_is_one_sentence(run, made_up, tmp_path):
    (tmp_path / "study.db").write_text("the thesis, in plain text")
    with pytest.raises(
        E2EError, match=r"cannot be used as a study .file is not a database.; .* move it away"
    ):
        run(tmp_path, 2)
    assert (tmp_path / "study.db").read_text() == "the thesis, in plain text"


def test_a_search_in_which_nothing_was_trained_is_an_error(run, tmp_path, monkeypatch):
    def diverges(*outputs, **arguments):
        raise LossError("the loss is nan")

    monkeypatch.setattr(search, "train", diverges)
    with pytest.raises(E2EError, match="in no trial was the loss finite"):
        run(tmp_path, 2)
    assert not (tmp_path / "best.yaml").exists()


def test_trainings_of_the_search_do_not_open_the_test_part(run, tmp_path, monkeypatch):
    stream = batches.stream
    opened = []
    monkeypatch.setattr(
        batches, "stream", lambda *arguments: opened.append(arguments[2]) or stream(*arguments)
    )
    table = run(tmp_path, 2, epochs=2)
    assert set(opened) == {"train", "validation"}
    assert (table["epochs"] == 2).all()
    assert table["validation_loss"].between(0.2, 1.0).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.yaml",
        "study.db",
        "trials.csv",
    ]
