"""What `make demo` gives, beside what it gave where the reference was made: the table in docs/demo.md.

python -m e2e.demo results/demo docs/demo.md           prints both, and what differs
python -m e2e.demo --write results/demo docs/demo.md   makes the table anew
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from e2e.errors import E2EError
from e2e.files import read_json, whole

HEAD = "| task | model | quantity | value | tolerance |\n| --- | --- | --- | --- | --- |\n"
QUANTITIES = {"auc": "AUC", "mean_absolute_error": "mean absolute error [GeV]"}
FOLDER, REFERENCE, TREES, OBJECTS = "bdt", "reference", "trees", "test objects"
SHARE = 0.01  # of the test objects: what rounding on another processor may do to the simulation


class Key(NamedTuple):
    """Which number of which model."""

    task: str
    model: str
    quantity: str


class Number(NamedTuple):
    """What was measured, and how far another run may be from it."""

    value: float
    tolerance: float


def measured(run: Path) -> dict[Key, Number]:
    """The numbers of a run. Their tolerance is half of the 95 % interval.

    That is how far they are known at all, from a finite test part. A training on another processor rounds
    differently, and is soon one of other random numbers.
    """
    found = {}
    for path in sorted(run.glob("*/*/metrics.json")):
        metrics, (task, model) = read_json(path), path.parts[-3:-1]
        if model != FOLDER:
            found |= _merit(task, model, metrics)
            continue
        found |= _merit(task, REFERENCE, metrics) | _merit(task, TREES, metrics["others"][TREES])
        objects = metrics["objects"]["test"]  # the same for all models of a task
        found[Key(task, REFERENCE, OBJECTS)] = Number(objects, SHARE * objects)
    if not found:
        raise E2EError(f"{run}: holds no results of a model; make them with `make demo`")
    return found


def _merit(task: str, model: str, metrics: Mapping[str, Any]) -> dict[Key, Number]:
    """The figure of merit of a model."""
    found = {}
    for name, quantity in QUANTITIES.items():
        if name in metrics:
            low, high = metrics[name]["interval_95"]
            found[Key(task, model, quantity)] = Number(metrics[name]["value"], (high - low) / 2)
    return found


def reference(page: Path) -> dict[Key, Number]:
    """The numbers in the table of a page."""
    return {
        Key(*row[:3]): Number(float(row[3]), float(row[4]))
        for row in ([cell.strip() for cell in line.split("|")[1:-1]] for line in _split(page)[1])
    }


def write(run: Path, page: Path) -> None:
    """Replace the table of a page by the numbers of a run."""
    before, _, after = _split(page)
    rows = [
        f"| {' | '.join(key)} | {number.value:.4g} | {number.tolerance:.2g} |"
        for key, number in measured(run).items()
    ]
    with whole(page) as scratch:
        scratch.write_text(before + HEAD + "\n".join(rows) + "\n" + after)


def _split(page: Path) -> tuple[str, list[str], str]:
    """Text before the table of a page, the rows of the table, and the text after it."""
    before, head, rest = page.read_text().partition(HEAD)
    if not head:
        raise E2EError(f"{page}: has no table with the columns {HEAD.splitlines()[0]}")
    lines = rest.splitlines(keepends=True)
    length = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return before, lines[:length], "".join(lines[length:])


def compare(run: Path, page: Path) -> tuple[str, bool]:
    """A table of a run beside the reference, as text, and whether all is within the tolerances."""
    here, lines, differing = measured(run), [], 0
    for key, expected in reference(page).items():
        found = here.get(key)
        as_expected = found is not None and abs(found.value - expected.value) <= expected.tolerance
        differing += not as_expected
        value = f"{found.value:.4g}" if found else "not run"
        lines.append(
            f"  {key.task:16} {key.model:12} {key.quantity:26} {value:>8}  "
            f"{f'{expected.value:.4g}':>6} ± {expected.tolerance:<7.2g}{'' if as_expected else ' differs'}"
        )
    verdict = (
        f"{differing} of {len(lines)} numbers differ from the reference: see {page}"
        if differing
        else "All numbers are as in the reference."
    )
    head = f"  {'task':16} {'model':12} {'quantity':26} {'here':>8}  reference"
    return "\n".join([head, *lines, verdict]), not differing


def main(arguments: list[str] | None = None) -> int:
    """Compare, or write. A difference ends with 0, too: the results are there, and may be meant so."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="make the table of the page anew")
    parser.add_argument("run", type=Path, help="results/demo")
    parser.add_argument("page", type=Path, help="docs/demo.md")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.write:
            write(chosen.run, chosen.page)
        else:
            print(compare(chosen.run, chosen.page)[0])
    except E2EError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
