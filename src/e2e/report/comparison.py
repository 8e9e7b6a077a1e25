"""All models of a task side by side: how good, how large, how fast; as record, table and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from e2e import tasks
from e2e.benchmark.methods import BARE, CMSRUN
from e2e.data.scores import read_scores
from e2e.deploy.contract import load_contract
from e2e.deploy.flops import flops
from e2e.deploy.providers import CPU
from e2e.deploy.releases import oldest
from e2e.errors import E2EError
from e2e.files import read_json
from e2e.learning.measures import measures
from e2e.learning.statistics import BOOTSTRAP_SEED, REPLICAS, Estimate, EventBootstrap, events
from e2e.models import same_as
from e2e.report import style
from e2e.report.merits import Merit, merit
from e2e.tasks import Task

METHODS = (BARE, CMSRUN)
GREY = "#717581"  # of what is no network
REFERENCE, TREES, WITH_RECONSTRUCTION = "reference", "trees", "with_reconstruction"
COMPARED = (REFERENCE, TREES, WITH_RECONSTRUCTION)  # with each model in the table, where they are
SHOWN = ("dead channels 1 %", "threshold 0.3 GeV")  # changes of the detector that have a column of the table
_MARKERS = {BARE: "o", CMSRUN: "s"}
Models = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Files:
    """What the workflow has made of one model; the last two where cmsRun can read the task's files.

    ``scores`` are those of its trainings, of a seed each; all else is of the first of them.
    """

    metrics: str | Path
    scores: Sequence[str | Path]
    onnx: str | Path
    training: str | Path  # training_time.json
    benchmark: str | Path | None = None
    robustness: str | Path | None = None


def compare(
    models: Mapping[str, Files],
    reference: str | Path,
    reference_scores: Sequence[str | Path],
    declared: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The comparison of ``models``, by name, with the reference and what stands beside it; best model first.

    ``reference`` is its metrics.json, ``reference_scores`` are the tables of its trainings, of a seed each.
    ``declared`` names the one comparison that was decided upon beforehand, one of two models, or of a model
    and ``reference`` or ``trees`` (default: the first model and the reference); all others are exploratory.

    Of each model the record holds the metric on the test part, a mean over its trainings, with its intervals,
    the paired differences of such means ``versus`` the reference, what stands beside it, and the best model;
    those of the first training to itself in a changed detector (``changed``, of the reference, too), the
    numbers of parameters and of ``flops``, the wall time of the training (s), and milliseconds per object on
    one thread of a CPU, in ONNX Runtime and in the tagger of cmsRun, at the smallest batch that was measured,
    and the oldest CMSSW release that takes it. Of masses, it and what stands beside it also have what stands
    ``beside`` the metric, and ``bands`` of the true mass, of the first training. Intervals hold the
    resampling of events and, of several trainings, the spread of seeds (``Estimate.of_seeds``). Raises
    E2EError where the models were not measured on the same objects.
    """
    measured_reference = read_json(reference)
    contracts = {name: load_contract(files.onnx) for name, files in models.items()}
    task = next(iter(contracts.values())).task
    metric = merit(task)
    records = {name: read_json(files.benchmark) for name, files in models.items() if files.benchmark}
    points = {name: _points(benchmark) for name, benchmark in records.items()}
    changed_reference: dict[str, Any] = {}
    batch = min((size for of in points.values() for size, _ in of), default=None)
    for files in models.values():
        if read_json(files.metrics)["objects"] != measured_reference["objects"]:
            raise E2EError(f"{files.metrics}: of other objects than {reference}; evaluate the model anew")
    trainings = Trainings(task, models, reference_scores)
    measured = {}
    for name, files in models.items():
        metrics, contract = read_json(files.metrics), contracts[name]
        found = points.get(name, {})
        release = oldest(contract.opset, contract.ir_version)
        twin = same_as(metrics["model"])
        measured[name] = {
            "architecture": metrics["model"],
            "same_network_as": [other for other in models if _is(models[other], twin)],
            "trainings": len(files.scores),
            metric.key: trainings.mean(name),
            **_beside(metrics, metric),
            "versus": {other: trainings.difference(name, other) for other in trainings.others},
            "parameters": metrics["parameters"],
            "flops": flops(files.onnx),
            "training_s": read_json(files.training)["wall_s"],
            "opset": contract.opset,
            "ir_version": contract.ir_version,
            "oldest_cmssw": release.name if release else None,
            "ms_per_object": {method: found[batch, method] for method in METHODS if (batch, method) in found},
        }
        if files.robustness:
            record = read_json(files.robustness)
            measured[name]["changed"] = _changed(record, "network", metric.key)
            changed_reference = _changed(record, record["reference"], metric.key)
    ranking = sorted(
        measured, key=lambda name: measured[name][metric.key]["value"], reverse=metric.larger_is_better
    )
    for name in ranking[1:]:
        measured[name]["versus_best"] = trainings.difference(name, ranking[0])
    one, other = declared or (next(iter(models)), REFERENCE)
    return {
        "task": task.name,
        "origin": measured_reference["training_data"]["origin"],
        "metric": metric.key,
        "unit": metric.unit,
        "objects": measured_reference["objects"],
        "batch": batch,
        "machines": sorted({benchmark["machine"]["cpu"]["model"] for benchmark in records.values()}),
        "declared": {"one": one, "other": other, **trainings.difference(one, other)},
        "reference": {
            "model": measured_reference["model"],
            "trainings": len(reference_scores),
            **{
                name: measured_reference[name] for name in ("kinematics_alone",) if name in measured_reference
            },
            "changed": changed_reference,
        },
        "others": {
            name: {
                metric.key: trainings.mean(name),
                **_beside(
                    measured_reference if name == REFERENCE else measured_reference["others"][name], metric
                ),
            }
            for name in trainings.others
        },
        "models": {name: measured[name] for name in ranking},
    }


