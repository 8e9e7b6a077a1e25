"""The jets of the public set for self-supervised learning: its makers say nowhere what their classes are."""

from __future__ import annotations

from e2e.tasks.goals import Classification
from e2e.tasks.jets import jet_task

TASK = jet_task(
    "self_supervised",
    Classification(("class 0 (meaning unknown)", "class 1 (meaning unknown)")),
    supervised=False,
)
