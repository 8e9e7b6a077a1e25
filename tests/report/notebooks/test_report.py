"""Notebooks inside the report, in a browser: there, a page is a data URI, which Chromium shows up to 2 MB."""

import base64
import json
import os
import shutil
import subprocess
import time

import nbformat
import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from snakemake.report.common import data_uri_from_file

from e2e.report.notebooks.publish import BROWSERS, IN_REPORT, html

WAIT_S = 60


class Chromium:
    """Chromium without a window, told what to do through its two pipes."""

    def __init__(self, program, profile):
        asked, answers = os.pipe(), os.pipe()
        options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
        options += " --disable-background-networking --disable-component-update --remote-debugging-pipe"
        command = f'exec "{program}" {options} --user-data-dir="{profile}" 3<&{asked[0]} 4>&{answers[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(asked[0], answers[1]), stderr=subprocess.DEVNULL
        )
        os.close(asked[0])
        os.close(answers[1])
        self._asked, self._answers = os.fdopen(asked[1], "wb"), os.fdopen(answers[0], "rb")
        self._buffer, self._number = b"", 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(WAIT_S)

    def __call__(self, method, session=None, **parameters):
        """Result of one command of Chromium's DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        self._asked.write(json.dumps(message).encode() + b"\0")
        self._asked.flush()
        while True:
            while b"\0" not in self._buffer:
                piece = os.read(self._answers.fileno(), 1 << 20)
                assert piece, "Chromium has ended"
                self._buffer += piece
            text, self._buffer = self._buffer.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self._number:
                return answer["result"]

    def text(self, page, wanted):
        """All text of a page and of what is embedded in it, as soon as ``wanted`` is there, or at last."""
        target = self("Target.createTarget", url=page.as_uri())["targetId"]
        session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        end = time.monotonic() + WAIT_S / 4
        while True:
            found = json.dumps(self("DOM.getDocument", session, depth=-1, pierce=True), ensure_ascii=False)
            if wanted in found or time.monotonic() > end:
                return found
            time.sleep(0.2)


@pytest.fixture
def chromium(tmp_path):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        # A user may have none, and sees the report in another browser; .ci/run installs it.
        pytest.skip("no Chromium or Chrome here; containers/apt-install chromium")
    with Chromium(program, tmp_path / "profile") as browser:
        yield browser


def write_report(page, embedded):
    """A page that shows another one as Snakemake's report does."""
    page.write_text(f'<html><body>Report<iframe src="{data_uri_from_file(embedded)}"></iframe></body></html>')


def executed(path, figures):
    """A notebook with so many figures, as large as those of averages of jets, and a sentence at its end."""
    random = np.random.default_rng(1)
    cells = []
    for _ in range(figures):
        drawing = Figure(figsize=(14, 4), layout="constrained")
        for axes in drawing.subplots(1, 3):
            image = random.exponential(size=(125, 125)) * (random.random((125, 125)) < 0.1)
            axes.imshow(image, norm=LogNorm(1e-3, 10))
        target = path.with_suffix(".png")
        drawing.savefig(target, dpi=128)
        data = {"image/png": base64.b64encode(target.read_bytes()).decode(), "text/plain": "a figure"}
        cells.append(new_code_cell("draw()", outputs=[new_output("display_data", data)]))
    cells.append(
        new_code_cell("last", outputs=[new_output("execute_result", {"text/plain": "what it says"})])
    )
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("figures", [6, 20], ids=["without loss", "smaller"])
def test_a_browser_shows_the_notebook_inside_the_report(chromium, tmp_path, figures):
    notebook, page, report = (tmp_path / name for name in ("notebook.ipynb", "notebook.html", "report.html"))
    html(executed(notebook, figures), page)
    assert len(data_uri_from_file(page)) < IN_REPORT + 100
    assert page.read_text().count("data:image/webp") == figures
    write_report(report, page)
    assert "what it says" in chromium.text(report, "what it says")


@pytest.mark.slow
def test_a_browser_would_not_show_a_page_of_two_megabytes(chromium, tmp_path):
    """Why the other test says something."""
    page, report = tmp_path / "page.html", tmp_path / "report.html"
    for filling, shown in ((100, True), (2_000_000, False)):
        page.write_text(f"<html><body>what it says<!--{'x' * filling}--></body></html>")
        write_report(report, page)
        assert ("what it says" in chromium.text(report, "what it says")) == shown
