"""Runs that are stopped or killed, and how they go on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e import recovery

REPOSITORY = Path(__file__).parents[2]

# Files that take minutes each, and more of them than there are cores.
LONG = {
    "run": "long",
    "tasks": {"electron_photon": {"simulation": {"objects": 400000, "files": 2, "seed": 7}}},
}


def recover(directory):
    """What `make` does first."""
    command = [sys.executable, "-m", "e2e.recovery"]
    return subprocess.run(command, cwd=directory, text=True, capture_output=True, check=False)


def at_work(directory):
    """Scratch files of the jobs of `LONG`, when each core has one."""
    found = list(directory.rglob(".*.part.root"))
    return len(found) == 2 and found


@pytest.mark.slow
def test_ctrl_c_ends_a_run_at_once_each_time(tmp_path, start):
    """With jobs that run and jobs that wait; the next run needs no unlocking, and nothing is left."""
    for _ in range(3):
        run = start(tmp_path, "--cores", "2", "data", config=LONG)
        run.until(lambda: at_work(tmp_path))
        run.signal(signal.SIGINT)
        assert run.end(15) != 0
        assert "LockException" not in run.output
        assert run.output.count("stopped by SIGINT") >= 2
        assert not list(tmp_path.rglob("*.root"))
        assert not list(tmp_path.glob(".snakemake/locks/*"))


@pytest.mark.slow
def test_after_a_kill_what_is_left_is_removed_when_nobody_is_at_work_any_more(tmp_path, start):
    run = start(tmp_path, "--cores", "2", "data", config=LONG)
    run.until(lambda: at_work(tmp_path))
    assert recover(tmp_path).stdout == ""
    assert at_work(tmp_path), "nothing of a living run is touched"
    run.process.kill()
    run.process.wait()

    said = recover(tmp_path)
    assert said.returncode == 1
    jobs = re.fullmatch(r"error: jobs of a killed run still run: .*: kill ([0-9 ]+)\n", said.stderr)[
        1
    ].split()
    assert len(jobs) >= 2
    assert at_work(tmp_path)
    again = start(tmp_path, "--cores", "2", "data", config=LONG)
    again.end(120)
    assert "LockException" in again.output

    for job in jobs:
        os.kill(int(job), signal.SIGKILL)
    while any(recovery._identity(int(job)) for job in jobs):
        time.sleep(0.05)
    said = recover(tmp_path)
    assert said.returncode == 0, said.stderr
    assert "2 unfinished files" in said.stdout
    assert not list(tmp_path.rglob(".*.part.root"))
    assert recover(tmp_path).stdout == ""
    last = start(tmp_path, "--cores", "2", "data", config=LONG)
    last.until(lambda: at_work(tmp_path))


def test_the_environment_of_a_moved_checkout_is_refused_by_a_sentence(tmp_path):
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / "config.yaml").write_text("run: one\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").write_text("command = /usr/bin/python3 -m venv /before/.venv\n")
    done = subprocess.run(["make", "config"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode != 0
    assert ".venv was made as /before/.venv, and works only there: rm -r .venv" in done.stderr
