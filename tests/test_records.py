"""Records of measured results are of the configurations that they name, or are said to be stale."""

import json
from pathlib import Path

import pytest
import yaml

from e2e import records
from e2e.errors import E2EError
from e2e.files import read_json, write_json

REPOSITORY = Path(__file__).parents[1]


def test_the_records_of_the_repository_are_of_its_configurations():
    assert not records.stale(REPOSITORY / "docs/records")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """One with two configurations, and results of the second."""
    monkeypatch.setattr(records, "git_revision", lambda: "f" * 40)
    trainer = {"epochs": 3, "seed": 4}
    tau = {
        "simulation": {"objects": 400, "files": 1},
        "models": {"cnn": {"architecture": "cnn", "trainer": trainer}},
    }
    masses = {"models": {"cnn": {"architecture": "cnn"}, "more": {"architecture": "cnn", "init": "cnn"}}}
    written = {"config.yaml": {"run": "default", "tasks": {"tau": tau}}}
    written["config/mine.yaml"] = {"run": "mine", "tasks": {"tau": tau, "mass_regression": masses}}
    for name, content in written.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    summary = {"value": 0.9, "interval_68": [0.89, 0.91], "interval_95": [0.88, 0.92]}
    common = {"training_data": {"sha256": "0" * 64}, "objects": {"train": 280, "validation": 40, "test": 80}}
    classes = {
        "auc": summary,
        "calibration": {"expected_calibration_error": summary},
        "background_rejection": [],
    }
    versus = {"versus": {"reference on jet shapes": {"difference": summary}}}
    for folder, seed in (("tau/cnn", 4), ("tau/cnn/seed_5", 5)):
        write_json(
            tmp_path / "results/mine" / folder / "metrics.json", common | classes | versus | {"seed": seed}
        )
    bdt = common | classes | {"versus": {}, "seed": 1, "others": {"trees": classes}}
    write_json(tmp_path / "results/mine/tau/bdt/metrics.json", bdt)
    names = ("mean_absolute_error", "mean_relative_error", "relative_error_68", "bias", "slope", "resolution")
    mass = common | {"versus": {}, "seed": 1} | dict.fromkeys(names, summary)
    write_json(tmp_path / "results/mine/mass_regression/more/metrics.json", mass)
    return tmp_path / "repository"


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content["tasks"])
    path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture
def made(repository, tmp_path):
    """Folder of the records."""
    paths = records.write(tmp_path / "results/mine", tmp_path / "records", repository)
    places = sorted(str(path.relative_to(tmp_path / "records")) for path in paths)
    assert places == [
        "mine/mass_regression/more/seed_1.json",
        "mine/tau/bdt/seed_1.json",
        "mine/tau/cnn/seed_4.json",
        "mine/tau/cnn/seed_5.json",
    ]
    return tmp_path / "records"


def test_a_record_says_what_was_measured_how_and_where(made):
    record = read_json(made / "mine/tau/cnn/seed_5.json")
    assert record["command"] == "snakemake --cores all results/mine/tau/cnn/seed_5/metrics.json"
    assert record["revision"] == "f" * 40
    assert record["machine"]["cpu"]["cores"] >= 1
    assert "load_average" not in record["machine"]["cpu"]
    assert record["configuration"]["file"] == "config/mine.yaml"
    assert (
        record["configuration"]["entry"]["model"]["trainer"] | {"epochs": 3, "seed": 5}
        == (record["configuration"]["entry"]["model"]["trainer"])
    )
    assert record["metrics"]["auc"]["interval_95"] == [0.88, 0.92]
    assert "versus reference on jet shapes" in record["metrics"]
    reference = read_json(made / "mine/tau/bdt/seed_1.json")
    assert reference["others"]["trees"]["auc"]["value"] == 0.9
    assert (made / "mine/tau/cnn/seed_5.json").stat().st_size < 8000


