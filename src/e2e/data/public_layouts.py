"""The layouts of public image files: which column holds what, in which unit, and what its labels mean.

===============  =======  ================================================  =================================
layout           format   images                                            other columns
===============  =======  ================================================  =================================
electron_photon  HDF5     ``X`` [N, 32, 32, 2] in units of 50 GeV, 50 ns    ``y``
quark_gluon      parquet  ``X_jets`` [3][125][125]                          ``pt``, ``m0``, ``y``
mass             parquet  ``X_jet`` [4, 5, 8 or 9][125][125]                ``am`` or ``m``; optional ``apt``,
                                                                            ``pt``, ``m0``, ``ieta``, ``iphi``
self_supervised  HDF5     ``jet`` [N, 125, 125, 8]                          optional ``Y``, ``m``, ``pT``
===============  =======  ================================================  =================================

Other columns (the ``y`` of jets with a mass) have no place in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from e2e.geometry import DIRECTION, VERTEX
from e2e.tasks import ECAL, HCAL, TRACK_PT
from e2e.tasks.jets import CHANNELS

SIGNIFICANT = (
    3  # standard errors between two means that tell quarks from gluons, or a seed from its neighbours
)

# What labels mean: of their column's name, their values [N] and kinematics by name, targets float32 [N], NaN
# where there is none, and a note.
Meaning = Callable[[str, NDArray, Mapping[str, NDArray]], tuple[NDArray[np.float32], str]]


def mass(name: str, values: NDArray, _: Mapping[str, NDArray]) -> tuple[NDArray[np.float32], str]:
    """Masses; one that is not positive is none."""
    return np.where(values > 0, values, np.nan).astype(np.float32), f"{name} [GeV]"


def photon_or_electron(
    name: str, values: NDArray, _: Mapping[str, NDArray]
) -> tuple[NDArray[np.float32], str]:
    """Flags as their makers document them."""
    note = f"{name} = 0 is photon, {name} = 1 is electron, as documented"
    return values.astype(np.float32), note


def unknown(name: str, values: NDArray, _: Mapping[str, NDArray]) -> tuple[NDArray[np.float32], str]:
    """Flags of which their makers do not say what they mean."""
    return values.astype(np.float32), f"{name}, of which nobody says what its classes 0 and 1 are"


def quark_or_gluon(
    name: str, values: NDArray, kinematics: Mapping[str, NDArray]
) -> tuple[NDArray[np.float32], str]:
    """Target 0 for gluons, 1 for quarks. Sources disagree on the labels, but gluon jets are heavier."""
    heavy = kinematics["jetM"].astype(np.float64)
    gluon, reason = 0, "as documented: one label alone does not tell"
    masses = [heavy[(values == code) & np.isfinite(heavy)] for code in (0, 1)]
    if min(map(len, masses)) > 1:
        means = [float(np.mean(found)) for found in masses]
        error = np.hypot(*(np.std(found) / np.sqrt(len(found)) for found in masses))
        told = abs(means[1] - means[0]) > SIGNIFICANT * error
        gluon = int(told and means[1] > means[0])
        reason = "by the mean m0" if told else "as documented: the mean m0 does not tell"
        reason += f" ({means[0]:.4g} GeV for {name} = 0, {means[1]:.4g} GeV for {name} = 1)"
    note = f"{name} = {gluon} is gluon, {name} = {1 - gluon} is quark, {reason}"
    return (values != gluon).astype(np.float32), note


@dataclass(frozen=True)
class Layout:
    """How one kind of public file holds the objects of ``task``.

    ``image`` is the column of images, whose number of channels is one of ``channels`` and whose values
    times ``factors`` are in the units of the task's channels. ``holds`` names all channels that such a
    file may have. The target is the first of the columns ``targets`` that is there, which one has to be if
    the layout is ``labelled``, and is 0 or 1 if it holds ``flags``; ``meaning`` says what it means.
    ``kinematics`` maps columns to quantities of the task; those in ``required`` are never missing. ``at``
    are the columns of the seed's row and column in the detector. ``seeds``:
    rows and columns in which a seed may lie, where crops were cut in several ways. ``tracks``: where tracks
    lie, see ``Metadata``. ``notes`` go into the metadata.
    """

    name: str
    task: str
    image: str
    channels: tuple[int, ...]
    holds: tuple[str, ...]
    targets: tuple[str, ...]
    meaning: Meaning
    flags: bool = True
    labelled: bool = True
    factors: tuple[float, ...] = ()
    kinematics: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    tracks: str | None = None
    notes: dict[str, str] = field(default_factory=dict)


JET = {"pt": "jetPt", "m0": "jetM"}
JET_LAYERS = (*(channel.name for channel in CHANNELS), "BPIX_layer4")
LAYOUTS = (
    Layout(
        name="electron_photon",
        task="electron_photon",
        image="X",
        channels=(2,),
        holds=("EB_energy", "EB_time"),
        targets=("y",),
        meaning=photon_or_electron,
        factors=(50.0, 50.0),
        seeds=(15, 16),
    ),
    Layout(
        name="quark_gluon",
        task="quark_gluon",
        image="X_jets",
        channels=(3,),
        holds=(TRACK_PT.name, ECAL.name, HCAL.name),
        targets=("y",),
        meaning=quark_or_gluon,
        kinematics=JET,
        required=("pt", "m0"),
        tracks=VERTEX,
    ),
    Layout(
        name="mass",
        task="mass_regression",
        image="X_jet",
        channels=(4, 5, 8, 9),
        holds=JET_LAYERS,
        targets=("am", "m"),
        meaning=mass,
        flags=False,
        kinematics={**JET, "apt": "a_pt"},
        at=("ieta", "iphi"),
        tracks=DIRECTION,
    ),
    Layout(
        name="self_supervised",
        task="self_supervised",
        image="jet",
        channels=(8,),
        holds=JET_LAYERS,
        targets=("Y",),
        meaning=unknown,
        labelled=False,
        kinematics={"pT": "jetPt", "m": "jetM"},
        tracks=DIRECTION,
        notes={
            "jetM": "m, which those who use the set call the jet's mass: its makers do not say what it is"
        },
    ),
)
