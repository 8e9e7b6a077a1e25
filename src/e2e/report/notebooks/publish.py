"""Executed notebooks as HTML that needs no network, and as PDF."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter, PDFExporter
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

from e2e.errors import E2EError
from e2e.files import temporary_folder, whole

# The cell that Snakemake puts first: paths of the machine, and nothing to read.
PREAMBLE = "snakemake-job-properties"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PRINT_S = 300  # a page is printed within seconds; a browser that hangs is stopped

# What Chromium shows of a data URI inside a page (2 MB), with room to spare: in the report, a page is one.
IN_REPORT = 1_500_000
SCALES = (1.0, 0.7, 0.5, 0.35)  # of the figures, which have two pixels for each that a usual screen shows
FIGURE = re.compile(r"data:image/png;base64,([^\"']+)")

# JupyterLab's page without the scripts that it loads from elsewhere (formulas, diagrams, widgets), which the
# notebooks do not use, and with a style sheet of its own, a hundredth of JupyterLab's; as wide as a sheet of
# paper; no figure or row of a table cut in two.
TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block notebook_css %}
{{ resources.include_css("static/theme-light.css") }}
{% endblock %}
{% block html_head_css %}
<style>
body { margin: 0 12px; background: #fff; color: #212121; font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: auto; }
a.anchor-link, .jp-OutputPrompt, .jp-InputPrompt { display: none; }
h1, h2, h3 { line-height: 1.2; margin: 1.2em 0 0.5em; }
code, pre { font: 12.5px/1.4 ui-monospace, monospace; }
pre { margin: 0; overflow-x: auto; }
.jp-InputArea .highlight { padding: 6px 8px; background: #f5f5f5; border: 1px solid #e0e0e0; }
.jp-OutputArea-output { margin: 6px 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: 12px; }
th, td { padding: 4px 8px; text-align: right; vertical-align: top; }
thead { border-bottom: 1px solid #bdbdbd; }
tbody tr:nth-child(odd) { background: #f5f5f5; }
.jp-RenderedImage img { max-width: 100%; height: auto; }
@media print {
  img, tr, pre { break-inside: avoid; }
  h1, h2, h3, .jp-Cell-inputWrapper { break-after: avoid; }
  .highlight pre { white-space: pre-wrap; }
  table { font-size: 10px; }
}
</style>
{% endblock %}
"""


def html(executed: str | Path, output: str | Path) -> None:
    """Write an executed notebook (.ipynb) as one HTML file that loads nothing from elsewhere.

    Its figures are WebP without loss; only where the page would be too large for the report, they have fewer
    pixels, with the small losses of a photograph.
    """
    page, _ = HTMLExporter(raw_template=TEMPLATE).from_notebook_node(_read(executed))
    for scale in SCALES:
        light = FIGURE.sub(partial(_webp, scale=scale), page)
        if _uri_bytes(light) <= IN_REPORT:
            break
    else:
        print(f"{output}: {len(light) / 1e6:.1f} MB, too much for the report; open the file itself")
    with whole(output) as scratch:
        scratch.write_text(light)


def _webp(png: re.Match[str], scale: float) -> str:
    """The data URI of a PNG as that of a WebP of the same pixels, or of fewer."""
    figure = Image.open(io.BytesIO(base64.b64decode(png[1]))).convert("RGBA")
    if scale < 1:
        figure = figure.resize(
            [max(1, round(side * scale)) for side in figure.size], Image.Resampling.LANCZOS
        )
    found = io.BytesIO()
    figure.save(found, "WEBP", lossless=scale == 1, quality=80)
    return "data:image/webp;base64," + base64.b64encode(found.getvalue()).decode()


def _uri_bytes(page: str) -> int:
    """Length of a page as a data URI."""
    return 4 * len(page.encode()) // 3


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
