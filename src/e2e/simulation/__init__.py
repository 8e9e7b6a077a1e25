"""The fast simulation behind the embedded default source."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from e2e import tasks
from e2e.errors import E2EError
from e2e.files import output_path
from e2e.simulation.detector import NOMINAL, Detector


def simulate(
    path: str | Path,
    task: str,
    sample: str,
    objects: int,
    seed: int,
    progress: bool = True,
    tracks: str = "direction",
    pileup: str | Path | None = None,
    detector: Detector = NOMINAL,
) -> None:
    """Write an RHTree ntuple of about ``objects`` objects of a task's ``sample`` to the ROOT file ``path``.

    ``tracks`` of jets lie at the ``direction`` of their momentum on the ECAL's face, or at the ``point``
    where they meet it. ``pileup`` of jets is taken from the collisions in this file (of
    ``pileup_pool.write``), by default from a few that are made for this ntuple, always the same. Particles
    meet CMS's ``detector`` or a changed one. The file's run number is ``seed``; the same arguments give the
    same bytes.
    Raises E2EError for a sample that the task does not have, no objects, a seed that is no run number, a
    pool that is none or not used, and where ``path`` is no place for an ntuple.
    """
    if objects < 1 or not 1 <= seed < 2**32:
        raise E2EError(
            f"{path}: {objects} objects with seed {seed}; give objects >= 1 and 1 <= seed < 2^32, since the "
            "seed is the run number, too"
        )
    asked = tasks.task(task)
    made = asked.simulation
    if made is None or sample not in made.samples:
        known = ", ".join(made.samples) if made else "none, for nothing simulates it"
        raise E2EError(f"{path}: unknown sample {sample!r} of task {task!r}; it has: {known}")
    # Only what is used is imported: all bring compiled code that takes seconds to load.
    from e2e.data.ntuple import SIMULATED

    output_path(path, kind=SIMULATED)
    options: dict[str, Any] = {"progress": progress, "tracks": tracks, "detector": detector}
    if made.pooled:
        from e2e.simulation.pileup_pool import FEW, Pileup, generate, read

        collisions = read(pileup) if pileup else generate(FEW, progress=progress)
        options["pileup"] = Pileup(collisions, sample, seed)
    elif pileup:
        raise E2EError(f"{path}: pileup of task {task!r} is made anew for each event; name no pool for it")
    module = import_module(f"{__name__}.{made.module}")
    module.simulate(path, asked, made.samples[sample], objects, seed, **options)
