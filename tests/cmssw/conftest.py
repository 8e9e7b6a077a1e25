"""The area that the cmsRun tests run in, and the build tree with the modules that only tests need."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from e2e.deploy import cmssw
from e2e.deploy.agreement import read_tree

REPOSITORY = Path(__file__).parents[2]
CFG = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"
IDENTITY = ["file", "run", "lumi", "event", "object"]


@contextmanager
def alone() -> Iterator[None]:
    """One process of pytest at a time: they share the build tree."""
    lock = REPOSITORY / "build/lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def once(built: Path) -> Iterator[bool]:
    """Whether no worker of this session of pytest has built this, and keeps that it has been.

    A second build would replace what jobs of the first worker run in.
    """
    session, made_by = os.environ.get("PYTEST_XDIST_TESTRUNUID"), built.with_suffix(".session")
    first = not (session and made_by.exists() and made_by.read_text() == session)
    yield first
    if first and session:
        made_by.write_text(session)


@pytest.fixture(scope="session")
def area() -> Path:
    """A built area with bin/cmsRun: the one of E2E_AREA, or the standalone host with RecoE2E, built now.

    The build tree stays in build/, so that a second session compiles only what has changed.
    """
    if given := os.environ.get("E2E_AREA"):
        return Path(given)
    area = REPOSITORY / "build/cmssw/standalone"
    with alone(), once(area) as first:
        if first:
            cmssw.build("standalone", area, REPOSITORY / "cmssw", {}, jobs=2, log=area.with_suffix(".log"))
    return area


@pytest.fixture(scope="session")
def configure() -> Callable[..., None]:
    """Configures a build of the host with its tests in a folder, with options for CMake, and builds it."""

    def build(tree: Path, *options: str) -> None:
        source = REPOSITORY / "cmssw/standalone"
        subprocess.run(
            ["cmake", "-S", source, "-B", tree, "-G", "Ninja", "-DBUILD_TESTING=ON", *options], check=True
        )
        subprocess.run(["cmake", "--build", tree, "--parallel", "2"], check=True)

    return build


@pytest.fixture(scope="session")
def host(area, configure) -> Path:
    """A build tree with the test modules: that of E2E_AREA, or the one of the area, with the tests added."""
    if given := os.environ.get("E2E_AREA"):
        # A user's own area, e.g. of a release, has none of the host's modules: its other tests still run.
        if not (Path(given) / "lib/pluginHostTestPlugins.so").exists():
            pytest.skip(f"{given} is no build tree with the host's test modules")
        return Path(given)
    tree = area.parent / "build/standalone"
    with alone(), once(tree) as first:
        if first:
            configure(tree)
    return tree


@pytest.fixture
def cmsrun(area, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs cmsRun in an empty directory; its messages are in ``stdout`` of what comes back."""

    def run(ntuples: Sequence[Path], *arguments: str, cfg: Path = CFG) -> subprocess.CompletedProcess[str]:
        inputs = [f"inputFiles=file:{path}" for path in ntuples]
        return subprocess.run(
            [area / "bin/cmsRun", cfg, *inputs, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def scores(cmsrun, tmp_path) -> Callable[..., pd.DataFrame]:
    """Runs cmsRun, which must succeed, and gives its scores in the order of their identities."""

    def run(ntuples: Sequence[Path], *arguments: str, cfg: Path = CFG) -> pd.DataFrame:
        job = cmsrun(ntuples, *arguments, cfg=cfg)
        assert job.returncode == 0, job.stdout
        return read_tree(tmp_path / "scores.root").sort_values(IDENTITY, ignore_index=True)

    return run
