"""The notebooks themselves: as committed, as executed, and as pages."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from e2e.errors import E2EError
from e2e.report.notebooks.publish import PREAMBLE, html, pdf
from e2e.tasks import supervised

REPOSITORY = Path(__file__).parents[3]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
LOADED = re.compile(r"<script|<link|\bimport\s*\(|@import|url\(\s*['\"]?https?:|\bsrc=['\"]?(?!data:)", re.I)


def test_each_task_has_a_notebook():
    assert {path.stem for path in NOTEBOOKS} == set(supervised())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "title"}
    for cell in notebook.cells:
        assert not cell.metadata, "written by an editor or by Snakemake"
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    machine = re.search(r"/(home|root|tmp|work|Users|builds)/|file://", path.read_text())
    assert not machine, f"a place on somebody's machine: {machine[0]}"


@pytest.fixture
def executed(tmp_path):
    """A notebook as Snakemake leaves it, with its first cell."""
    preamble = new_code_cell("snakemake = 'of this machine'", metadata={"tags": [PREAMBLE]})
    result = new_code_cell("1 + 1", outputs=[new_output("execute_result", {"text/plain": "two"})])
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=[preamble, new_markdown_cell("# Title"), result]), path)
    return path


def test_the_page_loads_nothing(executed, tmp_path):
    page = tmp_path / "notebook.html"
    html(executed, page)
    text = page.read_text()
    assert "Title" in text
    assert "two" in text
    assert "of this machine" not in text
    assert not LOADED.search(text)
    first = page.read_bytes()
    html(executed, page)
    assert page.read_bytes() == first


def program(folder, name, text):
    """A shell script ``name`` as the only program on the path."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def test_a_browser_prints_the_page(executed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    output, page = tmp_path / "a.pdf", tmp_path / "a.html"
    page.touch()
    told = 'for a in "$@"; do case "$a" in --print-to-pdf=*) echo "$@" > "${a#--print-to-pdf=}";; esac; done'
    program(tmp_path / "bin", "chromium", told)
    pdf(executed, page, output)
    arguments = output.read_text().split()
    assert arguments[-1] == page.as_uri()
    assert "--headless=new" in arguments
    assert ("--no-sandbox" in arguments) == (os.geteuid() == 0)


def test_a_browser_that_fails_leaves_nothing(executed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    program(tmp_path / "bin", "google-chrome", "echo no display >&2; exit 3")
    with pytest.raises(E2EError, match=r"google-chrome did not print it \(no display\)"):
        pdf(executed, tmp_path / "a.html", tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_a_machine_that_cannot_print_says_what_to_install(executed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(E2EError, match="apt-get install chromium"):
        pdf(executed, tmp_path / "a.html", tmp_path / "a.pdf")


def run_by_hand(folder, name):
    """Execute a copy of a notebook beside ``folder``, where a person would open it; returns what it shows."""
    work = folder.parents[2]
    shutil.copytree(REPOSITORY / "notebooks", work / "notebooks", dirs_exist_ok=True)
    (work / "src").symlink_to(REPOSITORY / "src")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "executed"]
    settings = {
        "JUPYTER_NO_CONFIG": "1",
        "JUPYTER_PATH": "",
        "IPYTHONDIR": str(work / "ipython"),
    }
    subprocess.run([*command, work / "notebooks" / f"{name}.ipynb"], check=True, env=os.environ | settings)
    notebook = nbformat.read(work / "notebooks/executed.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output.text for output in outputs if output.output_type == "stream"], "warnings are for us"
    text = "\n".join(output.data.get("text/markdown", "") for output in outputs)
    return text, sum("image/png" in output.data for output in outputs)


@pytest.mark.slow
def test_a_notebook_of_classes_without_cmsrun(results_folder):
    text, figures = run_by_hand(results_folder("electron_photon"), "electron_photon")
    assert "cannot read" in text
    assert "The largest AUC is that of **good**" in text
    assert "**bad** minus that of **good**: -" in text
    assert figures == 13


@pytest.mark.slow
def test_a_notebook_of_taus(results_folder):
    text, figures = run_by_hand(results_folder("tau", True), "tau")
    assert "The largest AUC is that of **good**" in text
    assert figures == 17


@pytest.mark.slow
def test_a_notebook_of_masses(results_folder):
    text, figures = run_by_hand(results_folder("mass_regression", True), "mass_regression")
    assert "The smallest mean absolute error is that of **good**" in text
    assert "cannot read" not in text
    assert figures == 11
