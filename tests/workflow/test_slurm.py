"""The workflow on a real Slurm of one node with two CPUs and no accounting."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.tasks.electron_photon import TASK

sys.path.insert(0, str(Path(__file__).parent))
from one_node_slurm import missing, one_node_slurm

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
CONFIG = {
    "run": "one",
    "tasks": {
        "electron_photon": {"source": "files", "files": {"mine": ["mine.root"]}},
        "mass_regression": {"simulation": {"objects": 400, "files": 1, "seed": 7}},
    },
}
SPLIT = "results/one/electron_photon/split.parquet"
SIMULATED = "results/one/mass_regression/ntuples/a_tautau_000.root"
PROFILE = (
    *("--profile", REPOSITORY / "profiles/slurm"),
    *("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2"),
    *("--default-resources", "mem_mb=1000", "runtime=10"),
)
LIMIT_S = 400


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The environment in which the commands of a running Slurm are found."""
    if absent := missing():
        message = f"{', '.join(absent)} missing: containers/apt-install slurm-wlm munge"
        if "E2E_SHARED" in os.environ:  # .ci/run installs it
            pytest.fail(message)
        pytest.skip(message)
    with one_node_slurm(tmp_path_factory.mktemp("slurm") / "one") as environment:
        yield environment


def queue(slurm, *options, rule=""):
    """Ids of the jobs in these states, of one rule."""
    command = ["squeue", "--noheader", "--format=%i %k", f"--states={','.join(options)}"]
    asked = subprocess.run(command, env=slurm, text=True, capture_output=True, timeout=30, check=True)
    lines = [line.split() for line in asked.stdout.splitlines()]
    return [job for job, comment in lines if comment.startswith(f"rule_{rule}")]


@pytest.fixture
def directory(tmp_path):
    """Where a run is started: with an ntuple to convert."""
    frame = np.zeros(TASK.detector, np.float32)
    frame[60, 100] = 50
    names = ("SC_ieta", "SC_iphi", "pho_pT", "pho_E", "pho_eta", "pho_phi")
    objects = {
        name: np.array([value], np.float32) for name, value in zip(names, (60, 100, *4 * [1]), strict=True)
    }
    channels = {channel.name: frame for channel in TASK.channels}
    write_ntuple(tmp_path / "mine.root", (Event(1, 1, i, channels, objects) for i in range(1, 50)), task=TASK)
    return tmp_path


def test_a_cancelled_job_comes_back_and_one_out_of_memory_gets_more(directory, start, slurm):
    """Both are those of the first try; the profile's own retries bring them back."""
    run = start(
        *(directory, SPLIT, SIMULATED, *PROFILE),
        *("--set-resources", "convert:mem_mb=250 + 2750 * (attempt - 1)", "simulate:mem_mb=2000"),
        config=CONFIG,
        environment=slurm,
    )
    run.until(lambda: list(directory.rglob("logs/simulate/a_tautau_000.log")))
    (job,) = queue(slurm, "RUNNING", rule="simulate")
    subprocess.run(["scancel", job], env=slurm, check=True, timeout=30)
    assert run.end(LIMIT_S) == 0
    assert (directory / SPLIT).exists()
    assert (directory / SIMULATED).exists()
    assert not list(directory.rglob(".*.part*"))
    assert {"SLURM status is: 'CANCELLED'", "SLURM status is: 'FAILED'"} <= set(
        re.findall(r"SLURM status is: '\w+'", run.output)
    )
    tries = re.findall(
        r"^rule convert:\n(?:    .*\n)*?    resources: .*\bmem_mb=(\d+)", run.output, re.MULTILINE
    )
    assert list(dict.fromkeys(tries)) == ["250", "3000"]


def test_ctrl_c_leaves_no_job_in_the_queue(directory, start, slurm, tmp_path_factory):
    """Also while Slurm takes its time to say which jobs there are: Snakemake then forgets them."""
    slow = tmp_path_factory.mktemp("slow")
    command = slow / "squeue"
    squeue = shutil.which("squeue", path=slurm["PATH"])
    command.write_text(f"#!/bin/sh\ntrap '' INT\ntouch {slow}/asked\nsleep 3\nexec {squeue} \"$@\"\n")
    command.chmod(0o755)
    simulation = {"objects": 400000, "files": 4, "seed": 7}
    run = start(
        *(directory, "data", *PROFILE),
        config={"run": "one", "tasks": {"mass_regression": {"simulation": simulation}}},
        environment=slurm | {"PATH": f"{slow}:{slurm['PATH']}"},
    )
    run.until(lambda: len(queue(slurm, "PENDING")) == 2 and (slow / "asked").exists())
    (slow / "asked").unlink()
    run.until((slow / "asked").exists)
    run.signal(signal.SIGINT)
    assert run.end(60) != 0
    assert not queue(slurm, "PENDING", "RUNNING")


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ("--set-threads=convert=8", "--cpus-per-task=8"),
        ("--set-resources=convert:mem_mb=900000", "--mem=900000"),
    ],
)
def test_a_job_for_which_no_node_has_room_is_refused_at_once(directory, start, slurm, asked, refused):
    run = start(*(directory, SPLIT, *PROFILE, asked), config=CONFIG, environment=slurm)
    assert run.end(60) != 0
    assert "no node of this cluster can ever run a job of convert" in run.output
    assert refused in run.output
    assert "Traceback" not in run.output
    assert not queue(slurm, "PENDING", "RUNNING")
