"""Hadronic decays of taus, among jets of quarks and gluons."""

from __future__ import annotations

from e2e.tasks.goals import Classification
from e2e.tasks.jets import jet_task

TASK = jet_task("tau", Classification(("jet", "tau")), balance=("jetPt", "jetEta"))
