"""All models of a task side by side: how good, how large, how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.benchmark.methods import BARE, CMSRUN
from e2e.data.scores import read_scores
from e2e.deploy.contract import load_contract
from e2e.deploy.flops import flops
from e2e.deploy.providers import CPU
from e2e.deploy.releases import oldest
from e2e.errors import E2EError
from e2e.files import read_json, whole, write_json
from e2e.learning import evaluate, regression
from e2e.plots import comparison as plots
from e2e.plots import style

METHODS = (BARE, CMSRUN)


@dataclass(frozen=True)
class Metric:
    """What models of a task are compared by: its key in metrics.json, its name and its unit."""

    key: str
    name: str
    unit: str
    larger_is_better: bool


AUC = Metric("auc", "ROC AUC", "1", larger_is_better=True)
ERROR = Metric("mean_absolute_error", "Mean absolute error", "GeV", larger_is_better=False)


@dataclass(frozen=True)
class Files:
    """What the workflow has made of one model; ``benchmark`` where cmsRun can read the task's files."""

    metrics: str | Path
    scores: str | Path
    onnx: str | Path
    training: str | Path  # training_time.json
    benchmark: str | Path | None = None


def compare(
    models: Mapping[str, Files],
    reference: str | Path,
    record: str | Path,
    table: str | Path,
    figure: str | Path,
) -> dict[str, Any]:
    """Write the comparison of ``models``, by name, with the BDT whose metrics are ``reference``.

    Writes ``record`` (JSON), the same as a ``table`` (Markdown) and as a ``figure`` (.png), best model first;
    returns the content of the record. Of each model it holds the metric on the test part with its
    intervals, the paired differences to the BDT and to the best model, the numbers of parameters and of
    ``flops``, the wall time of the training (s), and milliseconds per object on one thread of a CPU, in ONNX
    Runtime and in the tagger of cmsRun, at the smallest batch that was measured, and the oldest CMSSW release
    that takes it. Raises E2EError where the models were not measured on the same objects.
    """
    bdt = read_json(reference)
    metric = AUC if AUC.key in bdt else ERROR
    records = {name: read_json(files.benchmark) for name, files in models.items() if files.benchmark}
    points = {name: _points(benchmark) for name, benchmark in records.items()}
    batch = min((size for of in points.values() for size, _ in of), default=None)
    measured = {}
    for name, files in models.items():
        metrics, contract = read_json(files.metrics), load_contract(files.onnx)
        if metrics["objects"] != bdt["objects"]:
            raise E2EError(f"{files.metrics}: of other objects than {reference}; evaluate the model anew")
        versus = metrics["versus_bdt"] if metric is AUC else metrics["versus"][regression.REFERENCES["mass"]]
        found = points.get(name, {})
        release = oldest(contract.opset, contract.ir_version)
        measured[name] = {
            "architecture": metrics["model"],
            metric.key: metrics[metric.key],
            "versus_bdt": _difference(versus),
            "parameters": metrics["parameters"],
            "flops": flops(files.onnx),
            "training_s": read_json(files.training)["wall_s"],
            "opset": contract.opset,
            "ir_version": contract.ir_version,
            "oldest_cmssw": release.name if release else None,
            "ms_per_object": {method: found[batch, method] for method in METHODS if (batch, method) in found},
        }
    ranking = sorted(
        measured, key=lambda name: measured[name][metric.key]["value"], reverse=metric.larger_is_better
    )
    for name in ranking[1:]:
        measured[name]["versus_best"] = _paired(models[name], models[ranking[0]], metric)
    content = {
        "task": contract.task.name,
        "origin": bdt["training_data"]["origin"],
        "metric": metric.key,
        "unit": metric.unit,
        "objects": bdt["objects"],
        "batch": batch,
        "machines": sorted({benchmark["machine"]["cpu"]["model"] for benchmark in records.values()}),
        "bdt": {
            "model": bdt["model"],
            metric.key: bdt[metric.key],
            **{name: bdt[name] for name in ("kinematics_alone", "with_reconstruction") if name in bdt},
        },
        "models": {name: measured[name] for name in ranking},
    }
    write_json(record, content)
    with whole(table) as scratch:
        scratch.write_text(_markdown(content, metric))
    plots.draw(content, metric.name, metric.unit, figure)
    return content


