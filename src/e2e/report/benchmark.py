"""Figures of a benchmark: throughput, latency, threads, memory, and where the time of an event goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2e.benchmark.methods import BARE, CMSRUN, KERAS, PER_EVENT, PYTORCH
from e2e.deploy.providers import PROVIDERS
from e2e.report import style

Points = Sequence[Mapping[str, Any]]

_MARKERS = {
    CMSRUN: "o",
    BARE: "s",
    PYTORCH: "^",
    KERAS: "^",
    PER_EVENT: "v",
}  # one of PyTorch and Keras a model
_COLOURS = dict(zip(_MARKERS, ("#e42536", "#5790fc", "#f89c20", "#f89c20", "#964a8b"), strict=True))
_SMALL = 0.002  # of an event's time: not drawn


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures, by name, of the record of a benchmark; points without numbers are not drawn."""
    good = [point for point in record["points"] if point["status"] == "ok"]
    figures = {
        "throughput": (_throughput, [p for p in good if p["threads"] == 1]),
        "latency": (_latency, [p for p in good if p["threads"] == 1]),
        "threads": (_threads, _comparison_of_threads(good)),
        "memory": (_memory, [p for p in good if p["threads"] == 1]),
        "modules": (_modules, [p for p in good if p["threads"] == 1 and p["method"] == CMSRUN]),
    }
    drawings = {}
    for name, (panel, chosen) in figures.items():
        drawing, axes = style.figure()
        if chosen:
            panel(axes, chosen)
        else:
            axes.text(0.5, 0.5, "no point was measured", ha="center", transform=axes.transAxes)
        style.label(axes, style.events(record["origin"]), record["model"])
        drawing.supxlabel(record["machine"]["cpu"]["model"], fontsize=11, x=0.01, ha="left", color="grey")
        drawings[name] = drawing
    return drawings


def _throughput(axes: Axes, points: Points) -> None:
    for name, look, line in _lines(points):
        _band(axes, name, look, [p["batch"] for p in line], [p["objects_per_s"] for p in line])
    _batch_axis(axes, points)
    axes.set_yscale("log")
    axes.set_ylabel("Objects / s, one thread")
    _legend(axes)


def _latency(axes: Axes, points: Points) -> None:
    for name, look, line in _lines(points):
        _band(axes, name, look, [p["batch"] for p in line], [p["call_ms"] for p in line])
    _batch_axis(axes, points)
    axes.set_yscale("log")
    axes.set_ylabel("Model in one event [ms]")
    _legend(axes)


def _threads(axes: Axes, points: Points) -> None:
    for name, look, line in _lines(points):
        batch = line[0]["batch"]
        _band(axes, f"{name}, {batch} objects an event", look, *_events_per_s(line))
        threads = np.array([p["threads"] for p in line])
        ideal = line[0]["objects_per_s"]["median"] / batch * threads
        axes.plot(threads, ideal, color="grey", linestyle=":", label="proportional")
    counts = sorted({p["threads"] for p in points})
    axes.set_xticks(counts)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Threads and streams")
    axes.set_ylabel("Events / s")
    axes.legend()


def _memory(axes: Axes, points: Points) -> None:
    batches = sorted({p["batch"] for p in points})
    lines = list(_lines(points))
    width = 0.8 / len(lines)
    for i, (name, look, line) in enumerate(lines):
        place = [batches.index(p["batch"]) + (i - (len(lines) - 1) / 2) * width for p in line]
        axes.bar(
            place,
            [p["peak_rss_bytes"] / 1e6 for p in line],
            width,
            color=look["color"],
            hatch=PROVIDERS[line[0]["provider"]].hatch,
            label=name,
        )
    axes.set_xticks(range(len(batches)), batches)
    axes.minorticks_off()
    axes.set_xlabel("Objects in an event (batch size)")
    axes.set_ylabel("Peak resident memory [MB]")
    _legend(axes)


def _modules(axes: Axes, points: Points) -> None:
    """Share of an event's time in each module, on the CPU if both were measured."""
    provider = points[0]["provider"]
    line = [p for p in points if p["provider"] == provider]
    below = np.zeros(len(line))
    total = np.array([sum(p["modules_ms"].values()) for p in line])
    for label in line[0]["modules_ms"]:
        share = np.array([max(p["modules_ms"][label], 0) for p in line]) / total
        if share.max() < _SMALL:
            continue
        axes.bar(range(len(line)), share, 0.8, bottom=below, label=label)
        below += share
    for i, milliseconds in enumerate(total):
        axes.annotate(f"{milliseconds:.2g} ms", (i, 1.01), ha="center", fontsize="small")
    axes.set_xticks(range(len(line)), [p["batch"] for p in line])
    axes.minorticks_off()
    axes.set_ylim(0, 1.45)
    axes.set_xlabel("Objects in an event (batch size)")
    axes.set_ylabel(f"Share of the modules' time ({provider})")
    axes.legend(fontsize="small", ncols=2, loc="upper center")


def _lines(points: Points) -> Iterable[tuple[str, dict[str, Any], list[Mapping[str, Any]]]]:
    """Name, look and points of each line: a method on a provider, in the order of the legend."""

    def line(point: Mapping[str, Any]) -> tuple[int, str]:
        return list(_MARKERS).index(point["method"]), point["provider"]

    for (_, provider), members in groupby(sorted(points, key=line), line):
        members = sorted(members, key=lambda p: (p["batch"], p["threads"]))
        method = members[0]["method"]
        linestyle = PROVIDERS[provider].linestyle
        look = {"color": _COLOURS[method], "marker": _MARKERS[method], "linestyle": linestyle}
        yield f"{method}, {provider}", look, members


def _band(axes: Axes, name: str, look: Mapping[str, Any], x: Sequence[float], bands: Points) -> None:
    """A line through the medians, and the 16-84 % range about it."""
    axes.plot(x, [band["median"] for band in bands], label=name, **look)
    low, high = ([band[key] for band in bands] for key in ("p16", "p84"))
    axes.fill_between(x, low, high, color=look["color"], alpha=0.25, linewidth=0)


def _comparison_of_threads(points: Points) -> Points:
    """cmsRun's points at the batch size at which threads were compared."""
    cmsrun = [p for p in points if p["method"] == CMSRUN]
    batches = {p["batch"] for p in cmsrun if p["threads"] > 1}
    return [p for p in cmsrun if p["batch"] in batches]


def _events_per_s(line: Points) -> tuple[list[int], list[dict[str, float]]]:
    threads = [p["threads"] for p in line]
    return threads, [{k: p["objects_per_s"][k] / p["batch"] for k in ("median", "p16", "p84")} for p in line]


def _batch_axis(axes: Axes, points: Points) -> None:
    batches = sorted({p["batch"] for p in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, batches)
    axes.minorticks_off()
    axes.set_xlabel("Objects in an event (batch size)")


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize="small")
