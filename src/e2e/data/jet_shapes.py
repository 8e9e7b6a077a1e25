"""Jet shapes of a crop: what an analysis of jets computes by hand, as input of the reference.

Distances are those in the plane of eta and phi, energies in GeV. Each layer in GeV (tracks by their
transverse momentum, ECAL, HCAL) is described by sum, multiplicity, momentum dispersion pTD, widths along
the two axes of its ellipse and the share in rings around the jet's axis: the variables of CMS's
quark-gluon likelihood (CMS-PAS-JME-13-002), and of isolation and core that tau identification uses
(CMS-TAU-16-003).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.geometry import CELL, DETECTOR, JET_RADIUS, TOWER, Crop, row_eta
from e2e.tasks import ECAL, HCAL, PIXELS, PROMPT_DZ_CM, TRACK_D0, TRACK_DZ, TRACK_PT, Channel

RINGS = (0.0, 0.05, 0.1, 0.2, 0.3, JET_RADIUS)
LEADING = 3  # towers that are described one by one
COUNTED_PT = 1.0  # GeV: softer tracks lie far from where they began, and most are of the underlying event


@dataclass(frozen=True)
class Layer:
    """Hits of one channel of N objects: object, place from the seed in eta and phi, cell, value."""

    objects: int
    owner: NDArray[np.integer]
    cell: NDArray[np.integer]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    value: NDArray[np.float64]

    def sum(self, weights: NDArray, where: NDArray | None = None) -> NDArray[np.float64]:
        """Sums [N] of ``weights`` of the hits, of those in the mask ``where`` if given."""
        owner = self.owner if where is None else self.owner[where]
        return np.bincount(owner, weights if where is None else weights[where], self.objects)


def features(samples: Samples, crop: Crop) -> dict[str, NDArray[np.float64]]:
    """What boosted trees are given of jets."""
    return jet_shapes(samples, crop)


def jet_shapes(samples: Samples, crop: Crop) -> dict[str, NDArray[np.float64]]:
    """Features [N] by name of jets with the seed where ``crop`` says.

    All are made from the hits that a network sees too; of the reconstructed jet only eta is used, to
    turn energies into momenta. A feature without meaning for an object (no track, one tower) is NaN.
    """
    layers = {channel: _layer(samples, crop, number) for number, channel in enumerate(samples.channels)}
    energies = {
        name: layers[channel]
        for name, channel in {"tracks": TRACK_PT, "ECAL": ECAL, "HCAL": HCAL}.items()
        if channel in layers
    }
    features = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        axis = _axis(energies)
        for name, layer in energies.items():
            features |= {f"{name} {what}": value for what, value in _shape(layer, *axis).items()}
        features |= _towers(energies, crop)
        features |= _masses(energies, _jet_eta(samples))
        features |= _impact(layers)
    return features | {
        channel.name: layers[channel].sum(layers[channel].value) for channel in PIXELS if channel in layers
    }


def _layer(samples: Samples, crop: Crop, number: int) -> Layer:
    cells = crop.rows * crop.columns
    first, last = number * cells, (number + 1) * cells
    chosen = (samples.index >= first) & (samples.index < last)
    cell = samples.index[chosen].astype(np.int64) - first
    row, column = np.divmod(cell, crop.columns)
    return Layer(
        objects=len(samples),
        owner=np.repeat(np.arange(len(samples)), np.diff(samples.offsets))[chosen],
        cell=cell,
        eta=(row - crop.seed_row) * CELL,
        phi=(column - crop.seed_column) * CELL,
        value=samples.value[chosen].astype(float),
    )


def _axis(energies: dict[str, Layer]) -> tuple[NDArray, NDArray]:
    """Place [N], from the seed, of the mean of all energy within the jet's radius; 0 where there is none."""
    total, eta, phi = 0.0, 0.0, 0.0
    for layer in energies.values():
        inside = np.hypot(layer.eta, layer.phi) < JET_RADIUS
        total = total + layer.sum(layer.value, inside)
        eta = eta + layer.sum(layer.value * layer.eta, inside)
        phi = phi + layer.sum(layer.value * layer.phi, inside)
    return np.nan_to_num(eta / total), np.nan_to_num(phi / total)


