"""What each task looks at: channels, detector frame, crop, kinematics, classes.

A task is the contract between the ntuple, the sample store, the networks and the CMSSW packages;
everything that several stages must agree on is written here once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from e2e.errors import E2EError
from e2e.geometry import BARREL, DETECTOR, TOWER, Crop


@dataclass(frozen=True)
class Quantity:
    """One number of an object, and its unit."""

    name: str
    unit: str


@dataclass(frozen=True)
class Channel(Quantity):
    """One image layer: what it measures, and the unit of its values.

    A channel of ``cell`` n has one value for n x n cells of the detector frame, over which it is
    spread evenly. Which branch of an ntuple holds it is a matter of that ntuple (``e2e.data.layouts``).
    """

    cell: int = 1


@dataclass(frozen=True)
class Task:
    """Static description of a task.

    ``detector`` is the (rows, columns) of the whole-detector frame: rows run along ieta and end,
    columns run along iphi and wrap around. ``objects`` is the kind of object that is looked at,
    ``photon`` or ``jet``; its seed counts squares of ``seed_cell`` cells, of which the middle one is
    meant. ``kinematics`` are its reconstructed quantities, and generated ones to compare with, null
    where a source has none. ``classes[i]`` is the name of target ``i``; a regression has none, but
    ``target``, the quantity it measures.
    ``balance`` names the transverse momentum and the eta whose distributions the classes are given
    in common, by weights, when a network is trained and measured. ``features`` says what boosted trees are
    given to compare with.
    """

    name: str
    channels: tuple[Channel, ...]
    detector: tuple[int, int]
    crop: Crop
    objects: str
    kinematics: tuple[Quantity, ...]
    classes: tuple[str, ...] = ()
    target: Quantity | None = None
    seed_cell: int = 1
    balance: tuple[str, ...] = ()
    features: str = "jet shapes"

    @property
    def reference(self) -> str:
        """Name of what networks are compared with."""
        return f"BDT on {self.features}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an object's frame."""
        return (len(self.channels), self.crop.rows, self.crop.columns)

    def frame_shape(self, channel: Channel) -> tuple[int, int]:
        """(rows, columns) of a whole-detector frame of a channel."""
        rows, columns = self.detector
        return rows // channel.cell, columns // channel.cell


ELECTRON_PHOTON = Task(
    name="electron_photon",
    channels=(Channel("EB_energy", "GeV"), Channel("EB_time", "ns")),
    detector=BARREL,
    crop=Crop(rows=32, columns=32, seed_row=15, seed_column=15),
    objects="photon",
    kinematics=(
        Quantity("pho_pT", "GeV"),
        Quantity("pho_E", "GeV"),
        Quantity("pho_eta", "1"),
        Quantity("pho_phi", "rad"),
    ),
    classes=("photon", "electron"),
    balance=("pho_pT", "pho_eta"),
    features="shower shapes",
)

TRACK_PT = Channel("track_pT", "GeV")
TRACK_DZ = Channel("track_dz", "cm")
TRACK_D0 = Channel("track_d0", "cm")
ECAL = Channel("ECAL_energy", "GeV")
HCAL = Channel("HCAL_energy", "GeV", cell=TOWER)
PIXELS = tuple(Channel(f"BPIX_layer{layer}", "hits") for layer in (1, 2, 3))
TRACKS = (TRACK_PT, TRACK_DZ, TRACK_D0)
# Tracks nearer to the primary vertex than this along the beam count as its own (isolation of taus, arXiv
# 1809.02816).
PROMPT_DZ_CM = 0.2

JETS = Task(
    name="",
    channels=(TRACK_PT, TRACK_DZ, TRACK_D0, ECAL, HCAL, *PIXELS),
    detector=DETECTOR,
    crop=Crop(rows=125, columns=125, seed_row=62, seed_column=62),
    objects="jet",
    seed_cell=TOWER,
    kinematics=(
        Quantity("jetPt", "GeV"),
        Quantity("jetEta", "1"),
        Quantity("jetPhi", "rad"),
        Quantity("jetM", "GeV"),
    ),
)

QUARK_GLUON = replace(
    JETS,
    name="quark_gluon",
    channels=(TRACK_PT, ECAL, HCAL),
    classes=("gluon", "quark"),
    balance=("jetPt", "jetEta"),
)

MASS_REGRESSION = replace(
    JETS,
    name="mass_regression",
    kinematics=(*JETS.kinematics, Quantity("a_pt", "GeV")),
    target=Quantity("a_m", "GeV"),
)

TAU = replace(
    JETS,
    name="tau",
    classes=("jet", "tau"),
    balance=("jetPt", "jetEta"),
)

# The jets of the public set for self-supervised learning: its makers say nowhere what their classes are.
SELF_SUPERVISED = replace(
    JETS,
    name="self_supervised",
    classes=("class 0 (meaning unknown)", "class 1 (meaning unknown)"),
)

TASKS = {task.name: task for task in (ELECTRON_PHOTON, QUARK_GLUON, MASS_REGRESSION, TAU)}
CONVERTED = {
    **TASKS,
    SELF_SUPERVISED.name: SELF_SUPERVISED,
}  # the workflow and the simulation know the others


def task(name: str, channels: int | None = None) -> Task:
    """The task called ``name``, with its first ``channels`` channels (default: all).

    Raises E2EError with the names, or numbers, to choose from otherwise.
    """
    if name not in CONVERTED:
        raise E2EError(f"unknown task {name!r}; choose one of: {', '.join(CONVERTED)}")
    found = CONVERTED[name]
    if channels is None:
        return found
    if not 1 <= channels <= len(found.channels):
        raise E2EError(f"task {name} has 1 to {len(found.channels)} channels, not {channels}")
    return replace(found, channels=found.channels[:channels])
