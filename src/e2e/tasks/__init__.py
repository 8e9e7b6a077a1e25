"""What each task looks at, one file a task: the contract between ntuple, store, networks and CMSSW packages.

A task is a module with a ``TASK`` of the module's name; dropping a file in this package is all that a new one
needs here. They are found by listing the package and imported by name, so that a step depends on the file of
its own task alone (``e2e.imports``).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module

from e2e.errors import E2EError
from e2e.geometry import Crop
from e2e.tasks.definition import Task
from e2e.tasks.domain import Domain, Range
from e2e.tasks.goals import Classification, Goal, Regression
from e2e.tasks.jets import ECAL, HCAL, PIXELS, PROMPT_DZ_CM, TRACK_D0, TRACK_DZ, TRACK_PT, TRACKS
from e2e.tasks.quantities import SEED_ETA, Channel, Quantity

__all__ = [
    "ECAL",
    "HCAL",
    "PIXELS",
    "PROMPT_DZ_CM",
    "SEED_ETA",
    "TRACKS",
    "TRACK_D0",
    "TRACK_DZ",
    "TRACK_PT",
    "Channel",
    "Classification",
    "Crop",
    "Domain",
    "Goal",
    "Quantity",
    "Range",
    "Regression",
    "Task",
    "every",
    "supervised",
    "task",
]


@cache
def every() -> dict[str, Task]:
    """All tasks by name; raises E2EError for a file that is none, and for one that contradicts itself."""
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        file = f"tasks/{name}.py"
        try:
            own = getattr(import_module(f"{__name__}.{name}"), "TASK", None)
        except Exception as error:  # whatever it does
            raise E2EError(f"{file}: cannot be read ({type(error).__name__}: {error}); mend it") from error
        if own is None:
            continue  # what several tasks share
        if own.name != name:
            raise E2EError(f"{file}: its TASK is called {own.name!r}; call both the same")
        if fault := own.fault():
            raise E2EError(f"{file}: {fault}")
        found[name] = own
    return found


def supervised() -> dict[str, Task]:
    """Those that the workflow trains for, by name."""
    return {name: task for name, task in every().items() if task.supervised}


def task(name: str, channels: int | None = None, scalars: Sequence[str] = ()) -> Task:
    """The task called ``name``, with its first ``channels`` channels (default: all), and with ``scalars``.

    Raises E2EError with the names, or numbers, to choose from otherwise.
    """
    if name not in every():
        raise E2EError(f"unknown task {name!r}; choose one of: {', '.join(every())}")
    found = every()[name].given(scalars)
    if channels is None:
        return found
    if not 1 <= channels <= len(found.channels):
        raise E2EError(f"task {name} has 1 to {len(found.channels)} channels, not {channels}")
    return replace(found, channels=found.channels[:channels])
