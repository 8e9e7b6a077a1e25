"""Tables and sentences of the results of a task, each number with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from e2e.data.store import Samples
from e2e.deploy import contract
from e2e.deploy.providers import CPU
from e2e.learning.measures import measures
from e2e.learning.working_points import ALL
from e2e.report import style
from e2e.report.merits import MANY_CLASSES, MASS, TWO_CLASSES, merit
from e2e.report.notebooks.results import BDT, Results
from e2e.report.samples import by_class


def interval(summary: Mapping[str, Any], digits: int = 4) -> str:
    """Value and 95 % interval of a summary in words; one that is not finite is "∞"."""
    value, low, high = (
        "∞" if number is None else f"{number:.{digits}f}"
        for number in (summary["value"], *summary["interval_95"])
    )
    return f"{value} ({low} to {high})"


def content(samples: Samples) -> pd.DataFrame:
    """By channel and class: hits an object, occupancy (part of the cells with a hit), sum of the hits."""
    pixels = samples.shape[1] * samples.shape[2]
    owner = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    rows = {}
    for number, channel in enumerate(samples.channels):
        here = samples.index // pixels == number
        counts = np.bincount(owner[here], minlength=len(samples))
        sums = np.bincount(owner[here], samples.value[here], minlength=len(samples))
        for name, chosen in by_class(samples.target, samples.classes):
            rows[channel.name, name] = {
                "hits an object": f"{counts[chosen].mean():.1f}",
                "occupancy": f"{counts[chosen].mean() / pixels:.3%}",
                "sum of the hits": f"{sums[chosen].mean():.4g} {channel.unit}",
            }
    return pd.DataFrame(rows).T


def architectures(results: Results) -> str:
    """What each model is, from the first words of its file, as Markdown."""
    entries = []
    for model in results.models:
        name = results.metrics(model)["model"]
        title, _, text = import_module(f"e2e.models.{name}").__doc__.partition("\n\n")
        entries.append(f"- **{model}** (`src/e2e/models/{name}.py`): {title} {' '.join(text.split())}")
    return "\n".join(entries)


def performance(results: Results) -> pd.DataFrame:
    """A row a model, the reference, and what stands beside it: figures of the test part, 95 % intervals."""
    rows = {MANY_CLASSES: _of_many, TWO_CLASSES: _of_two, MASS: _of_masses}[merit(results.task).kind]
    return pd.DataFrame({name: rows(results, metrics) for name, metrics in measured(results).items()}).T


def _of_two(results: Results, metrics: Mapping[str, Any]) -> dict[str, str]:
    background, signal = results.task.classes
    return {
        "parameters": _parameters(metrics),
        "AUC": interval(metrics["auc"]),
        "AUC without weights": interval(metrics["auc_unweighted"]),
        **_rejections(metrics, background, signal),
        "calibration error": interval(metrics["calibration"]["expected_calibration_error"], 3),
        "if perfect": f"{metrics['calibration']['error_if_perfect']:.3f}",
    }


def _rejections(metrics: Mapping[str, Any], background: str, signal: str) -> dict[str, str]:
    at = {entry["signal_efficiency"]: entry["rejection"] for entry in metrics["background_rejection"]}
    return {f"{background} rejection at {cut:.0%} {signal}s": interval(at[cut], 2) for cut in (0.5, 0.7)}


def _of_many(results: Results, metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "parameters": _parameters(metrics),
        "mean AUC": interval(metrics["auc"]),
        "mean AUC without weights": interval(metrics["auc_unweighted"]),
        "accuracy": interval(metrics["accuracy"]),
        **{f"AUC of {name}": interval(each["auc"]) for name, each in metrics["classes"].items()},
    }


def _of_masses(results: Results, metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "parameters": _parameters(metrics),
        "mean absolute error [GeV]": interval(metrics["mean_absolute_error"], 3),
        "relative error, 68 % below": interval(metrics["relative_error_68"], 3),
        "bias": interval(metrics["bias"], 3),
        "slope": interval(metrics["slope"], 3),
        "calibrated resolution": interval(metrics["resolution"], 3),
        "coverage": interval(metrics["coverage"], 3) if "coverage" in metrics else "-",
    }


def bands(results: Results) -> pd.DataFrame:
    """Of masses: bias and calibrated resolution in bands of true mass, with 95 % intervals.

    Columns are the rows of ``performance``.
    """
    figures = {"bias": "bias", "calibrated resolution": "resolution"}
    return pd.DataFrame(
        {
            name: {
                (f"{band['low']:.1f} to {band['high']:.1f} GeV", label): interval(band[figure], 3)
                for band in metrics["dependence"]["mass"]
                for label, figure in figures.items()
            }
            for name, metrics in measured(results).items()
        }
    )


def _parameters(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['parameters']:,}" if "parameters" in metrics else "-"


def measured(results: Results) -> dict[str, dict[str, Any]]:
    """The metrics of each model, of the reference, and of what stands beside it."""
    reference = results.metrics(BDT)
    others = reference["others"]
    return {
        **{model: results.metrics(model) for model in results.models},
        results.task.reference: reference,
        **{label: others[name] for name, label in measures(results.task).others.items() if name in others},
    }


def working_points(results: Results) -> pd.DataFrame:
    """A row a model, or the reference, and working point: shares of each kind that pass, in percent.

    With 95 % intervals, of the test part.
    """
    rows = {}
    for model, metrics in measured(results).items():
        if "working_points" not in metrics:
            continue  # of what stands beside the reference
        found = metrics["working_points"]
        for point in found["points"]:
            rows[model, point] = {
                name if kind == ALL else kind: _percent(content[point])
                for name, kinds in found["passing"].items()
                for kind, content in kinds.items()
            }
    return pd.DataFrame(rows).T


def _percent(summary: Mapping[str, Any]) -> str:
    low, high = summary["interval_95"]
    return f"{100 * summary['value']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def leader(results: Results) -> str:
    """Whose figure of merit is best, the reference and what stands beside it included, and which network's.

    As sentences in Markdown; whether the differences are more than chance is for ``verdicts`` to say.
    """
    of = merit(results.task)
    key, unit, digits = of.key, of.of_unit, of.digits
    what = f"{'largest' if of.larger_is_better else 'smallest'} {of.phrase}"
    ranked = sorted(
        measured(results).items(), key=lambda item: item[1][key]["value"], reverse=of.larger_is_better
    )
    name, metrics = ranked[0]
    network, of_network = next(item for item in ranked if item[0] in results.models)
    text = f"The {what} is that of **{name}**: {interval(metrics[key], digits)}{unit}"
    if name != network:
        text += f"; of the networks, that of **{network}**: {interval(of_network[key], digits)}{unit}"
    counts = of_network["objects"]
    return (
        f"{text} on {counts['test']:,} test objects. **{network}** has {of_network['parameters']:,} "
        f"parameters and was trained on {counts['train']:,} objects."
    )


def remarks(results: Results, texts: Mapping[tuple[str, ...], str]) -> str:
    """Those of the ``texts`` of whose architectures, their keys, all were trained here."""
    trained = {results.metrics(model)["model"] for model in results.models}
    return " ".join(text for architectures, text in texts.items() if trained.issuperset(architectures))


def differences(results: Results) -> pd.DataFrame:
    """Every pair of models, and of a model and a reference, by the paired bootstrap over events.

    Columns ``one``, ``other``, ``difference`` (one minus other: of the AUC, or of the mean absolute error in
    GeV), ``low`` and ``high`` (95 %), ``p`` (see ``style.p_value``), ``significant`` (zero is outside the
    interval).
    """
    predictions = results.predictions()
    rows = []
    for one, other in combinations(predictions, 2):
        if one not in results.models:
            continue  # two references
        found = results.compare(predictions[one], predictions[other])
        low, high = found["difference"]["interval_95"]
        rows.append(
            {
                "one": one,
                "other": other,
                "difference": found["difference"]["value"],
                "low": low,
                "high": high,
                "p": style.p_value(found),
                "significant": not low <= 0 <= high,
            }
        )
    return pd.DataFrame(rows)


def verdicts(results: Results, found: pd.DataFrame) -> str:
    """The ``differences`` as sentences in Markdown, the significant ones apart from the others."""
    of = merit(results.task)
    what, unit, digits = of.phrase, of.of_unit, of.digits
    lines = {True: [], False: []}
    for row in found.itertuples():
        lines[row.significant].append(
            f"- {what} of **{row.one}** minus that of **{row.other}**: {row.difference:+.{digits}f}{unit} "
            f"({row.low:+.{digits}f} to {row.high:+.{digits}f}), p {row.p}"
        )
    none = {True: "No difference excludes zero.", False: "Every difference excludes zero."}
    return "\n\n".join(
        f"{title}\n\n" + "\n".join(lines[kind]) if lines[kind] else none[kind]
        for kind, title in (
            (True, "**Significant**, since the 95 % interval excludes zero:"),
            (False, "**Not significant**: with so many test objects these cannot be told apart:"),
        )
    )


def trades(results: Results, found: pd.DataFrame) -> str:
    """What each pair of models gains, by their ``differences``, and costs, as sentences in Markdown."""
    pairs = found[found["other"].isin(results.models)]
    if pairs.empty:
        return "This run has one model: there is no other one to weigh it against."
    what = merit(results.task).phrase + merit(results.task).in_unit
    lines, seconds = [], results.training_seconds()
    for row in pairs.itertuples():
        counts = " against ".join(_parameters(results.metrics(model)) for model in (row.one, row.other))
        told = "significant" if row.significant else "not significant"
        line = f"- **{row.one}** against **{row.other}**: {what} {row.difference:+.4f} ({told})"
        line += f"; {counts} parameters"
        line += f"; trained in {seconds[row.one]:.0f} against {seconds[row.other]:.0f} s"
        if results.in_cmsrun:
            speeds = [_speed(results, model) for model in (row.one, row.other)]
            line += "; {:,.0f} against {:,.0f} objects/s in cmsRun at best (CPU, one thread)".format(*speeds)
        lines.append(line)
    return "\n".join(lines)


def _speed(results: Results, model: str) -> float:
    """Highest throughput (objects/s) of cmsRun on the CPU with one thread; NaN if none was measured."""
    on_cpu = [point for point in results.timings(model) if point["provider"] == CPU.name]
    speeds = [point["objects_per_s"]["median"] for point in on_cpu]
    return max(speeds, default=np.nan)


def training(results: Results) -> pd.DataFrame:
    """A row a model: epochs trained, the epoch kept, losses there, wall time of the job, and seed."""
    rows, seconds = {}, results.training_seconds()
    for model, history in results.histories().items():
        kept = history.loc[history["validation_loss"].idxmin()]
        rows[model] = {
            "epochs": len(history),
            "epoch kept": int(kept["epoch"]),
            "training loss there": f"{kept['training_loss']:.4f}",
            "validation loss there": f"{kept['validation_loss']:.4f}",
            "wall time [s]": f"{seconds[model]:.0f}",
            "seed": results.metrics(model)["seed"],
        }
    return pd.DataFrame(rows).T


def agreement(results: Results) -> pd.DataFrame:
    """A row a model: objects compared, largest difference of each output beside its tolerance, near-ties."""
    rows = {}
    for model in results.models:
        record = results.agreement(model)
        rows[model] = {"objects": f"{record['n_objects']:,}"}
        for output, tolerance in record["tolerances"].items():
            largest = max(pair[output]["max"] for pair in record["pairs"].values())
            kind = "relative difference" if output == contract.MASS.name else "difference"
            rows[model][f"largest {kind} in {output}"] = f"{largest:.1e}"
            rows[model][f"tolerance of {output}"] = f"{tolerance:.0e}"
        rows[model]["near-ties left out"] = len(record["near_ties"])
    return pd.DataFrame(rows).T


def cost(results: Results) -> pd.DataFrame:
    """A row a model and device: cmsRun with one thread, at the smallest event and at the highest throughput.

    Medians with the 16-84 % range of the repeats.
    """
    rows = {}
    for model in results.models:
        points = results.timings(model)
        for provider in sorted({point["provider"] for point in points}):
            here = [point for point in points if point["provider"] == provider]
            smallest = min(here, key=lambda point: point["batch"])
            fastest = max(here, key=lambda point: point["objects_per_s"]["median"])
            rows[model, provider] = {
                f"model alone, event of {smallest['batch']} [ms]": _band(smallest["call_ms"], 2),
                "highest throughput [objects/s]": _band(fastest["objects_per_s"], 0),
                "objects an event there": fastest["batch"],
                "peak memory [MB]": f"{fastest['peak_rss_bytes'] / 1e6:.0f}",
            }
    return pd.DataFrame(rows).T


def _band(band: Mapping[str, float], digits: int) -> str:
    """Median with the 16-84 % range."""
    median, low, high = (f"{band[name]:,.{digits}f}" for name in ("median", "p16", "p84"))
    return f"{median} ({low} to {high})"
