"""Collisions by Pythia 8, as flat arrays: visible particles, and what of the truth the samples need.

Lengths in cm, energies in GeV, angles in rad. Pythia's default tune (Monash 2013, arXiv 1404.5630).
Particles fly until they decay or leave the tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

# Columns of a particle: what it is, its charge, its momentum, and where it was born.
KIND, CHARGE, PX, PY, PZ, ENERGY, X, Y, Z = range(9)
PHOTON, ELECTRON, MUON, CHARGED_HADRON, NEUTRAL_HADRON = range(1, 6)

# Columns of a generated object: PDG code, transverse momentum, direction, mass, and of a tau its charged
# daughters and neutral pions.
CODE, PT, ETA, PHI, MASS, PRONGS, PI0S = range(7)

QUIET = ("Print:quiet = on", "Random:setSeed = on")
_BEAMS = ("Beams:eCM = 8000.",)  # GeV, 2012
# The volume in which decays matter: the tracker, JINST 3 S08004 (mm).
_DECAYS = ("ParticleDecays:limitCylinder = on", "ParticleDecays:xyMax = 1100.", "ParticleDecays:zMax = 2800.")
_BATCH = 50

_KINDS = {22: PHOTON, 11: ELECTRON, 13: MUON}
_NEUTRINOS = (12, 14, 16)
_PI0 = 111
# Softer or more forward particles leave nothing in the images: no tracks, and no energy above thresholds.
_MINIMUM_PT, _MAXIMUM_ETA = 0.2, 3.2

Record = dict[str, NDArray]


@dataclass(frozen=True)
class Collision:
    """Visible ``particles`` [n, 9] of a vertex at the origin, and the generated ``objects`` [m, 7]."""

    particles: NDArray[np.float64]
    objects: NDArray[np.float64]


def pythia(seed: int, settings: Sequence[str]) -> pythia8mc.Pythia:
    """An initialised generator."""
    generator = pythia8mc.Pythia("", False)
    for line in (*QUIET, f"Random:seed = {seed % 900_000_000 + 1}", *_DECAYS, *settings):
        if not generator.readString(line):
            raise ValueError(f"Pythia does not know the setting {line!r}")
    if not generator.init():
        raise RuntimeError(f"Pythia cannot be initialised with {', '.join(settings)}")
    return generator


def hard_collisions(seed: int, settings: Sequence[str]) -> Iterator[Collision]:
    """Proton-proton collisions without end; their objects are what leaves the hard process but neutrinos."""
    for record in _records(seed, settings):
        outgoing = (np.abs(record["status"]) == 23) & ~np.isin(np.abs(record["id"]), _NEUTRINOS)
        yield Collision(visible(record), _objects(record, np.flatnonzero(outgoing)))


def tau_collisions(seed: int, settings: Sequence[str]) -> Iterator[Collision]:
    """Proton-proton collisions without end; their objects are hadronic taus without the neutrinos."""
    for record in _records(seed, settings):
        yield Collision(visible(record), visible_taus(record))


def minimum_bias(
    seed: int, events: int, advance: Callable[[], object] = lambda: None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Particles [n, 9] of ``events`` inelastic collisions, and the offset of each in them [events + 1].

    ``advance`` is called after each.
    """
    records = _records(seed, ("SoftQCD:inelastic = on",))
    found = []
    for _ in range(events):
        found.append(visible(next(records)))
        advance()
    return np.concatenate(found), np.cumsum([0, *map(len, found)])


def _records(seed: int, settings: Sequence[str]) -> Iterator[Record]:
    """The record of each collision: columns id, status, mother, charge, m, px, py, pz, e, x, y, z."""
    generator = pythia(seed, (*_BEAMS, *settings))
    while True:
        batch = generator.nextBatch(_BATCH).prt
        offsets = np.cumsum([0, *ak.num(batch)])
        flat = ak.flatten(batch)
        columns = {
            "id": ak.to_numpy(flat.id),
            "status": ak.to_numpy(flat.status),
            "mother": ak.to_numpy(flat.mother1),
            "m": ak.to_numpy(flat.m),
            **{name: ak.to_numpy(flat.p[name]) for name in ("px", "py", "pz", "e")},
            # Missing where it is the origin; Pythia's unit is mm.
            **{
                name[1]: 0.1 * ak.to_numpy(ak.fill_none(flat.vProd[name], 0.0)) for name in ("px", "py", "pz")
            },
        }
        columns["charge"] = charges(columns["id"])
        for start, stop in pairwise(offsets):
            yield {name: column[start:stop] for name, column in columns.items()}


def visible(record: Record) -> NDArray[np.float64]:
    """The stable particles [n, 9] that a detector can see."""
    code = np.abs(record["id"])
    pt = np.hypot(record["px"], record["py"])
    keep = (record["status"] > 0) & ~np.isin(code, _NEUTRINOS) & (pt > _MINIMUM_PT)
    keep &= np.abs(record["pz"]) < pt * np.sinh(_MAXIMUM_ETA)
    kind = np.where(record["charge"] != 0, CHARGED_HADRON, NEUTRAL_HADRON)
    for known, its_kind in _KINDS.items():
        kind[code == known] = its_kind
    columns = (kind, *(record[name] for name in ("charge", "px", "py", "pz", "e", "x", "y", "z")))
    return np.stack(columns, axis=1)[keep].astype(np.float64)


def visible_taus(record: Record) -> NDArray[np.float64]:
    """The taus [n, 7] that decay to hadrons, without their neutrinos."""
    code, mother = np.abs(record["id"]), record["mother"]
    neutrinos = np.flatnonzero((code == 16) & (code[mother] == 15))
    leptons = mother[((code == 12) | (code == 14)) & (code[mother] == 15)]
    neutrinos = neutrinos[~np.isin(mother[neutrinos], leptons)]
    taus = mother[neutrinos]
    momentum = np.stack(
        [record[name][taus] - record[name][neutrinos] for name in ("px", "py", "pz", "e")], axis=1
    )
    found = objects(record["id"][taus], momentum)
    for row, tau in zip(found, taus, strict=True):
        daughters = mother == tau
        row[PRONGS] = np.count_nonzero(record["charge"][daughters])
        row[PI0S] = np.count_nonzero(code[daughters] == _PI0)
    return found


def _objects(record: Record, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    momentum = np.stack([record[name][chosen] for name in ("px", "py", "pz", "e")], axis=1)
    return objects(record["id"][chosen], momentum)


def objects(code: NDArray[np.integer], momentum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Generated objects [n, 7] of PDG codes and momenta (px, py, pz, E) [n, 4]; without daughters."""
    px, py, pz, energy = momentum.T
    pt = np.hypot(px, py)
    mass = np.sqrt(np.maximum(energy**2 - pt**2 - pz**2, 0.0))
    eta, phi, none = np.arcsinh(pz / np.maximum(pt, 1e-9)), np.arctan2(py, px), np.zeros(len(pt))
    return np.stack([code, pt, eta, phi, mass, none, none], axis=1)


def charges(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Electric charges of PDG codes, in units of the positron's."""
    unique, inverse = np.unique(codes, return_inverse=True)
    return np.array([_charge(int(code)) for code in unique])[inverse]


@cache
def _charge(code: int) -> float:
    return _particle_data().chargeType(code) / 3.0


@cache
def _particle_data() -> pythia8mc.ParticleData:
    return pythia8mc.Pythia("", False).particleData
