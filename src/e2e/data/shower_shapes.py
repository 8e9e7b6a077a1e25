"""Shower shapes of a crop: what an electron/photon analysis computes by hand, as input of the reference.

Energies are in GeV, lengths in crystals counted from the seed, times in ns. "Left" and "right" sides of
phi (and of eta) are given as larger and smaller of the two, since either charge may come. What is called
signed tells them apart: where crops look outward (``Crop``), all crystals lean to one side, so that it
measures how deep a shower lies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.geometry import Crop

LOG_WEIGHT = 4.7  # w0 of the logarithmic weights, as in CMSSW's EcalClusterTools
HIT_GEV = (0.0, 0.2, 1.0)  # thresholds of the hit counts
MAXIMUM_GEV = 0.5  # smallest local maximum that counts
BANDS = ((2, 3), (4, 6), (7, 10), (11, 15))  # |columns from the seed| of the phi wings
TIME_RESOLUTION_GEV = 2.0  # above it the time resolution of a crystal is no longer that of the noise


def features(samples: Samples, crop: Crop) -> dict[str, NDArray[np.float64]]:
    """What boosted trees are given of electrons and photons."""
    return shower_shapes(samples.images(), crop)


def shower_shapes(frames: NDArray[np.float32], crop: Crop) -> dict[str, NDArray[np.float64]]:
    """Features [N] by name of frames [N, 2, H, W] (GeV, ns; 0 = no hit) with the seed where ``crop`` says.

    A feature without meaning for an object (no second maximum, no hit in a wing) is NaN.
    """
    energy = np.maximum(frames[:, 0].astype(np.float64), 0.0)
    time = np.where(energy > 0, frames[:, 1], 0.0)
    eta = np.arange(crop.rows)[:, None] - crop.seed_row
    phi = np.arange(crop.columns)[None, :] - crop.seed_column
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            **_energies(energy, eta, phi),
            **_moments(energy, eta, phi),
            **_wings(energy, eta, phi),
            **_maxima(energy, eta, phi),
            **_times(energy, time, eta, phi),
        }


def _sum(energy: NDArray, where: NDArray) -> NDArray:
    """Sum over the cells of a mask [H, W] -> [N]."""
    return energy.reshape(len(energy), -1) @ np.broadcast_to(where, energy.shape[1:]).reshape(-1)


def _square(eta: NDArray, phi: NDArray, half: int) -> NDArray:
    return ((np.abs(eta) <= half) & (np.abs(phi) <= half)).astype(np.float64)


def _energies(energy: NDArray, eta: NDArray, phi: NDArray) -> dict[str, NDArray]:
    """Energies of the core, and their ratios."""
    e1, e9, e25, e49 = (_sum(energy, _square(eta, phi, half)) for half in range(4))
    total = energy.sum(axis=(1, 2))
    near = energy * _square(eta, phi, 2)
    highest = -np.sort(-near.reshape(len(energy), -1), axis=1)[:, :3]
    blocks = energy[:, :-1, :-1] + energy[:, 1:, :-1] + energy[:, :-1, 1:] + energy[:, 1:, 1:]
    core = _square(eta, phi, 1)
    quads = blocks * np.minimum(core[:-1, :-1] + core[1:, 1:], 1.0)
    up, down = (_sum(near, (sign * eta > 0) * np.ones_like(phi)) for sign in (1, -1))
    right, left = (_sum(near, (sign * phi > 0) * np.ones_like(eta)) for sign in (1, -1))
    ring = _square(eta, phi, 6) - _square(eta, phi, 3)
    return {
        "E [GeV]": total,
        "E25 [GeV]": e25,
        "E1/E25": e1 / e25,
        "E2nd/E25": highest[:, 1] / e25,
        "E3rd/E25": highest[:, 2] / e25,
        "E9/E25": e9 / e25,
        "E25/E49": e25 / e49,
        "R9": e9 / total,
        "E25/E": e25 / total,
        "S4": quads.max(axis=(1, 2)) / e25,
        "ring/E25": _sum(energy, ring) / e25,
        "Eeta3/E9": _sum(energy, (np.abs(eta) <= 1) * (phi == 0)) / e9,
        "Ephi3/E9": _sum(energy, (eta == 0) * (np.abs(phi) <= 1)) / e9,
        "E2x5eta/E25": np.maximum(up, down) / e25,
        "E2x5phi/E25": np.maximum(left, right) / e25,
        "asymmetry_eta": np.abs(up - down) / e25,
        "asymmetry_phi": np.abs(right - left) / e25,
        "signed_asymmetry_eta": (up - down) / e25,
        "signed_asymmetry_phi": (right - left) / e25,
        "E1x5/E25": _sum(energy, (eta == 0) * (np.abs(phi) <= 2)) / e25,
        "E5x1/E25": _sum(energy, (np.abs(eta) <= 2) * (phi == 0)) / e25,
        **{f"hits>{cut}GeV": (energy > cut).sum(axis=(1, 2)).astype(np.float64) for cut in HIT_GEV},
        "hits_in_road": ((energy > HIT_GEV[1]) & (np.abs(eta) <= 2)).sum(axis=(1, 2)).astype(np.float64),
    }


def _covariance(weight: NDArray, eta: NDArray, phi: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Variances of eta and phi and their covariance [N] (crystals squared) under weights [N, H, W]."""
    total = weight.sum(axis=(1, 2))
    mean_eta, mean_phi = ((weight * x).sum(axis=(1, 2)) / total for x in (eta, phi))
    centred_eta, centred_phi = eta - mean_eta[:, None, None], phi - mean_phi[:, None, None]
    ee, pp, ep = (
        (weight * product).sum(axis=(1, 2)) / total
        for product in (centred_eta**2, centred_phi**2, centred_eta * centred_phi)
    )
    return ee, pp, ep


