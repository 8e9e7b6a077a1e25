"""The picture of the README can be drawn anew, of any store."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_what_networks_see(results_folder, tmp_path):
    stores = [results_folder(task, False) / "store" for task in ("electron_photon", "mass_regression")]
    output = tmp_path / "out.png"
    objects = [f"{store}/toy_000.parquet:{row}" for row, store in enumerate(stores)]
    subprocess.run(
        [sys.executable, REPOSITORY / "docs/figures/what_networks_see.py", *objects, output], check=True
    )
    assert output.read_bytes().startswith(b"\x89PNG")
