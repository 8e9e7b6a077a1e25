"""The workflow on public links: files that are named or listed, the data lock, the part of a sample."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from e2e.data import store
from e2e.data.transport import data_lock

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from cernbox_server import CernBox
from public_files import jets, write_parquet

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path):
    """A link whose files are named in the configuration, one that is listed, and a folder on the web."""
    random = np.random.default_rng(1)
    content = [
        write_parquet(
            tmp_path / f"{i}.parquet", X_jet=jets(random, 3, 4), am=random.uniform(4, 14, 3)
        ).read_bytes()
        for i in range(4)
    ]
    found = CernBox()
    found.links = {
        "named": {"sub/a.test.parquet": content[0], "other/a.test.parquet": content[1]},
        "listed": {"b.parquet": content[2], "README.txt": b"hello"},
    }
    found.folders = {"/cfs/G25/": {"c.parquet": content[3]}}
    yield found
    found.stop()


@pytest.fixture
def run(server, tmp_path):
    """Runs Snakemake in an empty directory on the links of the server; returns status and output."""
    config = {
        "run": "public",
        "cernbox": {"url": server.url, "lock": str(tmp_path / "data.lock")},
        "tasks": {
            "mass_regression": {
                "source": "cernbox",
                "cernbox": {
                    "named": {"token": "named", "files": ["sub/a.test.parquet", "other/a.test.parquet"]},
                    "listed": {"token": "listed", "part": "split"},
                    "web": {"address": f"{server.url}/cfs/G25"},
                },
            }
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))

    def snakemake(*arguments):
        command = [Path(sys.executable).parent / "snakemake", *arguments, "--cores", "2"]
        command += ["--snakefile", REPOSITORY / "Snakefile", "--directory", tmp_path / "run"]
        command += ["--configfile", tmp_path / "config.yaml"]
        done = subprocess.run(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        return done.returncode, done.stdout

    return snakemake


@pytest.mark.slow
def test_public_links_become_stores(server, run, tmp_path):
    target = "results/public/mass_regression/split.parquet"
    status, output = run(target, "--dry-run")
    assert status == 0, output
    assert server.seen == []  # planning does not touch the network

    server.faults.drops = [1000]
    status, output = run(target)
    assert status == 0, output
    results = tmp_path / "run/results/public/mass_regression"
    stores = sorted((results / "store").glob("*.parquet"))
    names = ["listed_000.parquet", "named_000.parquet", "named_001.parquet", "web_000.parquet"]
    assert [path.name for path in stores] == names
    found = [store.read_metadata(path) for path in stores]
    assert [metadata.part for metadata in found] == [None, "test", "test", None]
    assert [metadata.source for metadata in found] == [
        "b.parquet",
        "a.test.parquet",
        "a.test.parquet",
        "c.parquet",
    ]
    assert found[1].source_sha256 != found[2].source_sha256  # of one name, in two folders
    locked = data_lock.read(tmp_path / "data.lock")
    assert {link: set(files) for link, files in locked.items()} == {
        "named": {"sub/a.test.parquet", "other/a.test.parquet"},
        "listed": {"b.parquet"},
        f"{server.url}/cfs/G25": {"c.parquet"},
    }

    server.seen.clear()
    status, output = run(target, "--dry-run")
    assert (status, server.seen) == (0, [])
    assert "Nothing to be done" in output

    (results / "downloads/listed/b.parquet").unlink()
    server.links["listed"]["b.parquet"] = server.links["named"]["other/a.test.parquet"][:-8] + b"????PAR1"
    status, output = run("results/public/mass_regression/downloads/listed/b.parquet")
    assert status != 0
    # Snakemake shows the log, too
    assert len({line.strip() for line in output.splitlines() if line.strip().startswith("error: ")}) == 1
    assert "data.lock says" in output
    assert not (results / "downloads/listed/b.parquet").exists()


def test_a_listed_name_that_no_file_can_have_here(server, run):
    server.links["listed"]["{run}.parquet"] = b"PAR1"
    status, output = run("results/public/mass_regression/split.parquet")
    assert status != 0
    errors = {line.strip() for line in output.splitlines() if line.strip().startswith("error: ")}
    assert len(errors) == 1
    assert "'{run}.parquet' is no name to use here: it has braces" in errors.pop()
