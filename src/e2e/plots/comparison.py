"""The figure that compares the models of a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from e2e.benchmark.methods import BARE, CMSRUN
from e2e.plots import style

BDT = "#717581"
_MARKERS = {BARE: "o", CMSRUN: "s"}
Models = Mapping[str, Mapping[str, Any]]


def draw(content: Mapping[str, Any], name: str, unit: str, path: str | Path) -> None:
    """Draw the record of a comparison: the metric, its paired difference to the BDT, and what it costs.

    ``name`` and ``unit`` are those of the metric. Thick error bars are 68 % intervals, thin ones 95 %.
    """
    models, key = content["models"], content["metric"]
    label = name if unit == "1" else f"{name} [{unit}]"
    colours = {model: f"C{number}" for number, model in enumerate(models)}
    figure, (values, differences, costs) = style.figure(
        columns=3, width=6.4, height=max(4.0, 2.0 + 0.95 * len(models))
    )

    for axis in (values, costs):
        _reference(axis, content["bdt"][key], vertical=axis is values)
    for row, (model, of) in enumerate(models.items()):
        _bar(values, row, of[key], colours[model])
        _bar(differences, row, of["versus_bdt"]["difference"], colours[model])
    _bar(values, len(models), content["bdt"][key], BDT)
    differences.axvline(0.0, color=BDT, linestyle="--")
    values.set(xlabel=label)
    differences.set(xlabel=f"Difference to the BDT, paired{'' if unit == '1' else f' [{unit}]'}")
    for axis in (values, differences):
        axis.set_ylim(len(models) + 0.5, -0.6)
        axis.tick_params(axis="y", which="both", left=False, right=False)
        axis.set_yticks([])
        axis.locator_params(axis="x", nbins=5)
    names = [*(_described(model, of) for model, of in models.items()), "BDT"]
    values.set_yticks(range(len(names)), names)
    for text, colour in zip(values.get_yticklabels(), (*colours.values(), BDT), strict=True):
        text.set(color=colour, fontsize=13, linespacing=1.3)

    if content["batch"]:
        _cost(costs, models, key, colours)
        of = "object" if content["batch"] == 1 else "objects"
        costs.set(ylabel=label, xlabel=f"Time per object [ms], {content['batch']} {of} a call, one thread")
        style.label(costs, "", ", ".join(content["machines"]))
    else:
        costs.clear()
        costs.set_axis_off()
        text = "no times:\ncmsRun needs ntuples,\nor no point was measured"
        costs.text(0.5, 0.5, text, ha="center", va="center", transform=costs.transAxes)
    style.label(values, style.events(content["origin"]))
    style.label(differences, "", f"{content['task']}, {content['objects']['test']:,} test objects")
    alone = content["bdt"].get("kinematics_alone")
    if alone:
        text = (
            f"BDT on $p_T$ and $\\eta$ alone: AUC {alone['value']:.3f} $\\pm$ {alone['standard_error']:.3f}"
        )
        figure.supxlabel(text, fontsize=13, x=0.01, ha="left", color=BDT)
    style.save(figure, path)


def _described(model: str, of: Mapping[str, Any]) -> str:
    seconds = of["training_s"]
    training = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return (
        f"{model}\n{_short(of['parameters'])} parameters\n"
        f"{of['flops'] / 1e6:.3g} MFLOP, trained in {training}"
    )


def _short(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def _bar(axis: Axes, row: float, summary: Mapping[str, Any], colour: str) -> None:
    axis.plot(summary["interval_95"], [row, row], color=colour, linewidth=1.3)
    axis.plot(summary["interval_68"], [row, row], color=colour, linewidth=4.5, solid_capstyle="butt")
    axis.plot(summary["value"], row, "o", color=colour, markersize=9, markeredgecolor="white")


def _reference(axis: Axes, summary: Mapping[str, Any], vertical: bool) -> None:
    """The BDT: a line with its 68 % interval."""
    line, span = (axis.axvline, axis.axvspan) if vertical else (axis.axhline, axis.axhspan)
    span(*summary["interval_68"], color=BDT, alpha=0.2, linewidth=0)
    line(summary["value"], color=BDT, linestyle="--", label="BDT")


def _cost(axis: Axes, models: Models, key: str, colours: Mapping[str, str]) -> None:
    """The metric against the time per object, by each method, its two points joined by a line."""
    for model, of in models.items():
        value, (low, high) = of[key]["value"], of[key]["interval_68"]
        bands = of["ms_per_object"]
        axis.plot(
            [band["median"] for band in bands.values()], [value] * len(bands), color=colours[model], alpha=0.4
        )
        for method, band in bands.items():
            axis.errorbar(
                band["median"],
                value,
                [[value - low], [high - value]],
                [[band["median"] - band["p16"]], [band["p84"] - band["median"]]],
                fmt=_MARKERS[method],
                color=colours[model],
                markerfacecolor=colours[model] if method == BARE else "white",
                markersize=8,
                elinewidth=1.5,
            )
    for method, marker in _MARKERS.items():
        face = "black" if method == BARE else "white"
        axis.plot([], [], marker, color="black", markerfacecolor=face, markersize=8, label=method)
    axis.set_xscale("log")
    bands = [band for of in models.values() for band in of["ms_per_object"].values()]
    low, high = (min(band["p16"] for band in bands), max(band["p84"] for band in bands))
    axis.set_xlim(low / 1.3, high * 1.3)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom, top + 0.2 * (top - bottom))  # room for the legend
    axis.legend(fontsize=12, loc="upper center", ncols=3, columnspacing=1.0)
