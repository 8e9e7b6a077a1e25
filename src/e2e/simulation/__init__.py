"""The fast simulation behind the embedded default source."""

from __future__ import annotations

from pathlib import Path


def simulate(
    path: str | Path,
    task: str,
    sample: str,
    objects: int,
    seed: int,
    progress: bool = True,
    tracks: str = "direction",
) -> None:
    """Write an RHTree ntuple of about ``objects`` objects of a task's ``sample`` to the ROOT file ``path``.

    ``tracks`` of jets lie at the ``direction`` of their momentum on the ECAL's face, or at the ``point``
    where they meet it. The file's run number is ``seed``; the same arguments give the same bytes.
    Raises E2EError for a sample that the task does not have.
    """
    # Only what is used is imported: both bring compiled code that takes seconds to load.
    if task == "electron_photon":
        from e2e.simulation import electron_photon

        electron_photon.simulate(path, sample, -(-objects // electron_photon.PARTICLES), seed, progress)
    else:
        from e2e.simulation import jets

        jets.simulate(path, task, sample, objects, seed, progress, tracks)
