"""A comparison of models from made-up results."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from e2e.data import parquet
from e2e.errors import E2EError
from e2e.files import read_json, write_json
from e2e.report import comparison, style
from e2e.report.comparison import Files, compare
from e2e.tasks.mass_regression import TASK as MASS_REGRESSION
from e2e.tasks.tau import TASK as TAU

OBJECTS = {"train": 700, "validation": 100, "test": 200}
SIMULATION = {"training_data": {"origin": "e2e simulation"}, "objects": OBJECTS}


def summary(value, error):
    return {
        "value": value,
        "interval_68": [value - error, value + error],
        "interval_95": [value - 2 * error, value + 2 * error],
    }


def point(method, batch, median, provider="CPU", threads=1, status="ok"):
    setting = {"method": method, "provider": provider, "threads": threads, "batch": batch, "status": status}
    return setting | {"call_ms": {"median": median, "p16": median / 2, "p84": median * 2, "n": 9}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where results lie; the exported graphs, of taus or of masses, have 1000 FLOPs."""

    def contract(path):
        masses = "mean_absolute_error" in read_json(path.with_name("metrics.json"))
        return SimpleNamespace(task=MASS_REGRESSION if masses else TAU, opset=17, ir_version=8)

    monkeypatch.setattr(comparison, "load_contract", contract)
    monkeypatch.setattr(comparison, "flops", lambda path: 1000)
    return tmp_path


