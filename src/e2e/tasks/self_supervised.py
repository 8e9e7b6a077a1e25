"""The jets of the public set for self-supervised learning: its makers say nowhere what their classes are."""

from __future__ import annotations

from dataclasses import replace

from e2e.tasks.jets import JETS

TASK = replace(
    JETS,
    name="self_supervised",
    classes=("class 0 (meaning unknown)", "class 1 (meaning unknown)"),
    supervised=False,
)