def _moments(energy: NDArray, eta: NDArray, phi: NDArray) -> dict[str, NDArray]:
    """Second moments: logarithmic weights in 5 x 5 (as CMSSW), linear weights around and in the road."""
    near = energy * _square(eta, phi, 2)
    fraction = near / near.sum(axis=(1, 2), keepdims=True)
    logarithm = np.where(near > 0, np.maximum(LOG_WEIGHT + np.log(np.where(near > 0, fraction, 1.0)), 0), 0)
    ee, pp, ep = _covariance(logarithm, eta, phi)
    root = np.sqrt((ee - pp) ** 2 / 4 + ep**2)
    road = energy * (np.abs(eta) <= 2)
    _, road_phi, _ = _covariance(road, eta, phi)
    wide_eta, wide_phi, wide_both = _covariance(energy, eta, phi)
    total = road.sum(axis=(1, 2))
    mean = (road * phi).sum(axis=(1, 2)) / total
    third = (road * (phi - mean[:, None, None]) ** 3).sum(axis=(1, 2)) / total
    return {
        "sigma_ieta_ieta": np.sqrt(ee),
        "sigma_iphi_iphi": np.sqrt(pp),
        "|sigma_ieta_iphi|": np.abs(ep),
        "signed_sigma_ieta_iphi": ep,
        "major": np.sqrt((ee + pp) / 2 + root),
        "minor": np.sqrt(np.maximum((ee + pp) / 2 - root, 0.0)),
        "eta_width": np.sqrt(wide_eta),
        "phi_width": np.sqrt(wide_phi),
        "|eta_phi_covariance|": np.abs(wide_both),
        "road_phi_width": np.sqrt(road_phi),
        "|road_phi_mean|": np.abs(mean),
        "signed_road_phi_mean": mean,
        "|road_phi_skew|": np.abs(third) / road_phi**1.5,
        "signed_road_phi_skew": third / road_phi**1.5,
    }


def _wings(energy: NDArray, eta: NDArray, phi: NDArray) -> dict[str, NDArray]:
    """Bremsstrahlung and conversions: energy in bands of phi on either side, within two rows of the seed."""
    total = energy.sum(axis=(1, 2))
    features, signed = {}, []
    for low, high in BANDS:
        sides = []
        for side in (phi, -phi):
            where = (np.abs(eta) <= 2) & (side >= low) & (side <= high)
            sides.append(_sum(energy, where) / total)
        features[f"phi{low}-{high}_larger/E"] = np.maximum(*sides)
        features[f"phi{low}-{high}_smaller/E"] = np.minimum(*sides)
        signed.append(sides)
    right, left = np.sum(signed, axis=0)
    features["brem/E"] = right + left
    features["brem_imbalance"] = np.abs(right - left) / (right + left)
    features["signed_brem_imbalance"] = (right - left) / (right + left)
    features["outside_road/E"] = _sum(energy, (np.abs(eta) > 2) * np.ones_like(phi)) / total
    return features