def _shape(layer: Layer, axis_eta: NDArray, axis_phi: NDArray) -> dict[str, NDArray]:
    """One layer around the axis (``axis_eta``, ``axis_phi``) [N]."""
    eta, phi = layer.eta - axis_eta[layer.owner], layer.phi - axis_phi[layer.owner]
    distance = np.hypot(eta, phi)
    inside = distance < JET_RADIUS
    value = np.where(inside, layer.value, 0.0)
    total = layer.sum(value)
    squares = layer.sum(value**2)
    # The ellipse of the layer, its cells weighted by their values squared as in CMS-PAS-JME-13-002.
    ee, pp, ep = (layer.sum(value**2 * product) / squares for product in (eta**2, phi**2, eta * phi))
    middle, half = (ee + pp) / 2, np.sqrt(((ee - pp) / 2) ** 2 + ep**2)
    shares = {
        f"share {low} to {high}": layer.sum(value, (distance >= low) & (distance < high)) / total
        for low, high in pairwise(RINGS)
    }
    highest = np.zeros(layer.objects)
    np.maximum.at(highest, layer.owner, value)
    return {
        "sum [GeV]": total,
        "multiplicity": layer.sum(inside.astype(float)),
        "multiplicity within 0.1": layer.sum((distance < 0.1).astype(float)),
        "multiplicity outside": layer.sum((~inside).astype(float)),
        "sum outside [GeV]": layer.sum(layer.value, ~inside),
        "pTD": np.sqrt(squares) / total,
        "width": layer.sum(value * distance) / total,
        "major axis": np.sqrt(middle + half),
        "minor axis": np.sqrt(np.maximum(middle - half, 0.0)),
        "leading share": highest / total,
        **shares,
    }