def _beside(metrics: Mapping[str, Any], metric: Merit) -> dict[str, Any]:
    """What stands beside the metric, and that in bands of the true quantity."""
    if metric.true is None:
        return {}
    keys = ("low", "high", *metric.banded)
    return {
        "beside": {key: metrics[key] for key in metric.beside if key in metrics},
        "bands": [{key: band[key] for key in keys} for band in metrics["dependence"]["mass"]],
    }


def _is(files: Files, architecture: str | None) -> bool:
    return read_json(files.metrics)["model"] == architecture


class Trainings:
    """The figure of merit of each training of models, of the reference and of what stands beside it.

    All on the same resampled events. ``others`` names what is no model: ``reference``, and columns of its
    scores.
    """

    def __init__(self, task: Task, models: Mapping[str, Files], reference_scores: Sequence[str | Path]):
        known = measures(task)
        objects = read_scores(reference_scores[0])
        beside = [name for name in known.others if set(known.spread(name)) <= set(objects)]
        self.others = (REFERENCE, *beside)
        tables = {name: (files.scores, None) for name, files in models.items()}
        tables |= {name: (reference_scores, name if name != REFERENCE else None) for name in self.others}
        target = objects["target"].to_numpy(np.float64)
        figures = {
            (name, i): known.figure(known.read(path, objects, column), target)
            for name, (paths, column) in tables.items()
            for i, path in enumerate(paths)
        }
        bootstrap = EventBootstrap(events(objects), REPLICAS, BOOTSTRAP_SEED, known.weight(objects))
        found = bootstrap.estimate(figures)
        self._each = {
            name: Estimate(
                np.array([found[name, i].value for i in range(len(paths))]),
                np.stack([found[name, i].replicas for i in range(len(paths))], axis=1),
            )
            for name, (paths, _) in tables.items()
        }

    def mean(self, name: str) -> dict[str, Any]:
        """Mean of the trainings, with its intervals."""
        return self._each[name].of_seeds().summary()

    def difference(self, one: str, other: str) -> dict[str, Any]:
        """Difference of the means of two, with its intervals and p-value."""
        found = self._each[one].of_seeds() - self._each[other].of_seeds(side=1)
        return {
            "difference": found.summary(),
            "p_value": found.p_value(),
            "least_p_value": found.least_p_value(),
        }


