"""Which version this is: in a checkout, between releases, in an archive, in an installed package."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import e2e
from e2e import version as versions
from e2e.imports import LIBRARY, imported

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A library of one file, and function (words) -> what git does in the folder around it."""
    package = tmp_path / "repository/src/e2e"
    package.mkdir(parents=True)
    monkeypatch.setattr(versions, "_FILE", Path(shutil.copy(versions.__file__, package)))

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", tmp_path / "repository", *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return git


def commit(git):
    git("add", ".")
    git("commit", "-qm", "x", "--allow-empty")
    return git("rev-parse", "HEAD")


def test_without_git_it_is_the_newest_release(checkout):
    assert versions.version() == versions.RELEASE
    assert versions.git_revision() == "unknown"
    checkout("init", "-q")  # a checkout around it, of something else
    assert versions.version() == versions.RELEASE
    assert versions.git_revision() == "unknown"


def test_installed_it_is_that_of_the_package(checkout, tmp_path):
    folder = tmp_path / "repository/src/e2e-0.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: e2e\nVersion: 0.7\n")
    assert versions.version() == "0.7"


def test_in_a_checkout_it_is_that_of_the_newest_tag(checkout):
    checkout("init", "-q")
    first = commit(checkout)
    assert versions.git_revision() == first
    assert versions.version() == f"{versions.RELEASE}+g{first[:7]}"  # no tag yet, as in a shallow clone
    checkout("tag", "v0.3.0")
    checkout("tag", "validated")
    assert versions.version() == "0.3.0"
    second = commit(checkout)
    assert versions.version() == f"0.3.0+1.g{second[:7]}"
    with versions._FILE.open("a") as file:
        file.write("# changed\n")
    assert versions.version() == f"0.3.0+1.g{second[:7]}.dirty"
    assert versions.git_revision() == f"{second}-dirty"


def test_a_tag_with_changes_is_no_release(checkout):
    checkout("init", "-q")
    revision = commit(checkout)
    checkout("tag", "-am", "x", "v1.0.0")
    with versions._FILE.open("a") as file:
        file.write("# changed\n")
    assert versions.version() == f"1.0.0+0.g{revision[:7]}.dirty"


def test_no_commit_repeats_a_training():
    """Trainings record the release alone, and no step depends on the file that knows it."""
    assert e2e.__version__ == versions.RELEASE
    assert "version.py" not in imported(*(str(path.relative_to(LIBRARY)) for path in LIBRARY.rglob("*.py")))


def test_the_release_is_that_of_the_changelog_and_of_the_citation():
    changes = (REPOSITORY / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[(\d[^\]]*)\]", changes, re.MULTILINE)[1] == versions.RELEASE
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == versions.RELEASE


def test_the_package_is_whole_and_needs_no_other_to_be_imported(tmp_path):
    """As made from an archive, without git; what users import first needs neither Snakemake nor PyTorch."""
    archive = tmp_path / "archive"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "standalone")
    for name in ("src", "requirements", "config", "cmssw"):
        shutil.copytree(REPOSITORY / name, archive / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, archive)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, archive], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"e2e-{versions.RELEASE}-py3-none-any.whl"
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as content:
        content.extractall(installed)

    files = {path.relative_to(LIBRARY) for path in LIBRARY.rglob("*") if path.is_file()}
    expected = {path for path in files if "__pycache__" not in path.parts}
    assert {path.relative_to(installed / "e2e") for path in (installed / "e2e").rglob("*.*")} == expected
    for name in ("data/layouts.json", "schema.yaml"):
        assert (installed / "e2e" / name).read_bytes() == (LIBRARY / name).read_bytes()
    assert list(installed.glob("e2e-*.dist-info/licenses/LICENSE"))

    def run(words):
        """In a Python that sees no other package."""
        environment = os.environ | {"PYTHONPATH": str(installed)}
        command = [sys.executable, "-S", "-c", f"import sys, e2e.cli; sys.exit(e2e.cli.main({words}))"]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)

    assert run(["--version"]).stdout == f"e2e {versions.RELEASE}\n"
    assert run(["--help"]).returncode == 0
    refused = run(["cmssw", "build"])
    assert refused.returncode == 1
    assert refused.stderr.startswith("e2e: error: e2e cmssw builds a clone's cmssw/: install e2e from")


def test_the_library_knows_nothing_of_snakemake():
    code = [path for path in LIBRARY.rglob("*.py") if "import snakemake" in path.read_text()]
    code += [path for path in LIBRARY.rglob("*.py") if "from snakemake" in path.read_text()]
    assert code == []
