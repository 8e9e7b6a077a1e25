"""Executed notebooks as HTML that needs no network, and as PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter, PDFExporter
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from traitlets.config import Config

from e2e.errors import E2EError
from e2e.files import temporary_folder, whole

# The cell that Snakemake puts first: paths of the machine, and nothing to read.
PREAMBLE = "snakemake-job-properties"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PRINT_S = 300  # a page is printed within seconds; a browser that hangs is stopped

# JupyterLab's page without the scripts that it loads from elsewhere (formulas, diagrams, widgets), which the
# notebooks do not use; as wide as a sheet of paper; no figure or row of a table cut in two.
TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_css %}
<style>
main { max-width: 1000px; margin: auto; }
.jp-OutputPrompt, .jp-InputPrompt { display: none; }
.jp-RenderedHTMLCommon table { margin-left: 0; font-size: 12px; }
.jp-RenderedHTMLCommon td, .jp-RenderedHTMLCommon th { white-space: normal !important; max-width: none; }
.jp-RenderedImage img { max-width: 100%; }
@media print {
  img, tr, pre { break-inside: avoid; }
  h1, h2, h3, .jp-Cell-inputWrapper { break-after: avoid; }
  .highlight pre { white-space: pre-wrap; }
  .jp-RenderedHTMLCommon table { font-size: 10px; }
}
</style>
{% endblock %}
"""


def html(executed: str | Path, output: str | Path) -> None:
    """Write an executed notebook (.ipynb) as one HTML file that loads nothing from elsewhere."""
    exporter = HTMLExporter(raw_template=TEMPLATE)
    page, _ = exporter.from_notebook_node(_read(executed))
    with whole(output) as scratch:
        scratch.write_text(page)


def pdf(executed: str | Path, page: str | Path, output: str | Path) -> None:
    """Print a notebook by a browser without a window from its HTML ``page``, else by LaTeX from ``executed``.

    Raises E2EError where the machine has neither, or the one that it has fails.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        return _by_browser(browser, Path(page), output)
    if shutil.which("xelatex") and shutil.which("pandoc"):
        return _by_latex(executed, output)
    raise E2EError(
        f"{output}: printing takes a browser ({', '.join(BROWSERS)}) or LaTeX (xelatex and pandoc), and this "
        "machine has neither; on Debian: apt-get install chromium"
    )


def _by_browser(browser: str, page: Path, output: str | Path) -> None:
    with temporary_folder() as profile, whole(output) as scratch:
        command = [
            browser,
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={scratch.resolve()}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium has no sandbox for root
            page.resolve().as_uri(),
        ]
        try:
            process = subprocess.run(command, capture_output=True, text=True, timeout=PRINT_S, check=False)
        except subprocess.TimeoutExpired:
            raise E2EError(f"{page}: {browser} did not print it within {PRINT_S} s") from None
        if process.returncode or not scratch.exists():
            last = (process.stderr.strip().splitlines() or ["no message"])[-1]
            raise E2EError(f"{page}: {browser} did not print it ({last})")


def _by_latex(executed: str | Path, output: str | Path) -> None:
    try:
        content, _ = PDFExporter().from_notebook_node(_read(executed))
    except OSError as error:
        raise E2EError(f"{executed}: LaTeX did not print it ({str(error).splitlines()[0]})") from None
    with whole(output) as scratch:
        scratch.write_bytes(content)


def _read(path: str | Path) -> NotebookNode:
    """An executed notebook without Snakemake's cell."""
    notebook = nbformat.read(path, as_version=4)
    remove = TagRemovePreprocessor(config=Config(TagRemovePreprocessor={"remove_cell_tags": {PREAMBLE}}))
    notebook, _ = remove.preprocess(notebook, {})
    return notebook