def _changed(record: Mapping[str, Any], who: str, key: str) -> dict[str, Any]:
    """What the metric loses or gains by each change of the detector, by its label."""
    return {change["label"]: change[who][key]["difference"] for change in record["changes"]}


def _points(benchmark: Mapping[str, Any]) -> dict[tuple[int, str], dict[str, float]]:
    """Milliseconds per object, by batch size and method, of what ran on one thread of a CPU."""
    return {
        (point["batch"], point["method"]): {
            **{key: point["call_ms"][key] / point["batch"] for key in ("median", "p16", "p84")},
            "n": point["call_ms"]["n"],
        }
        for point in benchmark["points"]
        if point["status"] == "ok"
        and point["provider"] == CPU.name
        and point["threads"] == 1
        and point["method"] in METHODS
    }


def table(content: Mapping[str, Any]) -> str:
    """The record as a table (Markdown), a row a model, with 68 % intervals; above it what was declared."""
    metric = merit(tasks.task(content["task"]))
    unit = metric.in_unit
    beside = [name for name in content["others"] if name in COMPARED]
    shown = [label for label in SHOWN if label in content["reference"]["changed"]]
    header = [
        "model",
        f"{metric.name}{unit}",
        *(part for name in beside for part in (f"minus {_called(name)}, paired", "p-value")),
        "minus the best, paired",
        *metric.beside.values(),
        *(f"with {label}" for label in shown),
        "parameters",
        "MFLOP",
        "training [s]",
        *(f"{method} [ms]" for method in METHODS),
        "opset, IR",
        "oldest CMSSW",
    ]
    rows = [
        [
            name,
            _interval(of[metric.key]),
            *(part for other in beside for part in _versus(of["versus"][other])),
            _interval(of["versus_best"]["difference"], "+") if "versus_best" in of else "",
            *_shown_beside(of, metric),
            *(_interval(of["changed"][label], "+") for label in shown),
            f"{of['parameters']:,}",
            f"{of['flops'] / 1e6:.1f}",
            f"{of['training_s']:.0f}",
            *(_band(of["ms_per_object"].get(method)) for method in METHODS),
            f"{of['opset']}, {of['ir_version']}",
            of["oldest_cmssw"] or "none known",
        ]
        for name, of in content["models"].items()
    ]
    for name, of in content["others"].items():
        row = [_called(name), _interval(of[metric.key]), *[""] * (2 * len(beside) + 1)]
        row += _shown_beside(of, metric)
        if name == REFERENCE:
            row += [_interval(content["reference"]["changed"][label], "+") for label in shown]
        rows.append(row + [""] * (len(header) - len(row)))
    lines = _markdown([header, ["---"] * len(header), *rows])
    notes = _notes(content, metric, shown)
    return "\n".join([declaration(content), "", *lines, "", *_bands(content, metric), *notes, ""])


def declaration(content: Mapping[str, Any]) -> str:
    """The comparison that was declared beforehand, as a sentence (Markdown)."""
    metric = merit(tasks.task(content["task"]))
    found, models = content["declared"], content["models"]
    trainings = content["reference"]["trainings"]
    one, other = (
        f"{_called(name)} ({models[name]['trainings'] if name in models else trainings})"
        for name in (found["one"], found["other"])
    )
    value, (low, high) = found["difference"]["value"], found["difference"]["interval_95"]
    digits = f"+.{metric.digits}f"
    return (
        f"**Declared beforehand: {one} minus {other}**, numbers of trainings in brackets. {metric.name}: "
        f"{value:{digits}}{metric.of_unit} (95 %: {low:{digits}} to {high:{digits}}), "
        f"p {style.p_value(found)}. All other comparisons are exploratory."
    )


