"""A running workflow that a test can send signals to."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
START_S = 300  # until jobs are at work, on a busy machine


class Run:
    """A Snakemake with its jobs, in a group of processes of its own, as a terminal has it."""

    def __init__(self, directory, *arguments, config, environment=os.environ):
        directory.mkdir(exist_ok=True)
        (directory / "config.yaml").write_text(yaml.safe_dump(config))
        self.directory = directory
        self._log = (directory / "snakemake.out").open("w+")
        self.process = subprocess.Popen(
            [
                Path(sys.executable).parent / "snakemake",
                *("--snakefile", REPOSITORY / "Snakefile", "--directory", directory),
                *arguments,
                *("--configfile", directory / "config.yaml"),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell's background job, as in CI, may ignore it, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    @property
    def output(self):
        return (self.directory / "snakemake.out").read_text()

    def until(self, happened, limit=START_S):
        """Wait for something that the running workflow does; returns it."""
        deadline = time.monotonic() + limit
        while not (found := happened()):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, f"it never came to that:\n{self.output}"
            time.sleep(0.1)
        return found

    def end(self, limit):
        """Status of the run, which ends within ``limit`` seconds."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {limit} s:\n{self.output}")

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()
        self._log.close()


@pytest.fixture
def start():
    """Function (directory, *arguments of snakemake, config, environment) -> `Run`."""
    runs = []

    def started(*arguments, **options):
        runs.append(Run(*arguments, **options))
        return runs[-1]

    yield started
    for run in runs:
        run.kill()
