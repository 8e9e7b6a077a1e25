"""Two runs of one configuration in two directories give the same bytes; a run repeats only what is stale."""

import json
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
TINY = {
    "run": "tiny",
    "repeats": 2,
    "tasks": {
        "electron_photon": {
            "simulation": {"objects": 800, "files": 1, "seed": 7},
            "models": {"resnet": {"architecture": "resnet", "trainer": {"epochs": 2, "batch_size": 64}}},
        }
    },
}


def run(directory, *targets, config=TINY):
    directory.mkdir(exist_ok=True)
    (directory / "tiny.yaml").write_text(yaml.safe_dump(config))
    command = [
        Path(sys.executable).parent / "snakemake",
        *("--cores", "2", "--snakefile", REPOSITORY / "Snakefile", "--directory", directory),
        *targets,
        *("--configfile", directory / "tiny.yaml"),
    ]
    process = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


@pytest.mark.slow
def test_the_same_bytes_in_two_directories_and_only_what_is_stale_a_second_time(tmp_path):
    target = "results/tiny/electron_photon/resnet/onnx_scores.parquet"
    figures = "results/tiny/electron_photon/resnet/figures"
    for name in ("here", "there"):
        run(tmp_path / name, target, figures)

    files = [
        path.relative_to(tmp_path / "here")
        for pattern in (
            "ntuples/*.root",
            "store/*.parquet",
            "split.*",
            "*/scores.parquet",
            "*/onnx_scores.parquet",
            "*/metrics.json",
            "*/figures/*.p*",
        )
        for path in (tmp_path / "here/results/tiny/electron_photon").glob(pattern)
    ]
    assert len(files) == 2 + 2 + 2 + 2 + 1 + 2 + 10
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes(), file

    assert "Nothing to be done" in run(tmp_path / "here", target, figures)

    changed = deepcopy(TINY)
    changed["tasks"]["electron_photon"]["models"]["resnet"]["network"] = {"hidden": 32}
    plan = run(tmp_path / "here", figures, "--dry-run", config=changed)
    jobs = re.findall(r"^(\w+) +(\d+)$", plan.split("Job stats:")[1].split("total")[0], re.MULTILINE)
    assert dict(jobs) == {"train": "1", "evaluate": "1", "performance": "1"}


@pytest.mark.slow
def test_repeats_differ_by_their_seed_alone(tmp_path):
    """The repeat with the seed of the model itself is that model, and the others are not."""
    folder = tmp_path / "results/tiny/electron_photon/resnet"
    run(tmp_path, *(f"{folder.relative_to(tmp_path)}/{name}" for name in ("repeats.json", "seed_1/model.pt")))
    record = json.loads((folder / "repeats.json").read_text())
    assert record["seeds"] == [1, 2]
    assert (folder / "seed_1/model.pt").read_bytes() == (folder / "model.pt").read_bytes()
    first, second = (json.loads((folder / name / "metrics.json").read_text()) for name in (".", "seed_2"))
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["training_data"] == second["training_data"]
    assert first["auc"]["value"] != second["auc"]["value"]
    values = [entry["value"] for entry in record["figures_of_merit"]["auc"]["seeds"]]
    assert values == [first["auc"]["value"], second["auc"]["value"]]
