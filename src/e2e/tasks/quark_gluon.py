"""Jets of quarks and of gluons."""

from __future__ import annotations

from dataclasses import replace

from e2e.tasks.jets import ECAL, HCAL, JETS, TRACK_PT

TASK = replace(
    JETS,
    name="quark_gluon",
    channels=(TRACK_PT, ECAL, HCAL),
    classes=("gluon", "quark"),
    balance=("jetPt", "jetEta"),
)
