"""Damaged files of all kinds: refused in one line, never a traceback, a crash, or silently other values."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")
CASES = int(os.environ.get("E2E_FUZZ", "120"))  # mutations of each kind
BAD = ("uncaught", "crashed", "over 2 GB", "too slow", "refused, not in one line that names the file")
UNCHECKED = (
    "contracts",
    "crops in HDF5",
    "jets in parquet",
    "models with a new checksum",
    "records",
    "stores with new checksums",
)  # no checksum tells other values
CHECKED = (
    "checkpoints",
    "checkpoints of Keras",
    "models",
    "ntuples",
    "scores",
    "splits",
    "stores",
    "trained networks",
)


def fuzz(kind: str, cases: int) -> tuple[dict[str, int], str]:
    """Counts of outcomes, and what is told about the bad ones."""
    done = subprocess.run(
        [sys.executable, FUZZ, kind, "--cases", str(cases)], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def check(kind: str, cases: int) -> None:
    counts, told = fuzz(kind, cases)
    print(f"{kind}: {counts}")
    assert sum(counts.values()) >= cases
    bad = (*BAD, "other values") if kind in CHECKED else BAD
    assert not any(counts.get(outcome) for outcome in bad), told
    assert counts.get("refused"), counts


def test_a_few_damaged_stores():
    check("stores", 20)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*CHECKED, *UNCHECKED])
def test_damaged_files(kind):
    check(kind, CASES)
