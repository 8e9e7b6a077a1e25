"""The fast simulation behind the embedded default source."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from e2e import tasks
from e2e.data.parts import PARTS
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
    detector_seed: int = 0,
    part: str | None = None,
    pt: Sequence[float] | None = None,
) -> None:
    """Write an RHTree ntuple of about ``objects`` objects of a task's ``sample`` to the ROOT file ``path``.

    ``tracks`` of jets lie at the ``direction`` of their momentum on the ECAL's face, or at the ``point``
    where they meet it. ``pileup`` of jets is taken from the collisions in this file (of
    ``pileup_pool.write``), by default from a few that are made for this ntuple, always the same. The file's
    run number is ``seed``; the same arguments give the same bytes.

    Generated particles follow from ``seed`` alone: with another ``detector`` than CMS's, or another
    ``detector_seed``, events of equal identity are the same particles once more. ``pt`` is the transverse
    momentum of electrons and photons in GeV, or the ends of a spectrum, by default those of the task. With a
    ``part`` of the split only its events are written.
    Raises E2EError for a sample that the task does not have, no objects, a seed that is no run number, a
    pool or a momentum that is none or not used, and where ``path`` is no place for an ntuple.
    """
    if part is not None and part not in PARTS:
        raise E2EError(f"{path}: no part {part!r}; choose one of: {', '.join(PARTS)}")
    if objects < 1 or not 1 <= seed < 2**32:
        raise E2EError(
            f"{path}: {objects} objects with seed {seed}; give objects >= 1 and 1 <= seed < 2^32, since the "
            "seed is the run number, too"
        )
    if not (0 <= detector.material < 100 and 0 <= detector.pileup_mean < 1000 and 0 <= detector_seed < 2**32):
        raise E2EError(
            f"{path}: material of {detector.material:g}, pileup of {detector.pileup_mean:g}, detector seed "
            f"{detector_seed}; give 0 <= material < 100, 0 <= pileup < 1000, 0 <= seed < 2^32"
        )
    asked = tasks.task(task)
    made = asked.simulation
    if made is None or sample not in made.samples:
        known = ", ".join(made.samples) if made else "none, for nothing simulates it"
        raise E2EError(f"{path}: unknown sample {sample!r} of task {task!r}; it has: {known}")
    # Only what is used is imported: all bring compiled code that takes seconds to load.
    from e2e.data.ntuple import SIMULATED

    output_path(path, kind=SIMULATED)
    options: dict[str, Any] = {
        "progress": progress,
        "tracks": tracks,
        "detector": detector,
        "detector_seed": detector_seed,
        "part": part,
    }
    if made.pt:
        options["pt"] = pt or made.pt
    elif pt:
        raise E2EError(f"{path}: momenta of task {task!r} are those of its collisions; give none for it")
    if made.pooled:
        from e2e.simulation.pileup_pool import FEW, Pileup, generate, read

        collisions = read(pileup) if pileup else generate(FEW, progress=progress)
        options["pileup"] = Pileup(collisions, sample, seed, detector_seed)
    else:
        if pileup:
            raise E2EError(
                f"{path}: pileup of task {task!r} is made anew for each event; name no pool for it"
            )
        options["sample"] = sample
    module = import_module(f"{__name__}.{made.module}")
    module.simulate(path, asked, made.samples[sample], objects, seed, **options)
