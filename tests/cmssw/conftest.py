"""The area that the cmsRun tests run in."""

import os
from pathlib import Path

import pytest

from e2e.deploy import cmssw

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def area() -> Path:
    """A built area with bin/cmsRun: the one of E2E_AREA, or the standalone host with RecoE2E, built now.

    The build tree stays in build/, so that a second session compiles only what has changed.
    """
    if given := os.environ.get("E2E_AREA"):
        return Path(given)
    area = REPOSITORY / "build/cmssw/standalone"
    cmssw.build("standalone", area, REPOSITORY / "cmssw", {}, jobs=2, log=area.with_suffix(".log"))
    return area
