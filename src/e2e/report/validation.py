"""Figures of the fast simulation beside what CMS published."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2e.report import style
from e2e.simulation import validation
from e2e.simulation.ecal import NOISE, TIME_CONSTANT, TIME_NOISE, time_resolution
from e2e.simulation.tracker import budget
from e2e.simulation.validation import half_width
from e2e.tasks import Task
from e2e.tasks.electron_photon import ELECTRONS, MATERIAL, NEAR, TRACKER
from e2e.tasks.simulation import converted, radiated

SHOWN = r"$p_T$ of 40 to 62.5 GeV, barrel"  # tasks.electron_photon.NEAR
_BAND = {"color": "0.75", "alpha": 0.6, "linewidth": 0}


def draw(task: Task, found: validation.Findings) -> dict[str, Figure]:
    """Figures, by name, of what was found in simulated electrons and photons."""
    checks, near = found.record["checks"], found.objects.query(NEAR)
    return {
        "shapes": _shapes(near, checks),
        "material": _material(found.objects),
        "energy": _energy(near, checks),
        "time": _time(found.hits),
        "symmetry": _symmetry(found.objects),
    }


def _expected(axes: Axes, checks: Sequence[dict[str, object]], name: str, text: str) -> None:
    """The band in which a check expects its value, and the value itself."""
    check = next(check for check in checks if check["name"] == name)
    if check["expected"]:
        axes.axvspan(*check["expected"], label=f"{text} expected,\n{check['source']}", **_BAND)
    if check["value"] is not None:
        axes.axvline(check["value"], color="0.3", linestyle=":", label=f"{text} here: {check['value']:.3g}")


def _classes(axes: Axes, objects: pd.DataFrame, column: str, edges: np.ndarray, split: bool = True) -> None:
    """Normalised distributions of electrons, photons and, apart, unconverted photons."""
    kinds = [("electron", "electrons", objects.particle == "electron", "-")]
    kinds.append(("photon", "photons", objects.particle == "photon", "-"))
    if split:
        unconverted = (objects.particle == "photon") & ~objects.is_converted
        kinds.append(("photon", "unconverted photons", unconverted, "--"))
    for particle, text, chosen, line in kinds:
        values = objects[column][chosen].dropna()
        style.shares(axes, values, edges, label=text, color=style.COLOURS[particle], linestyle=line)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of objects per bin")


def _shapes(objects: pd.DataFrame, checks: Sequence[dict[str, object]]) -> Figure:
    figure, axes = style.figure(2, 2)
    for axis, column, edges, text, check, statistic in (
        (
            axes[0, 0],
            "e1_e25",
            np.linspace(0.2, 0.9, 71),
            "$E_{1}/E_{25}$",
            "E1/E25, unconverted photons, impact in the middle of a crystal",
            "mean, central impact,",
        ),
        (
            axes[0, 1],
            "e9_e25",
            np.linspace(0.8, 1.0, 81),
            "$E_{9}/E_{25}$",
            "E9/E25, unconverted photons",
            "mean, unconverted,",
        ),
        (
            axes[1, 0],
            "sigma_ieta_ieta",
            np.linspace(0.006, 0.014, 41),
            r"$\sigma_{i\eta i\eta}$",
            "sigma_ieta_ieta, unconverted photons",
            "median, unconverted,",
        ),
        (
            axes[1, 1],
            "phi_width",
            np.linspace(0.0, 0.08, 81),
            r"$\phi$ width [rad]",
            "phi width, electrons",
            "median, electrons,",
        ),
    ):
        _expected(axis, checks, check, statistic)
        _classes(axis, objects, column, edges)
        axis.set_xlabel(text)
        axis.legend(fontsize="x-small", loc="best")
        style.label(axis, style.SIMULATION, SHOWN)
    return figure


def _material(objects: pd.DataFrame) -> Figure:
    figure, axes = style.figure(1, 3)
    etas = np.linspace(0.0, 1.4, 281)
    depth = np.array([budget(eta) for eta in etas])
    published = ", ".join((TRACKER, ELECTRONS))
    for axis, law, particle, column, text in (
        (axes[0], lambda x: x, None, None, r"tracker material [$X_0$]"),
        (axes[1], converted, "photon", "is_converted", "share of photons that convert"),
        (axes[2], radiated, "electron", "brem", "share of energy radiated"),
    ):
        for number, (eta, band) in enumerate(MATERIAL.items()):
            low, high = map(law, band)
            axis.errorbar(
                eta,
                0.5 * (low + high),
                0.5 * (high - low),
                color="black",
                capsize=5,
                clip_on=False,
                zorder=5,
                label=f"expected, {published}" if number == 0 else None,
            )
        if particle is None:
            axis.plot(etas, depth, color="0.4", label="model, nominal vertex")
        else:
            axis.plot(etas, [law(x) for x in depth], color="0.4", label="law for the model's material")
            chosen = objects[objects.particle == particle]
            edges = np.linspace(0.0, 1.4, 15)
            _means(axis, particle, abs(chosen.eta), chosen[column], edges)
        axis.set_xlabel(r"$|\eta|$")
        axis.set_ylabel(text)
        axis.set_xlim(0.0, 1.45)
        axis.set_ylim(0.0, 2.6 if particle is None else 1.1)
        axis.legend(fontsize="x-small", loc="upper left")
        style.label(axis, style.SIMULATION)
    return figure


def _energy(objects: pd.DataFrame, checks: Sequence[dict[str, object]]) -> Figure:
    figure, axes = style.figure(1, 2)
    _classes(axes[0], objects, "response", np.linspace(0.86, 1.06, 101))
    check = next(check for check in checks if check["name"] == "energy resolution, unconverted photons")
    if check["value"] is not None:
        low, high = check["expected"]
        axes[0].plot(
            [],
            [],
            " ",
            label=f"unconverted: half width {100 * check['value']:.2f} %,\n"
            f"expected {100 * low:.1f} to {100 * high:.1f} %,\n{check['source']}",
        )
    axes[0].set_xlabel("reconstructed / generated energy")
    axes[0].legend(fontsize="x-small", loc="upper left")
    _classes(axes[1], objects, "crop_energy", np.linspace(40.0, 120.0, 41), split=False)
    axes[1].set_xlabel("energy in 32 x 32 crystals [GeV]")
    axes[1].legend(fontsize="x-small")
    for axis in axes:
        style.label(axis, style.SIMULATION, SHOWN)
    return figure


def _means(
    axis: Axes, particle: str, eta: pd.Series, values: pd.Series, edges: NDArray, shift: float = 0.0
) -> None:
    """Points at the means of ``values`` [n] in bins of ``eta`` [n], moved by ``shift``, with their errors."""
    grouped = values.astype(float).groupby(pd.cut(eta, edges), observed=False)
    axis.errorbar(
        0.5 * (edges[1:] + edges[:-1]) + shift,
        grouped.mean(),
        grouped.std() / np.sqrt(grouped.size()),
        fmt="o",
        markersize=5,
        color=style.COLOURS[particle],
        label=f"simulated {particle}s",
    )


def _symmetry(objects: pd.DataFrame) -> Figure:
    """Signed asymmetry in phi against eta, as the crystals lie, and of crops that look outward."""
    figure, axes = style.figure(1, 2)
    edges = np.linspace(-1.4, 1.4, 5)  # few: the place of the impact in its crystal spreads it most
    for axis, column, text in (
        (axes[0], "asymmetry_phi", "as in the detector"),
        (axes[1], "outward_asymmetry_phi", "turned to look outward"),
    ):
        for particle, shift in (("photon", -0.02), ("electron", 0.02)):
            chosen = objects[objects.particle == particle]
            _means(axis, particle, chosen.eta, chosen[column], edges, shift)
        axis.axhline(0.0, color="0.7", linewidth=1)
        axis.set_xlabel(r"$\eta$")
        axis.set_ylabel(rf"$(E_{{\phi>}} - E_{{\phi<}})/E_{{25}}$, {text}")
        axis.legend(fontsize="x-small")
        style.label(axis, style.SIMULATION, "barrel")
    return figure


def _time(hits: pd.DataFrame) -> Figure:
    """Spread of a crystal's time against the seed's, whose own resolution is taken off."""
    figure, axis = style.figure()
    edges = np.geomspace(0.1, 50.0, 16)
    resolution = np.array([time_resolution(energy) for energy in hits.seed_energy])
    groups = pd.DataFrame({"difference": hits.difference, "seed": resolution**2}).groupby(
        pd.cut(hits.energy, edges), observed=False
    )
    width = groups.difference.agg(lambda values: half_width(values) if len(values) > 10 else np.nan)
    own = np.sqrt(np.maximum(width.to_numpy() ** 2 - groups.seed.mean().to_numpy(), 0.0))
    middle = np.sqrt(edges[1:] * edges[:-1])
    axis.errorbar(
        middle,
        own,
        width / np.sqrt(2.0 * groups.size()),
        fmt="o",
        markersize=5,
        color=style.COLOURS["photon"],
        label="simulated, crystals next to a seed",
    )
    energies = np.geomspace(0.1, 50.0, 200)
    axis.plot(
        energies,
        [time_resolution(energy) for energy in energies],
        color="0.4",
        label=rf"{TIME_NOISE} ns $\sigma_n/E \oplus$ {TIME_CONSTANT} ns, $\sigma_n$ = {1000 * NOISE:.0f} MeV,"
        "\narXiv:0911.4044, arXiv:1306.2016",
    )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("energy of the crystal [GeV]")
    axis.set_ylabel("time resolution [ns]")
    axis.legend(fontsize="x-small")
    style.label(axis, style.SIMULATION, "barrel")
    return figure
