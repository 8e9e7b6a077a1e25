"""Figures of the fast simulation of jets beside what is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2e import tasks
from e2e.report import style
from e2e.simulation.hadrons import HADRON_CONSTANT, HADRON_STOCHASTIC
from e2e.simulation.jet_validation import HADRON_ENERGIES, SIMULATED, Findings
from e2e.simulation.validation import spread
from e2e.tasks.simulation import Distribution

_COLOURS = tuple(style.COLOURS.values())


def draw(task: tasks.Task, found: Findings) -> dict[str, Figure]:
    """Figures, by name, of what was found in simulated jets of a task."""
    figures = {
        "jets": _jets(task, found.jets),
        "hadrons": _hadrons(found.particles, found.record["checks"]),
        "resolution": _resolution(task, found.jets),
    }
    if found.tracks:
        figures["isolated_tracks"] = _isolated_tracks(found.tracks)
    return figures


def _isolated_tracks(tracks: Mapping[str, pd.DataFrame]) -> Figure:
    """Shapes of the energy around isolated tracks, of simulated and real events."""
    figure, axes = style.figure(1, 2)
    origin = style.SIMULATION if set(tracks) == {SIMULATED} else "Fast simulation and data"
    for axis, column, label in zip(axes, ("e1_e25", "e9_e25"), ("$E_1/E_{25}$", "$E_9/E_{25}$"), strict=True):
        for (name, found), colour in zip(tracks.items(), cycle(_COLOURS)):
            style.shares(
                axis, found[column], np.linspace(0, 1, 21), label=f"{name} ({len(found)})", color=colour
            )
        axis.set_xlim(0, 1)
        axis.set_ylim(bottom=0)
        axis.set_xlabel(label)
        axis.set_ylabel("share of isolated tracks per bin")
        axis.legend(fontsize="x-small")
        style.label(axis, origin, "isolated tracks")
    return figure


def _jets(task: tasks.Task, jets: pd.DataFrame) -> Figure:
    figure, axes = style.figure(2, 3)
    for axis, shown in zip(axes.flat, task.simulation.distributions, strict=False):
        edges = np.linspace(shown.low, shown.high, shown.bins + 1)
        for (name, chosen), colour in zip(_classes(task, jets, shown), _COLOURS, strict=False):
            values = jets[shown.column][chosen].replace([np.inf, -np.inf], np.nan).dropna()
            style.shares(axis, values, edges, label=f"{name} ({len(values)})", color=colour)
        axis.set_xlim(edges[0], edges[-1])
        axis.set_ylim(bottom=0)
        axis.set_xlabel(shown.label)
        axis.set_ylabel("share of jets per bin")
        axis.legend(fontsize="x-small")
        style.label(axis, style.SIMULATION, task.name)
    return figure


def _classes(task: tasks.Task, jets: pd.DataFrame, shown: Distribution) -> list[tuple[str, pd.Series]]:
    """Names and masks of the classes of a task of which something is shown; without classes, all jets."""
    found = [
        (name, jets.target == i)
        for i, name in enumerate(task.classes)
        if shown.classes is None or name in shown.classes
    ]
    return found or [("jets", jets.truth > 0)]


def _hadrons(particles: pd.DataFrame, checks: Sequence[dict[str, object]]) -> Figure:
    figure, (response, resolution) = style.figure(1, 2)
    groups = particles[particles.particle == "hadron"].groupby("energy").response
    energies = np.array(HADRON_ENERGIES)
    count = groups.size().to_numpy()
    _points(response, energies, groups.mean().to_numpy(), groups.std().to_numpy() / np.sqrt(count))
    for energy in energies:
        check = next(c for c in checks if c["name"] == f"response of hadrons of {energy:g} GeV")
        response.plot(
            [energy] * 2, check["expected"], color="0.7", linewidth=8, solid_capstyle="butt", zorder=0
        )
    response.set_ylabel("mean energy / true energy")
    response.set_ylim(0.5, 1.1)
    width = groups.agg(lambda values: spread(values.to_numpy())).to_numpy()
    _points(resolution, energies, width, width / np.sqrt(2.0 * count))
    fine = np.geomspace(3.0, 200.0, 100)
    resolution.plot(
        fine,
        np.hypot(HADRON_STOCHASTIC / np.sqrt(fine), HADRON_CONSTANT),
        color="0.4",
        label=r"110 %/$\sqrt{E}$ $\oplus$ 9 %, arXiv:1706.04965",
    )
    resolution.set_ylabel("energy resolution")
    resolution.legend(fontsize="x-small")
    for axis in (response, resolution):
        axis.set_xscale("log")
        axis.set_xlabel("energy of the hadron [GeV]")
        style.label(axis, style.SIMULATION, "single hadrons")
    return figure


def _points(axis: Axes, x: np.ndarray, y: np.ndarray, error: np.ndarray) -> None:
    axis.errorbar(x, y, error, fmt="o", markersize=5, color=_COLOURS[0], label="simulated")


def _resolution(task: tasks.Task, jets: pd.DataFrame) -> Figure:
    """Jet response and resolution in bins of the true momentum."""
    figure, (response, resolution) = style.figure(1, 2)
    good = jets[(jets.gen_jetPt > 0) & np.isfinite(jets.response)]
    edges = (
        np.unique(np.quantile(good.gen_jetPt, np.linspace(0.0, 1.0, 9))) if len(good) else np.array([0, 1])
    )
    groups = good.groupby(pd.cut(good.gen_jetPt, edges), observed=True)
    middle, count = groups.gen_jetPt.mean().to_numpy(), groups.size().to_numpy()
    median = groups.response.median().to_numpy()
    width = groups.response.agg(lambda values: spread(values.to_numpy())).to_numpy()
    _points(response, middle, median, 1.25 * width * median / np.sqrt(count))
    _points(resolution, middle, width, width / np.sqrt(2.0 * count))
    published = np.array([(30.0, 0.175), (100.0, 0.10), (1000.0, 0.05)])
    resolution.plot(*published.T, "s", color="0.4", label="CMS 8 TeV, barrel, arXiv:1607.03663")
    response.axhline(1.0, color="0.7")
    response.set_ylabel(r"median of measured / true $p_T$")
    resolution.set_ylabel(r"$p_T$ resolution")
    resolution.set_ylim(0.0, 0.4)
    resolution.legend(fontsize="x-small")
    for axis in (response, resolution):
        axis.set_xscale("log")
        axis.set_xlabel(r"true $p_T$ of the jet [GeV]")
        style.label(axis, style.SIMULATION, task.name)
    return figure