def scores(value):
    """Scores table of 200 objects: the larger ``value``, the better the logits, the worse the masses."""
    target = np.arange(200) % 2
    noise = np.random.default_rng(1).normal(size=200)
    identity = {"sample": "a", "run": 1, "lumi": 1, "event": np.arange(200) // 2, "object": target}
    answers = {"logit": target + noise / value, "mass": target + value * noise, "weight": 1.0 + target}
    return pd.DataFrame({**identity, "target": target, **answers})


def made(folder, name, metrics, seconds=100.0, points=()):
    """The files of one model."""
    files = Files(
        *(
            folder / name / file
            for file in (
                "metrics.json",
                "scores.parquet",
                "model.onnx",
                "training_time.json",
                "benchmark.json",
                "robustness.json",
            )
        )
    )
    write_json(files.metrics, {"model": "cnn", "parameters": 5000, **SIMULATION, **metrics})
    key = "auc" if "auc" in metrics else "mean_absolute_error"
    parquet.write_table(files.scores, scores(metrics[key]["value"]))
    write_json(files.training, {"wall_s": seconds})
    lost = {1: {"network": -0.01, "trees": -0.005}, 3: {"network": -0.03, "trees": -0.02}}
    changed = [
        {"label": f"dead channels {share} %"}
        | {who: {key: {"difference": summary(less, 0.001)}} for who, less in of.items()}
        for share, of in lost.items()
    ]
    write_json(files.robustness, {"reference": "trees", "changes": changed})
    write_json(files.benchmark, {"machine": {"cpu": {"model": "A CPU"}}, "points": list(points)})
    return files


def classifier(value, difference, error=0.01):
    versus = {"difference": summary(difference, 0.002), "p_value": 0.03, "least_p_value": 0.002, "auc": value}
    return {"auc": summary(value, error), "versus": {TAU.reference: versus}}


def run(folder, models, bdt):
    """Record and table of the comparison of ``models``."""
    write_json(folder / "bdt.json", {"model": "trees", **SIMULATION, **bdt})
    write_json(folder / "comparison.json", compare(models, folder / "bdt.json"))
    record = read_json(folder / "comparison.json")
    style.save(comparison.draw(record), folder / "comparison.png")
    assert (folder / "comparison.png").stat().st_size > 10_000
    return record, comparison.table(record)


def test_classifiers_are_ordered_and_keep_their_numbers(folder):
    alone = {"kinematics_alone": {**summary(0.503, 0.006), "standard_error": 0.006}}
    alone["with_reconstruction"] = summary(0.9, 0.01)
    points = [
        point("ONNX Runtime", 4, 8.0),
        point("ONNX Runtime", 2, 6.0),
        point("ONNX Runtime", 2, 1.0, provider="CUDA"),
        point("PyTorch", 1, 7.0),
        point("cmsRun", 2, 7.0),
        point("cmsRun", 2, 9.0, threads=2),
        point("cmsRun", 1, 9.0, status="failed"),
    ]
    models = {
        "worse": made(folder, "worse", classifier(0.80, -0.01)),
        "better": made(folder, "better", classifier(0.83, 0.02), 33.5, points),
    }
    record, table = run(folder, models, {"auc": summary(0.81, 0.01)} | alone)
    assert list(record["models"]) == ["better", "worse"]
    better = record["models"]["better"]
    assert better["auc"] == summary(0.83, 0.01)
    assert better["versus_bdt"] == {
        "difference": summary(0.02, 0.002),
        "p_value": 0.03,
        "least_p_value": 0.002,
    }
    assert (better["parameters"], better["flops"], better["training_s"]) == (5000, 1000, 33.5)
    assert "versus_best" not in better
    areas = [
        roc_auc_score(table["target"], table["logit"], sample_weight=table["weight"])
        for table in (scores(0.80), scores(0.83))
    ]
    versus = record["models"]["worse"]["versus_best"]
    assert versus["difference"]["value"] == pytest.approx(areas[0] - areas[1])
    assert versus["p_value"] < 0.05
    assert (better["opset"], better["ir_version"], better["oldest_cmssw"]) == (17, 8, "CMSSW_13_1")
    assert record["batch"] == 2
    assert better["ms_per_object"] == {
        "ONNX Runtime": {"median": 3.0, "p16": 1.5, "p84": 6.0, "n": 9},
        "cmsRun": {"median": 3.5, "p16": 1.75, "p84": 7.0, "n": 9},
    }
    assert record["models"]["worse"]["ms_per_object"] == {}
    assert record["bdt"]["kinematics_alone"]["standard_error"] == 0.006
    assert record["machines"] == ["A CPU"]
    assert better["changed"]["dead channels 3 %"] == summary(-0.03, 0.001)
    assert record["bdt"]["changed"]["dead channels 1 %"] == summary(-0.005, 0.001)
    changed = "-0.0100 (-0.0110 to -0.0090)"
    row = "| better | 0.8300 (0.8200 to 0.8400) | +0.0200 (+0.0180 to +0.0220) | 0.03 |"
    assert f"{row}  | {changed} | 5,000 |" in table
    assert "| with dead channels 1 % | parameters |" in table
    assert "| BDT | 0.8100 (0.8000 to 0.8200) |  |  |  | -0.0050 (-0.0060 to -0.0040) |  |" in table
    assert "3.00 (1.50 to 6.00) | 3.50 (1.75 to 7.00)" in table
    assert "| 17, 8 | CMSSW_13_1 |" in table
    assert "AUC of 0.5030 (0.4970 to 0.5090), 0.5 standard errors from 1/2" in table
    assert "the crop: ROC AUC 0.9000 (0.8900 to 0.9100)." in table
    assert "Fast simulation" in table


def test_masses_are_ordered_by_their_error(folder):
    unknown = {"value": None, "interval_68": [None, None], "interval_95": [None, None]}

    def measured(value, bias, resolution):
        bands = [
            {"low": 4.0, "high": 9.0, "bias": summary(bias, 0.01), "resolution": resolution},
            {"low": 9.0, "high": 14.0, "bias": summary(-bias, 0.01), "resolution": resolution},
        ]
        figures = {"slope": summary(0.61, 0.01), "resolution": resolution}
        return {"mean_absolute_error": summary(value, 0.1), "dependence": {"mass": bands}, **figures}

    def mass(value):
        versus = {"difference": summary(value - 2.0, 0.1), "p_value": 0.5, "least_p_value": 0.002}
        given = {"versus": {"BDT on jet shapes": versus}, "coverage": summary(0.69, 0.01)}
        return measured(value, 0.77, summary(0.25, 0.01)) | given

    models = {name: made(folder, name, mass(value)) for name, value in (("a", 2.5), ("b", 1.5))}
    record, table = run(folder, models, measured(2.0, 0.3, unknown))
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    header = rows[0]
    b, bdt = (dict(zip(header, row, strict=False)) for row in (rows[2], rows[4]))
    assert b["slope"] == bdt["slope"] == "0.6100 (0.6000 to 0.6200)"
    assert b["calibrated resolution"].startswith("0.2500 (")
    assert bdt["calibrated resolution"] == "∞ (∞ to ∞)"
    assert b["coverage of 68 % intervals"].startswith("0.6900 (")
    assert ["b", "bias", "+0.7700 (+0.7600 to +0.7800)", "-0.7700 (-0.7800 to -0.7600)"] in rows
    assert ["BDT", "bias", "+0.3000 (+0.2900 to +0.3100)", "-0.3000 (-0.3100 to -0.2900)"] in rows
    assert record["models"]["a"]["bands"][1]["high"] == 14.0
    assert list(record["models"]) == ["b", "a"]
    assert record["unit"] == "GeV"
    assert record["models"]["b"]["versus_bdt"]["difference"]["value"] == -0.5
    away = [np.abs(table["mass"] - table["target"]).mean() for table in (scores(2.5), scores(1.5))]
    assert record["models"]["a"]["versus_best"]["difference"]["value"] == pytest.approx(away[0] - away[1])
    assert "Mean absolute error [GeV]" in table


def test_public_crops_have_no_benchmark(folder):
    files = made(folder, "cnn", classifier(0.8, 0.0))
    files = replace(files, benchmark=None, robustness=None)
    record, table = run(folder, {"cnn": files}, {"auc": summary(0.8, 0.01)})
    assert record["batch"] is None
    assert record["models"]["cnn"]["ms_per_object"] == {}
    assert "No times" in table
    assert "changed detector" not in table


def test_models_of_other_objects_are_refused(folder):
    other = classifier(0.8, 0.0) | {"objects": {**OBJECTS, "test": 199}}
    models = {"cnn": made(folder, "cnn", other)}
    with pytest.raises(E2EError, match=r"cnn/metrics.json: of other objects than .*bdt.json"):
        run(folder, models, {"auc": summary(0.8, 0.01)})
