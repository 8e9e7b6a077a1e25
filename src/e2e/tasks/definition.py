"""What a task is: a kind of object, what is looked at of it, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from e2e.errors import E2EError
from e2e.geometry import OUTWARD, Crop
from e2e.tasks.goals import Goal
from e2e.tasks.quantities import KIND, SEED_ETA, Channel, Quantity
from e2e.tasks.simulation import Simulation
from e2e.tasks.working_points import WorkingPoints


@dataclass(frozen=True)
class Task:
    """Static description of a task.

    ``detector`` is the (rows, columns) of the whole-detector frame: rows run along ieta and end,
    columns run along iphi and wrap around. The ``crop`` is what is cut out of an ntuple; crops that come
    without their detector may be turned otherwise (``oriented``). ``objects`` is the kind of object that is
    looked at, ``photon`` or ``jet``; its seed counts squares of ``seed_cell`` cells, of which the middle one
    is meant. ``kinematics`` are its reconstructed quantities, and generated ones to compare with, null
    where a source has none; those of the unit ``KIND`` tell of what kind the generated object is.
    ``offered`` names those of them, or ``seed_eta``, that a network may take beside the frame, and
    ``scalars`` are those that one takes (``given``). ``goal`` is what is asked of an object, and what its
    target means.
    ``balance`` names the transverse momentum and the eta whose distributions the classes are given in
    common, by weights, when a network is trained and measured. ``features`` names what the reference is
    given: the file of ``e2e.data`` that computes it. ``truth`` says what the branches of
    truth in ntuples mean: the class of each value, or None where the value is the target itself.
    ``fewest`` is how many of the first channels are enough, and by default taken in a run; without, all
    are needed. ``simulation`` makes it, where anything does, ``working_points`` are those at which its
    models are measured, if at any, and ``shown`` are the rows and columns on either side of a seed that a
    figure of an object shows; none of them changes what is learned, so they do not belong to what a task is
    printed as, by which steps are repeated (``e2e.imports``). ``supervised``
    is false of objects to learn from without targets: these are converted, but neither simulated nor
    trained for.
    """

    name: str
    channels: tuple[Channel, ...]
    detector: tuple[int, int]
    crop: Crop
    objects: str
    kinematics: tuple[Quantity, ...]
    goal: Goal
    offered: tuple[str, ...] = ()
    scalars: tuple[Quantity, ...] = ()
    seed_cell: int = 1
    balance: tuple[str, ...] = ()
    features: str = "jet shapes"
    truth: Mapping[str, Mapping[int, str] | None] = field(default_factory=dict, hash=False)
    fewest: int | None = None
    supervised: bool = True
    simulation: Simulation | None = field(default=None, repr=False, hash=False)
    working_points: WorkingPoints | None = field(default=None, repr=False, hash=False)
    shown: tuple[int, int] = field(default=(20, 20), repr=False)

    def fault(self) -> str | None:
        """What contradicts itself in what a task says, and what would be right."""
        classes = ", ".join(self.classes) or "none"
        for branch, meaning in self.truth.items():
            if unknown := sorted(set(meaning.values() if meaning else ()) - set(self.classes)):
                return f"truth {branch} names no class {unknown[0]!r}; it has: {classes}"
            if not meaning and self.classes:
                return f"truth {branch} says of no value which class it is; map each to one"
        known = {quantity.name for quantity in self.kinematics}
        if len(self.balance) not in (0, 2) or not known.issuperset(self.balance):
            return f"balance is {self.balance}; name a momentum and an eta of its kinematics, or nothing"
        if unknown := sorted(set(self.offered) - known - {SEED_ETA.name}):
            return (
                f"offered names {unknown[0]!r}, which is none of its kinematics: {', '.join(sorted(known))}"
            )
        if self.crop.outward and (signed := [c.name for c in self.channels if c.unit == "cm"]):
            return (
                f"crop is outward, but turning would change the sign of {signed[0]}; leave crops as they are"
            )
        if self.fewest is not None and not 1 <= self.fewest <= len(self.channels):
            return f"fewest is {self.fewest}; it has {len(self.channels)} channels"
        faults = (
            self.goal.fault(),
            self.simulation.fault() if self.simulation else None,
            self.working_points.fault(self.classes, self.balance) if self.working_points else None,
        )
        return next(filter(None, faults), None)

    @property
    def reference(self) -> str:
        """Name of what networks are compared with: the best that was found to learn from the features."""
        return f"reference on {self.features}"

    @property
    def trees(self) -> str:
        """Name of the plain boosted trees that stand beside it."""
        return f"trees on {self.features}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the targets, from 0 on; none of a regression."""
        return self.goal.classes

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinematics that are no quantity to draw or to bin: they tell objects' kinds apart."""
        return tuple(quantity.name for quantity in self.kinematics if quantity.unit == KIND)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an object's frame."""
        return (len(self.channels), self.crop.rows, self.crop.columns)

    def oriented(self, orientation: str | None) -> Task:
        """The same, with crops of ``orientation``, as a store or a contract says: ``outward``, or None."""
        return replace(self, crop=replace(self.crop, outward=orientation == OUTWARD))

    def given(self, scalars: Sequence[str]) -> Task:
        """The same for a network that takes these scalars, in this order; raises E2EError for others."""
        if unknown := [name for name in scalars if name not in self.offered]:
            offered = ", ".join(self.offered) or "none"
            raise E2EError(f"task {self.name} offers no scalar {unknown[0]!r}; it offers: {offered}")
        if len({*scalars}) < len(scalars):
            raise E2EError(f"scalars {', '.join(scalars)}: one is there twice; name each once")
        known = {quantity.name: quantity for quantity in (SEED_ETA, *self.kinematics)}
        return replace(self, scalars=tuple(known[name] for name in scalars))

    def frame_shape(self, channel: Channel) -> tuple[int, int]:
        """(rows, columns) of a whole-detector frame of a channel."""
        rows, columns = self.detector
        return rows // channel.cell, columns // channel.cell
