"""Hadronic decays of taus, among jets of quarks and gluons."""

from __future__ import annotations

from dataclasses import replace

from e2e.tasks.jets import JETS

TASK = replace(
    JETS,
    name="tau",
    classes=("jet", "tau"),
    balance=("jetPt", "jetEta"),
)
