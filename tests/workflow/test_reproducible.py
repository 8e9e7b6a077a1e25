"""Two runs of one configuration in two directories give the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
TINY = {
    "tasks": {
        "electron_photon": {
            "simulation": {"objects": 800, "files": 1, "seed": 7},
            "models": {"resnet": {"architecture": "resnet", "trainer": {"epochs": 2, "batch_size": 64}}},
        }
    }
}


def run(directory, *targets):
    directory.mkdir(exist_ok=True)
    (directory / "tiny.yaml").write_text(yaml.safe_dump(TINY))
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
def test_the_same_bytes_in_two_directories_and_nothing_to_do_a_second_time(tmp_path):
    target = "results/electron_photon/resnet/onnx_scores.parquet"
    metrics = "results/electron_photon/resnet/metrics.json"
    for name in ("here", "there"):
        run(tmp_path / name, target, metrics)

    files = [
        path.relative_to(tmp_path / "here")
        for pattern in (
            "ntuples/*.root",
            "store/*.parquet",
            "split.*",
            "*/scores.parquet",
            "*/onnx_scores.parquet",
        )
        for path in (tmp_path / "here/results/electron_photon").glob(pattern)
    ]
    assert len(files) == 2 + 2 + 2 + 2 + 1
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes(), file

    assert "Nothing to be done" in run(tmp_path / "here", target, metrics)