def _notes(content: Mapping[str, Any], metric: Merit, shown: Sequence[str]) -> list[str]:
    numbers = sorted({of["trainings"] for of in content["models"].values()})
    intervals = "over resampled events, of one training each: the spread of seeds is in no interval."
    if numbers[-1] > 1:
        intervals = (
            f"of means over {', '.join(map(str, numbers))} trainings: events are resampled, and the mean of "
            "so many seeds is uncertain by Student's t."
        )
    origin, objects = style.ORIGINS[content["origin"]], content["objects"]["test"]
    notes = [
        f"{origin}; test part, {objects:,} objects; 68 % intervals {intervals}",
        "The reference: trees and three small networks on hand-made shapes of the same crops, in the mean "
        "that is best in the validation part. The trees: plain ones on the same shapes.",
        *(
            f"{name} is the same network as {of['same_network_as'][0]} in another framework: one, not two."
            for name, of in content["models"].items()
            if of["same_network_as"]
        ),
        "Training: wall time of its job, beside others of the run; killed attempts included.",
        "FLOP of one object: convolutions and products of matrices, two for a multiply-add.",
    ]
    if shown:
        notes.append(
            f"With a changed detector: paired differences of the {metric.phrase} to the unchanged one; "
            "robustness.json of each model holds all."
        )
    if content["batch"]:
        notes.append(
            f"Milliseconds per object at batches of {content['batch']}, one thread of "
            f"{', '.join(content['machines'])}: median and 16-84 % range, of calls (ONNX Runtime) and of the "
            "means of runs (the tagger in cmsRun)."
        )
    else:
        notes.append("No times: cmsRun needs ntuples, or benchmark.json says why a point failed.")
    if WITH_RECONSTRUCTION in content["others"]:
        notes.append(
            "With reconstruction: the reference also sees pT, eta and mass of the reconstructed jet, which "
            "come from more than the crop."
        )
    alone = content["reference"].get("kinematics_alone")
    if alone:
        away = abs(alone["value"] - 0.5) / alone["standard_error"]
        notes.append(
            "Control: boosted trees on pT and eta alone, with the weights, have an AUC of "
            f"{_interval(alone)}, {away:.1f} standard errors from 1/2."
        )
    return notes


def _called(name: str) -> str:
    """What a table says of a model, of the reference, or of what stands beside it."""
    with_reconstruction = "the reference with reconstruction"
    names = {REFERENCE: "the reference", TREES: "the trees", WITH_RECONSTRUCTION: with_reconstruction}
    return names.get(name, name)


def _versus(versus: Mapping[str, Any]) -> tuple[str, str]:
    return _interval(versus["difference"], "+"), style.p_value(versus).removeprefix("= ")


def _markdown(lines: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in lines]


def _shown_beside(of: Mapping[str, Any], metric: Merit) -> list[str]:
    return [_interval(of["beside"][key]) if key in of["beside"] else "" for key in metric.beside]


def _bands(content: Mapping[str, Any], metric: Merit) -> list[str]:
    """A second table: a row a model and figure, a column a band of the true quantity."""
    if metric.true is None:
        return []
    reference = content["others"][REFERENCE]
    of = {**content["models"], _called(REFERENCE): reference}
    bands = reference["bands"]
    edges = [f"{band['low']:.1f} to {band['high']:.1f}{metric.of_unit}" for band in bands]
    header = ["model", "in bands of the truth", *edges]
    rows = [
        [name, label, *(_interval(band[key], "+" if key == "bias" else "") for band in found["bands"])]
        for name, found in of.items()
        for key, label in metric.banded.items()
    ]
    return [*_markdown([header, ["---"] * len(header), *rows]), ""]


