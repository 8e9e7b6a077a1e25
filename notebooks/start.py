"""What every notebook starts with: the library of this checkout, and the results that it reads."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Also in an environment into which the library was not installed.
sys.path.insert(0, str(REPOSITORY / "src"))

import matplotlib  # noqa: E402

from e2e.report.notebooks.results import Results, latest  # noqa: E402

# Two panels side by side, 14 inches, are as wide as the page.
matplotlib.rcParams["figure.dpi"] = 64


def results_of(task, snakemake=None):
    """Results of a task: those that the workflow asks for; by hand, those of the run that was made last."""
    if snakemake is None:
        return Results(latest(REPOSITORY / "results", task))
    return Results(Path(snakemake.output[0]).parent, snakemake.params.models)
