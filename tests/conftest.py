"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real CMS files, from E2E_SHARED; without the variable the test skips."""
    folder = os.environ.get("E2E_SHARED")
    if not folder:
        pytest.skip("E2E_SHARED is not set: no real CMS files to test on")
    path = Path(folder)
    if not (path / "data").is_dir():
        pytest.fail(f"E2E_SHARED={folder} holds no data/ folder")
    return path
