"""What each task looks at: channels, detector frame, crop, seeds, truth.

A task is the contract between the ntuple, the sample store, the networks and the CMSSW packages;
everything that several stages must agree on is written here once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from e2e.errors import E2EError


@dataclass(frozen=True)
class Quantity:
    """One number of an object: the RHTree branch it is read from, and its unit."""

    name: str
    unit: str


@dataclass(frozen=True)
class Channel(Quantity):
    """One image layer: the RHTree branch it is read from, and the unit of its values.

    A channel of ``cell`` n has one value for n x n cells of the detector frame, over which it is
    spread evenly. Its first column lies under column ``shift`` of the frame.
    """

    cell: int = 1
    shift: int = 0


@dataclass(frozen=True)
class Crop:
    """A window of ``rows`` x ``columns`` cells with the seed at (``seed_row``, ``seed_column``)."""

    rows: int
    columns: int
    seed_row: int
    seed_column: int


@dataclass(frozen=True)
class Truth:
    """Where the target of an object comes from: the RHTree branch with its generator truth, and its unit.

    Of a classification, ``codes`` maps the absolute value of the branch to the target; an object with
    another value has none. Without ``codes`` the positive value itself is the target, of a regression.
    """

    branch: str
    unit: str = "1"
    codes: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """Static description of a task.

    ``detector`` is the (rows, columns) of the whole-detector frame: rows run along ieta and end,
    columns run along iphi and wrap around. ``seeds`` names the branches with the (row, column) of
    each object in units of ``seed_cell`` cells, of which the middle one is meant. ``kinematics`` are
    its reconstructed quantities, and generated ones to compare with; those named in ``optional`` may
    be missing from a source. ``classes[i]`` is the name of target ``i``; a regression has none.
    ``balance`` names the transverse momentum and the eta whose distributions the classes are given
    in common, by weights, when a network is trained and measured.
    """

    name: str
    channels: tuple[Channel, ...]
    detector: tuple[int, int]
    crop: Crop
    seeds: tuple[str, str]
    kinematics: tuple[Quantity, ...]
    truth: Truth
    classes: tuple[str, ...] = ()
    seed_cell: int = 1
    optional: tuple[str, ...] = ()
    balance: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an object's frame."""
        return (len(self.channels), self.crop.rows, self.crop.columns)

    def frame_shape(self, channel: Channel) -> tuple[int, int]:
        """(rows, columns) in which an ntuple stores whole-detector frames of a channel."""
        rows, columns = self.detector
        return rows // channel.cell, columns // channel.cell


ELECTRON_PHOTON = Task(
    name="electron_photon",
    channels=(Channel("EB_energy", "GeV"), Channel("EB_time", "ns")),
    detector=(170, 360),
    crop=Crop(rows=32, columns=32, seed_row=15, seed_column=15),
    seeds=("SC_ieta", "SC_iphi"),
    kinematics=(
        Quantity("pho_pT", "GeV"),
        Quantity("pho_E", "GeV"),
        Quantity("pho_eta", "1"),
        Quantity("pho_phi", "rad"),
    ),
    truth=Truth("gen_pdgId", codes={22: 0, 11: 1}),
    classes=("photon", "electron"),
    balance=("pho_pT", "pho_eta"),
)

TRACK_PT = Channel("ECAL_tracksPt_atECALfixIP", "GeV")
TRACK_DZ = Channel("ECAL_tracksDz_atECALfixIP", "cm")
TRACK_D0 = Channel("ECAL_tracksD0_atECALfixIP", "cm")
ECAL = Channel("ECAL_energy", "GeV")
# iphi 1 of the ECAL barrel starts at -10 degrees, of the HCAL at 0: two towers further on.
HCAL = Channel("HBHE_energy", "GeV", cell=5, shift=10)
PIXELS = tuple(Channel(f"BPIX_layer{layer}_ECAL_atPV", "hits") for layer in (1, 2, 3))

JETS = Task(
    name="",
    channels=(TRACK_PT, TRACK_DZ, TRACK_D0, ECAL, HCAL, *PIXELS),
    detector=(280, 360),
    crop=Crop(rows=125, columns=125, seed_row=62, seed_column=62),
    seeds=("jetSeed_ieta", "jetSeed_iphi"),
    seed_cell=5,
    kinematics=(
        Quantity("jetPt", "GeV"),
        Quantity("jetEta", "1"),
        Quantity("jetPhi", "rad"),
        Quantity("jetM", "GeV"),
    ),
    optional=("jetM",),
    truth=Truth(""),
)

QUARK_GLUON = replace(
    JETS,
    name="quark_gluon",
    channels=(TRACK_PT, ECAL, HCAL),
    truth=Truth("jetPdgIds", codes={21: 0, 1: 1, 2: 1, 3: 1}),
    classes=("gluon", "quark"),
    balance=("jetPt", "jetEta"),
)

MASS_REGRESSION = replace(
    JETS,
    name="mass_regression",
    kinematics=(*JETS.kinematics, Quantity("a_pt", "GeV")),
    optional=("jetM", "a_pt"),
    truth=Truth("a_m", "GeV"),
)

TAU = replace(
    JETS,
    name="tau",
    truth=Truth("jet_IsTau", codes={0: 0, 1: 1}),
    classes=("jet", "tau"),
    balance=("jetPt", "jetEta"),
)

TASKS = {task.name: task for task in (ELECTRON_PHOTON, QUARK_GLUON, MASS_REGRESSION, TAU)}


def task(name: str, channels: int | None = None) -> Task:
    """The task called ``name``, with its first ``channels`` channels (default: all).

    Raises E2EError with the names, or numbers, to choose from otherwise.
    """
    if name not in TASKS:
        raise E2EError(f"unknown task {name!r}; choose one of: {', '.join(TASKS)}")
    found = TASKS[name]
    if channels is None:
        return found
    if not 1 <= channels <= len(found.channels):
        raise E2EError(f"task {name} has 1 to {len(found.channels)} channels, not {channels}")
    return replace(found, channels=found.channels[:channels])