def _interval(summary: Mapping[str, Any], sign: str = "") -> str:
    value, low, high = (
        "∞" if number is None else f"{number:{sign}.4f}"
        for number in (summary["value"], *summary["interval_68"])
    )
    return f"{value} ({low} to {high})"


def _band(band: Mapping[str, float] | None) -> str:
    return f"{band['median']:.2f} ({band['p16']:.2f} to {band['p84']:.2f})" if band else "not measured"


def draw(content: Mapping[str, Any]) -> Figure:
    """The record as a figure: the metric, its paired difference to the reference, and what it costs.

    Thick error bars are 68 % intervals, thin ones 95 %.
    """
    models, key = content["models"], content["metric"]
    metric = merit(tasks.task(content["task"]))
    colours = {model: f"C{number}" for number, model in enumerate(models)}
    figure, (values, differences, costs) = style.figure(
        columns=3, width=6.4, height=max(4.0, 1.5 + 0.95 * len(models) + 0.5 * len(content["others"]))
    )

    for axis in (values, costs):
        _reference(axis, content["others"][REFERENCE][key], vertical=axis is values)
    for row, (model, of) in enumerate(models.items()):
        _bar(values, row, of[key], colours[model])
        _bar(differences, row, of["versus"][REFERENCE]["difference"], colours[model])
    for row, of in enumerate(content["others"].values(), len(models)):
        _bar(values, row, of[key], GREY)
    differences.axvline(0.0, color=GREY, linestyle="--")
    values.set(xlabel=metric.label)
    differences.set(xlabel=f"Difference to the reference, paired{metric.in_unit}")
    for axis in (values, differences):
        axis.set_ylim(len(models) + len(content["others"]) - 0.5, -0.6)
        axis.tick_params(axis="y", which="both", left=False, right=False)
        axis.set_yticks([])
        axis.locator_params(axis="x", nbins=5)
    names = [*(_described(model, of) for model, of in models.items())]
    names += [_called(name).removeprefix("the ").replace(" with", "\nwith") for name in content["others"]]
    values.set_yticks(range(len(names)), names)
    for text, colour in zip_longest(values.get_yticklabels(), colours.values(), fillvalue=GREY):
        text.set(color=colour, fontsize=13, linespacing=1.3)

    if content["batch"]:
        _cost(costs, models, key, colours)
        of = "object" if content["batch"] == 1 else "objects"
        costs.set(
            ylabel=metric.label, xlabel=f"Time per object [ms], {content['batch']} {of} a call, one thread"
        )
        style.label(costs, "", ", ".join(content["machines"]))
    else:
        costs.clear()
        costs.set_axis_off()
        text = "no times:\ncmsRun needs ntuples,\nor no point was measured"
        costs.text(0.5, 0.5, text, ha="center", va="center", transform=costs.transAxes)
    style.label(values, style.events(content["origin"]))
    style.label(differences, "", f"{content['task']}, {content['objects']['test']:,} test objects")
    alone = content["reference"].get("kinematics_alone")
    if alone:
        text = (
            f"Trees on $p_T$ and $\\eta$ alone: AUC {alone['value']:.3f} $\\pm$ {alone['standard_error']:.3f}"
        )
        figure.supxlabel(text, fontsize=13, x=0.01, ha="left", color=GREY)
    return figure


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
    """The reference: a line with its 68 % interval."""
    line, span = (axis.axvline, axis.axvspan) if vertical else (axis.axhline, axis.axhspan)
    span(*summary["interval_68"], color=GREY, alpha=0.2, linewidth=0)
    line(summary["value"], color=GREY, linestyle="--", label="reference")


def _cost(axis: Axes, models: Models, key: str, colours: Mapping[str, str]) -> None:
    """The metric against the time per object, in each method, its two points joined by a line."""
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