def _towers(energies: dict[str, Layer], crop: Crop) -> dict[str, NDArray]:
    """Energies of the leading calorimeter towers, their distances, and the share of the ECAL."""
    columns = -(-crop.columns // TOWER)
    places = columns * -(-crop.rows // TOWER)
    calorimeters = [energies[name] for name in ("ECAL", "HCAL") if name in energies]
    objects = calorimeters[0].objects
    grid = np.zeros(objects * places)
    for layer in calorimeters:
        row, column = np.divmod(layer.cell, crop.columns)
        place = (row // TOWER) * columns + column // TOWER
        grid += np.bincount(layer.owner * places + place, layer.value, objects * places)
    grid = grid.reshape(objects, places)
    order = np.argsort(-grid, axis=1, kind="stable")[:, :LEADING]
    energy = np.take_along_axis(grid, order, axis=1)
    total = grid.sum(axis=1)
    row, column = np.divmod(order, columns)
    features = {"ECAL share": energies["ECAL"].sum(energies["ECAL"].value) / total}
    for i in range(LEADING):
        features[f"tower {i + 1} share"] = energy[:, i] / total
        for k in range(i):
            apart = np.hypot(row[:, i] - row[:, k], column[:, i] - column[:, k]) * TOWER * CELL
            features[f"towers {k + 1} and {i + 1} apart"] = np.where(energy[:, i] > 0, apart, np.nan)
    return features


def _masses(energies: dict[str, Layer], jet_eta: NDArray) -> dict[str, NDArray]:
    """Invariant masses [GeV] of massless hits within the jet's radius: of tracks, and of the calorimeters.

    Where the eta of the jet is not known (NaN) neither are they.
    """
    features = {"track mass [GeV]": _mass([energies["tracks"]], jet_eta, transverse=True)}
    calorimeters = [energies[name] for name in ("ECAL", "HCAL") if name in energies]
    return features | {"calorimetric mass [GeV]": _mass(calorimeters, jet_eta, transverse=False)}


def calorimetric_mass(samples: Samples, crop: Crop) -> NDArray[np.float64]:
    """Invariant mass [N] (GeV) of the calorimeter hits of jets within their radius, taken as massless."""
    numbers = {channel: number for number, channel in enumerate(samples.channels)}
    layers = [_layer(samples, crop, numbers[channel]) for channel in (ECAL, HCAL) if channel in numbers]
    return _mass(layers, _jet_eta(samples), transverse=False)


def _jet_eta(samples: Samples) -> NDArray[np.float64]:
    """Eta [N] of jets, or of their seeds where that is unknown, as in public files; NaN without either."""
    known = samples.kinematics["jetEta"].astype(np.float64)
    return np.where(np.isnan(known), row_eta(samples.seed_row.astype(np.float64), DETECTOR[0]), known)


def _mass(layers: list[Layer], jet_eta: NDArray, transverse: bool) -> NDArray[np.float64]:
    """sqrt(E^2 - p^2) [N] of the hits of layers, whose values are momenta (``transverse``) or energies."""
    momentum = np.zeros((4, layers[0].objects))
    for layer in layers:
        inside = np.hypot(layer.eta, layer.phi) < JET_RADIUS
        eta = layer.eta + jet_eta.astype(float)[layer.owner]
        pt = layer.value if transverse else layer.value / np.cosh(eta)
        components = pt * np.cosh(eta), pt * np.cos(layer.phi), pt * np.sin(layer.phi), pt * np.sinh(eta)
        momentum += [layer.sum(component, inside) for component in components]
    square = momentum[0] ** 2 - (momentum[1:] ** 2).sum(axis=0)
    return np.sqrt(np.maximum(square, 0.0))


def _impact(layers: dict[Channel, Layer]) -> dict[str, NDArray]:
    """Impact parameters of tracks, weighted by transverse momentum, and the share of other vertices."""
    if TRACK_D0 not in layers or TRACK_DZ not in layers:
        return {}
    tracks = layers[TRACK_PT]
    features = {}
    for name, channel in {"d0": TRACK_D0, "dz": TRACK_DZ}.items():
        layer = layers[channel]
        weight = np.where(np.hypot(layer.eta, layer.phi) < JET_RADIUS, _at(layer, tracks), 0.0)
        size = np.abs(layer.value)
        features[f"mean |{name}| [cm]"] = layer.sum(weight * size) / layer.sum(weight)
        if name == "dz":
            features["share of close tracks"] = layer.sum(weight, size < PROMPT_DZ_CM) / layer.sum(weight)
    return features


def close_tracks(samples: Samples, crop: Crop) -> NDArray[np.int64]:
    """Cells [N] within the jet's radius whose tracks are of the primary vertex and above 1 GeV together.

    Needs the channels of transverse momentum and dz of tracks; what lies in one cell counts once.
    """
    numbers = {channel: number for number, channel in enumerate(samples.channels)}
    tracks, dz = (_layer(samples, crop, numbers[channel]) for channel in (TRACK_PT, TRACK_DZ))
    inside = (np.hypot(tracks.eta, tracks.phi) < JET_RADIUS) & (tracks.value > COUNTED_PT)
    close = np.abs(_at(tracks, dz)) < PROMPT_DZ_CM
    return np.bincount(tracks.owner[inside & close], minlength=len(samples))


def _at(layer: Layer, other: Layer) -> NDArray[np.float64]:
    """Value of ``other`` in the cell of each hit of ``layer``; 0 where it has none."""
    width = 1 + max(layer.cell.max(initial=0), other.cell.max(initial=0))
    wanted, known = (one.owner * width + one.cell for one in (layer, other))
    place = np.searchsorted(known, wanted)  # hits are in ascending order
    place = np.minimum(place, len(known) - 1)
    return np.where(known[place] == wanted, other.value[place], 0.0) if len(known) else np.zeros(len(wanted))