def _maxima(energy: NDArray, eta: NDArray, phi: NDArray) -> dict[str, NDArray]:
    """Local maxima (larger than all eight neighbours) besides the seed."""
    padded = np.pad(energy, ((0, 0), (1, 1), (1, 1)))
    height, width = energy.shape[1:]
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    neighbours = np.max([padded[:, i : i + height, j : j + width] for i, j in shifts], axis=0)
    maxima = np.where((energy > neighbours) & (energy > MAXIMUM_GEV), energy, 0.0)
    maxima[:, (eta == 0) & (phi == 0)] = 0.0
    flat = maxima.reshape(len(energy), -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :2]
    total = energy.sum(axis=(1, 2))
    rows, columns = np.divmod(order, width)
    features = {"maxima": (flat > 0).sum(axis=1).astype(np.float64)}
    for i, name in enumerate(("second", "third")):
        value = np.take_along_axis(flat, order[:, i : i + 1], axis=1)[:, 0]
        exists = np.where(value > 0, 1.0, np.nan)
        features[f"{name}_maximum/E"] = value / total
        features[f"{name}_maximum_|eta|"] = np.abs(eta[rows[:, i], 0]) * exists
        features[f"{name}_maximum_|phi|"] = np.abs(phi[0, columns[:, i]]) * exists
    opposite = np.sign(phi[0, columns[:, 0]]) != np.sign(phi[0, columns[:, 1]])
    features["maxima_on_both_sides"] = np.where(features["maxima"] > 1, opposite, np.nan)
    return features


def _times(energy: NDArray, time: NDArray, eta: NDArray, phi: NDArray) -> dict[str, NDArray]:
    """Times weighted by their precision: 1 / sigma^2 is proportional to E^2 until it levels off."""
    weight = np.minimum(energy, TIME_RESOLUTION_GEV) ** 2

    def mean(where: NDArray) -> NDArray:
        return _sum(weight * time, where) / _sum(weight, where)

    seed = _sum(time, _square(eta, phi, 0))
    core, around = _square(eta, phi, 1), _square(eta, phi, 2) - _square(eta, phi, 1)
    wing = [(np.abs(eta) <= 2) & (side >= 3) for side in (phi, -phi)]
    wings = np.stack([mean(where) for where in wing])
    strength = np.stack([_sum(energy, where) for where in wing])
    strong = np.take_along_axis(wings, strength.argmax(axis=0)[None], axis=0)[0]
    average = mean(np.ones_like(core))
    spread = _sum(weight * (time - average[:, None, None]) ** 2, np.ones_like(core)) / _sum(
        weight, np.ones_like(core)
    )
    linear = _sum(energy * time, _square(eta, phi, 2)) / _sum(energy, _square(eta, phi, 2))
    second = np.where((eta == 0) & (phi == 0), 0.0, energy).reshape(len(energy), -1).argmax(axis=1)
    slope = _sum(weight * (time - average[:, None, None]) * np.abs(phi), np.ones_like(core))
    return {
        "t_seed [ns]": seed,
        "t_core [ns]": mean(core),
        "t_around [ns]": mean(around),
        "t_mean [ns]": average,
        "t_linear [ns]": linear,
        "t_spread [ns]": np.sqrt(spread),
        "t_second [ns]": np.take_along_axis(time.reshape(len(time), -1), second[:, None], axis=1)[:, 0],
        "t_wings [ns]": mean(wing[0] | wing[1]),
        "t_strong_wing - t_core [ns]": strong - mean(core),
        "t_slope_|phi| [ns]": slope / _sum(weight, np.ones_like(core)),
        "late_share": _sum(energy * (time > 1.0), np.ones_like(core)) / energy.sum(axis=(1, 2)),
    }
