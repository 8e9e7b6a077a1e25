"""Jets of quarks and of gluons."""

from __future__ import annotations

from e2e.tasks.goals import Classification
from e2e.tasks.jets import ECAL, HCAL, TRACK_PT, jet_task

TASK = jet_task(
    "quark_gluon",
    Classification(("gluon", "quark")),
    channels=(TRACK_PT, ECAL, HCAL),
    balance=("jetPt", "jetEta"),
)