def _paired(model: Files, best: Files, metric: Metric) -> dict[str, Any]:
    """Difference of the metric between two models, both on the same resampled events."""
    answers = ["logit", "weight"] if metric is AUC else ["mass"]
    objects = read_scores(best.scores, answers)
    if metric is AUC:
        other = evaluate.reference_answers(model.scores, objects, "logit")
        versus = evaluate.compare(objects, other, objects["logit"].to_numpy(), objects["weight"].to_numpy())
    else:
        other = evaluate.reference_answers(model.scores, objects, "mass")
        versus = regression.compare(objects, other, objects["mass"].to_numpy())
    return _difference(versus)


def _difference(versus: Mapping[str, Any]) -> dict[str, Any]:
    return {key: versus[key] for key in ("difference", "p_value")}


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


def _markdown(content: Mapping[str, Any], metric: Metric) -> str:
    """The record as a table, a row a model, with 68 % intervals."""
    unit = "" if metric.unit == "1" else f" [{metric.unit}]"
    header = [
        "model",
        f"{metric.name}{unit}",
        "difference to the BDT, paired",
        "p-value",
        "difference to the best, paired",
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
            _interval(of["versus_bdt"]["difference"], "+"),
            f"{of['versus_bdt']['p_value']:.2g}",
            _interval(of["versus_best"]["difference"], "+") if "versus_best" in of else "",
            f"{of['parameters']:,}",
            f"{of['flops'] / 1e6:.1f}",
            f"{of['training_s']:.0f}",
            *(_band(of["ms_per_object"].get(method)) for method in METHODS),
            f"{of['opset']}, {of['ir_version']}",
            of["oldest_cmssw"] or "none known",
        ]
        for name, of in content["models"].items()
    ]
    rows.append(["BDT", _interval(content["bdt"][metric.key]), *[""] * (len(header) - 2)])
    lines = [header, ["---"] * len(header), *rows]
    events = style.ORIGINS[content["origin"]]
    notes = [
        f"{events}; test part, {content['objects']['test']:,} objects; 68 % intervals over resampled events.",
        "Training: wall time of its job, beside others of the run; of a resumed one, of its last part.",
        "FLOP of one object: convolutions and products of matrices, two for a multiply-add.",
    ]
    if content["batch"]:
        notes.append(
            f"Milliseconds per object at batches of {content['batch']}, one thread of "
            f"{', '.join(content['machines'])}: median and 16-84 % range, of calls (ONNX Runtime) and of the "
            "means of runs (the tagger in cmsRun)."
        )
    else:
        notes.append("No times: cmsRun needs ntuples, or benchmark.json says why a point failed.")
    alone = content["bdt"].get("kinematics_alone")
    if alone:
        away = abs(alone["value"] - 0.5) / alone["standard_error"]
        notes.append(
            "Control: boosted trees on pT and eta alone, with the weights, have an AUC of "
            f"{_interval(alone)}, {away:.1f} standard errors from 1/2."
        )
    more = content["bdt"].get("with_reconstruction")
    if more:
        notes.append(
            "Boosted trees that also see pT, eta and mass of the reconstructed jet, which come from more "
            f"than the crop: {metric.name} {_interval(more)}{unit}."
        )
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", *notes, ""])


def _interval(summary: Mapping[str, Any], sign: str = "") -> str:
    low, high = summary["interval_68"]
    return f"{summary['value']:{sign}.4f} ({low:{sign}.4f} to {high:{sign}.4f})"


def _band(band: Mapping[str, float] | None) -> str:
    return f"{band['median']:.2f} ({band['p16']:.2f} to {band['p84']:.2f})" if band else "not measured"
