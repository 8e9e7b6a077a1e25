"""What each task looks at: channels, detector frame, crop, seeds, classes.

A task is the contract between the ntuple, the sample store, the networks and the CMSSW packages;
everything that several stages must agree on is written here once.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e.errors import E2EError


@dataclass(frozen=True)
class Channel:
    """One image layer: the RHTree branch it is read from, and the unit of its values."""

    name: str
    unit: str


@dataclass(frozen=True)
class Crop:
    """A window of ``rows`` x ``columns`` cells with the seed at (``seed_row``, ``seed_column``)."""

    rows: int
    columns: int
    seed_row: int
    seed_column: int


@dataclass(frozen=True)
class Task:
    """Static description of a task.

    ``detector`` is the (rows, columns) of the whole-detector frame: rows run along ieta and end,
    columns run along iphi and wrap around. ``seeds`` names the branches with the (row, column) of
    each object, ``kinematics`` those with its reconstructed quantities. ``classes[i]`` is the name
    of target ``i``, and ``pdg_ids`` maps the absolute PDG code of the matched generator particle
    to the target.
    """

    name: str
    channels: tuple[Channel, ...]
    detector: tuple[int, int]
    crop: Crop
    seeds: tuple[str, str]
    kinematics: tuple[Channel, ...]
    classes: tuple[str, ...]
    pdg_ids: dict[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an object's frame."""
        return (len(self.channels), self.crop.rows, self.crop.columns)


ELECTRON_PHOTON = Task(
    name="electron_photon",
    channels=(Channel("EB_energy", "GeV"), Channel("EB_time", "ns")),
    detector=(170, 360),
    crop=Crop(rows=32, columns=32, seed_row=15, seed_column=15),
    seeds=("SC_ieta", "SC_iphi"),
    kinematics=(
        Channel("pho_pT", "GeV"),
        Channel("pho_E", "GeV"),
        Channel("pho_eta", "1"),
        Channel("pho_phi", "rad"),
    ),
    classes=("photon", "electron"),
    pdg_ids={22: 0, 11: 1},
)

TASKS = {task.name: task for task in (ELECTRON_PHOTON,)}


def task(name: str) -> Task:
    """The task called ``name``; raises E2EError with the known names otherwise."""
    try:
        return TASKS[name]
    except KeyError:
        raise E2EError(f"unknown task {name!r}; choose one of: {', '.join(TASKS)}") from None
