"""What Snakemake plans, without running it: targets, errors, profiles, and backends."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def snakemake(directory, *arguments):
    """Plan a run in an empty directory; returns the finished process with its output as text."""
    command = [
        Path(sys.executable).parent / "snakemake",
        *("--snakefile", REPOSITORY / "Snakefile", "--directory", directory, "--dry-run"),
        *arguments,
    ]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def planned(process):
    """{rule: number of jobs} of a plan."""
    assert process.returncode == 0, process.stdout
    table = process.stdout.split("Job stats:")[1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


CI = ("--configfile", REPOSITORY / "config/ci.yaml")


def test_metrics_need_neither_export_nor_cmssw(tmp_path):
    jobs = planned(snakemake(tmp_path, "results/electron_photon/resnet/metrics.json", *CI))
    assert jobs == {"simulate": 4, "convert": 4, "split": 1, "reference": 1, "train": 1, "evaluate": 1}


def test_all_plans_the_whole_chain_of_the_default_configuration(tmp_path):
    jobs = planned(snakemake(tmp_path))
    assert jobs["simulate"] == jobs["convert"] == 32
    assert {"train", "evaluate", "export", "cmsrun", "agreement", "benchmark"} <= set(jobs)


def test_data_makes_no_model(tmp_path):
    jobs = planned(snakemake(tmp_path, "data", *CI))
    assert {"simulate", "validate_simulation", "convert", "split", "displays", "data"} == set(jobs)
    assert jobs["convert"] == jobs["simulate"]


def test_own_files_are_converted_without_simulation(tmp_path):
    """Each file of each sample becomes a store, whatever its name."""
    paths = [tmp_path / name for name in ("a.root", "b.root", "c.root")]
    for path in paths:
        path.touch()
    config = tmp_path / "mine.yaml"
    config.write_text(
        "tasks: {tau: {source: files, files: {signal: [a.root, b.root], background: [c.root]}}}\n"
    )
    process = snakemake(tmp_path, "data", "--configfile", config)
    assert planned(process) == {"convert": 3, "split": 1, "displays": 1, "data": 1}
    for name, path in {"signal_000": "a", "signal_001": "b", "background_000": "c"}.items():
        pair = f"input: {path}.root\n    output: results/tau/store/{name}.parquet"
        assert pair in process.stdout


def test_apptainer_is_compared_with_standalone(tmp_path):
    jobs = planned(snakemake(tmp_path, *CI, "--config", "cmssw={backend: apptainer}"))
    assert jobs["cmssw_area"] == 2
    assert jobs["cmsrun"] == 2 * jobs["train"]
    assert jobs["backends_equal"] == jobs["train"]


def test_the_slurm_profile_plans_every_job_with_its_resources(tmp_path):
    process = snakemake(tmp_path, *CI, "--profile", REPOSITORY / "profiles/slurm")
    jobs = planned(process)
    resources = re.findall(r"^    resources: .*", process.stdout, re.MULTILINE)
    assert len(resources) == sum(jobs.values())
    assert all("mem_mb=" in line and "runtime=" in line for line in resources)
    assert any("runtime=480" in line for line in resources), "training asks for hours"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("cmssw={backend: aptainer}", "corrected line:  backend: apptainer"),
        ("cmssw={bakend: cvmfs}", "corrected line:  backend: cvmfs"),
    ],
)
def test_an_invalid_value_stops_the_run_with_a_corrected_line(tmp_path, override, expected):
    process = snakemake(tmp_path, *CI, "--config", override)
    assert process.returncode != 0
    assert expected in process.stdout
    assert "Traceback" not in process.stdout
