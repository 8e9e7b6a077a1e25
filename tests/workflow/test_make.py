"""What `make` says of a bad configuration or Python, before anything large is installed; what it removes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment has been started, with the packages that check a configuration."""
    (tmp_path / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    for name in ("config", "config.yaml", "src", "requirements", "pyproject.toml", "cmssw"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    program(tmp_path / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    (tmp_path / ".venv/started").touch()
    return tmp_path


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make(directory, *arguments):
    """Lines that a run of make in ``directory`` writes, without make's own last one, and its status."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    process = subprocess.run(
        ["make", "-C", directory, "--no-print-directory", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=environment,
    )
    return [line for line in process.stdout.splitlines() if "make" not in line[:7]], process.returncode


@pytest.mark.parametrize("goal", ["all", "demo", "bench-reading", "notebooks-pdf"])
def test_a_configuration_that_is_not_there(checkout, goal):
    said, status = make(checkout, goal, "CONFIG=config/dmo.yaml")
    assert status != 0
    assert len(said) == 1
    assert said[0].startswith("CONFIG=config/dmo.yaml: there is no such file; here are: config.yaml config/")
    assert "config/demo.yaml" in said[0]
    assert "schema" not in said[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("tasks: {tau: [\n", "error: mine.yaml, line 2, column 1: is not YAML ("),
        ("a\tb: - c: d\n", "error: mine.yaml, line 1, column"),
        ("", "error: mine.yaml: holds no configuration; config/demo.yaml is a short one"),
        ("tasks: {tau: {}}\n", "error: mine.yaml: run is missing; it must be a string, matching ^[a-z]"),
        (
            "run: mine\ntasks: {tua: {}}\n",
            "error: mine.yaml: tasks.tua = {}: is not a known key; known here: ",
        ),
        (
            "run: cmssw\ntasks: {tau: {}}\n",
            "error: mine.yaml: run = cmssw: must be a string, matching ^[a-z][a-z0-9_]*$, none of bench",
        ),
        ("run: Mine\ntasks: {tau: {}}\n", "error: mine.yaml: run = Mine: must be a string, matching ^[a-z]"),
    ],
    ids=["open bracket", "no mapping", "empty", "no run", "wrong task", "taken name", "capital"],
)
def test_a_configuration_that_cannot_be_used(checkout, content, expected):
    (checkout / "mine.yaml").write_text(content)
    said, status = make(checkout, "all", "CONFIG=mine.yaml")
    assert status != 0
    assert said[0].startswith(expected), said
    assert len(said) <= 2, "and a corrected line"
    assert not (checkout / ".venv/installed").exists()


def test_a_python_that_is_too_old(checkout):
    (checkout / ".venv/started").unlink()
    old = checkout / "python3.9"
    program(old, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    said, status = make(checkout, "test", f"PYTHON={old}")
    assert status != 0
    assert len(said) == 1
    assert said[0].startswith("Python 3.11 or newer is needed, and here is: Python 3.9.2; ")
    assert not (checkout / ".venv/started").exists()


def test_modules_are_compiled_when_they_are_installed(checkout):
    """Where PYTHONDONTWRITEBYTECODE is set, each process that imports them would compile them anew."""
    said, status = make(checkout, "--dry-run", ".venv/installed")
    assert status == 0
    installing = [line for line in said if line.startswith("uv pip install")]
    assert len(installing) == 1
    assert "--compile-bytecode" in installing[0].split("||")[0].split()


def test_clean_removes_all_results_and_nothing_else(checkout, tmp_path_factory):
    """Also where results/ is a link to a larger disk, which stays."""
    disk = tmp_path_factory.mktemp("disk")
    (disk / "demo/tau").mkdir(parents=True)
    (disk / "demo/tau/metrics.json").touch()
    (disk / ".report.html.1.part").touch()
    other = tmp_path_factory.mktemp("other")
    (other / "kept").touch()
    (disk / "demo/link").symlink_to(other)
    (checkout / "results").symlink_to(disk)
    (checkout / ".snakemake/log").mkdir(parents=True)
    assert make(checkout, "clean") == ([], 0)
    assert list(disk.iterdir()) == []
    assert (checkout / "results").is_symlink()
    assert (other / "kept").exists()
    assert not (checkout / ".snakemake").exists()
    assert (checkout / ".venv/started").exists()
    assert make(checkout, "clean")[1] == 0