def test_a_record_of_another_configuration_is_said_to_be_stale(made, repository):
    path = repository / "config/mine.yaml"
    assert records.stale(made, repository) == []
    edit(path, lambda tasks: tasks["tau"].update(declared=["cnn", "trees"]))
    assert records.stale(made, repository) == [], "what is compared changes no training"
    edit(path, lambda tasks: tasks["tau"]["models"]["cnn"]["trainer"].update(epochs=4))
    found = records.stale(made, repository)
    assert [sentence.split(": ")[0].rpartition("records/")[2] for sentence in found] == [
        "mine/tau/cnn/seed_4.json",
        "mine/tau/cnn/seed_5.json",
    ]
    assert "stale: config/mine.yaml has changed in model.trainer.epochs since it was measured; " in found[0]
    assert "(snakemake --cores all results/mine/tau/cnn/metrics.json)" in found[0]
    edit(path, lambda tasks: tasks["tau"]["models"]["cnn"]["trainer"].update(epochs=3))
    edit(path, lambda tasks: tasks["tau"]["simulation"].update(objects=500))
    assert len(records.stale(made, repository)) == 3, "the reference is of these objects, too"


def test_a_record_depends_on_what_its_model_begins_with(made, repository):
    edit(
        repository / "config/mine.yaml",
        lambda tasks: tasks["mass_regression"]["models"]["cnn"].update(trainer={"epochs": 7}),
    )
    (found,) = records.stale(made, repository)
    assert "changed in begins with.model.trainer.epochs" in found


def test_a_record_depends_on_the_pretraining_that_its_model_begins_with(repository, tmp_path):
    path = repository / "config/mine.yaml"

    def pretrained(epochs):
        of = {"architecture": "cnn", "method": {"name": "byol"}, "trainer": {"epochs": epochs, "seed": 3}}
        return lambda tasks: (
            tasks["mass_regression"].update(pretrainings={"byol": of}),
            tasks["mass_regression"]["models"]["more"].update(init="byol"),
        )

    edit(path, pretrained(5))
    records.write(tmp_path / "results/mine", tmp_path / "records", repository)
    begun = read_json(tmp_path / "records/mine/mass_regression/more/seed_1.json")["configuration"]["entry"]
    assert begun["begins with"]["model"]["trainer"]["seed"] == 3
    assert "byol" not in begun["task"], "of all pretrainings only the own one"
    assert records.stale(tmp_path / "records", repository) == []
    edit(path, pretrained(6))
    (found,) = records.stale(tmp_path / "records", repository)
    assert "changed in begins with.model.trainer.epochs" in found


def test_a_record_of_what_is_no_more_is_said(made, repository):
    edit(repository / "config/mine.yaml", lambda tasks: tasks.pop("mass_regression"))
    (found,) = records.stale(made, repository)
    assert found.endswith("config/mine.yaml no longer has mass_regression/more; remove it")


def test_an_empty_folder_has_no_stale_record(tmp_path, capsys):
    assert records.stale(tmp_path) == []
    assert records.main(["--check", str(tmp_path)]) == 0
    assert "All records are of today's configurations." in capsys.readouterr().out


def test_what_cannot_be_recorded_is_one_sentence_and_leaves_nothing(repository, tmp_path, monkeypatch):
    results, output = tmp_path / "results", tmp_path / "records"
    with pytest.raises(E2EError, match="no configuration of the repository has `run: other`"):
        records.write(results / "other", output, repository)
    with pytest.raises(E2EError, match="default: holds no results of a model; make them with"):
        records.write(results / "default", output, repository)
    edit(
        repository / "config/mine.yaml",
        lambda tasks: tasks["tau"]["models"].update(hybrid=tasks["tau"]["models"].pop("cnn")),
    )
    with pytest.raises(E2EError, match=r"cnn/metrics\.json: .*mine\.yaml has no such model"):
        records.write(results / "mine", output, repository)
    monkeypatch.setattr(records, "git_revision", lambda: "f" * 40 + "-dirty")
    with pytest.raises(E2EError, match=r"have changed since f+-dirty; commit them first"):
        records.write(results / "mine", output, repository)
    assert not output.exists()
    assert json.loads((results / "mine/tau/cnn/metrics.json").read_text())["seed"] == 4
