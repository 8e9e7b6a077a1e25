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


def scores(value, seed=1):
    """Scores table of 200 objects: the larger ``value``, the better the logits, the worse the masses."""
    target = np.arange(200) % 2
    noise = np.random.default_rng(seed).normal(size=200)
    identity = {"sample": "a", "run": 1, "lumi": 1, "event": np.arange(200) // 2, "object": target}
    answers = {"logit": target + noise / value, "mass": target + value * noise, "weight": 1.0 + target}
    return pd.DataFrame({**identity, "target": target, **answers})


def of_reference(value, seed=2):
    """The same with trees, which are worse, and with an answer that sees more."""
    table = scores(value, seed)
    key = "logit" if value < 1 else "mass"
    others = {
        "trees": scores(0.8 * value if value < 1 else 1.2 * value, 3)[key],
        "with_reconstruction": table[key],
    }
    return table.assign(**others)


def area(table, column="logit"):
    return roc_auc_score(table["target"], table[column], sample_weight=table["weight"])


def made(folder, name, metrics, seconds=100.0, points=(), seeds=(1,), value=None):
    """The files of one model, trained with ``seeds``."""
    metrics = {"model": "cnn", "parameters": 5000, **SIMULATION, **metrics}
    key = "auc" if "auc" in metrics else "mean_absolute_error"
    tables = [folder / name / f"{seed}/scores.parquet" for seed in seeds]
    for seed, path in zip(seeds, tables, strict=True):
        parquet.write_table(path, scores(value or metrics[key]["value"], seed))
    others = ("model.onnx", "training_time.json", "benchmark.json", "robustness.json")
    files = Files(folder / name / "metrics.json", tables, *(folder / name / file for file in others))
    write_json(files.metrics, metrics)
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


def classifier(value):
    return {"auc": summary(value, 0.01)}


UNKNOWN = {"value": None, "interval_68": [None, None], "interval_95": [None, None]}


def measured(value, bias, resolution):
    """Figures of merit of masses."""
    bands = [
        {"low": 4.0, "high": 9.0, "bias": summary(bias, 0.01), "resolution": resolution},
        {"low": 9.0, "high": 14.0, "bias": summary(-bias, 0.01), "resolution": resolution},
    ]
    figures = {"slope": summary(0.61, 0.01), "resolution": resolution}
    return {"mean_absolute_error": summary(value, 0.1), "dependence": {"mass": bands}, **figures}


def mass(value):
    return measured(value, 0.77, summary(0.25, 0.01)) | {"coverage": summary(0.69, 0.01)}


def run(folder, models, value=0.75, about=None, seeds=(2,), **arguments):
    """Record and table of the comparison of ``models`` with a reference."""
    others = {name: {} for name in ("trees", "with_reconstruction")}
    write_json(folder / "bdt.json", {"model": "trees", "others": others, **SIMULATION, **(about or {})})
    tables = [folder / f"bdt_{seed}.parquet" for seed in seeds]
    for seed, path in zip(seeds, tables, strict=True):
        parquet.write_table(path, of_reference(value, seed))
    write_json(folder / "comparison.json", compare(models, folder / "bdt.json", tables, **arguments))
    record = read_json(folder / "comparison.json")
    style.save(comparison.draw(record), folder / "comparison.png")
    assert (folder / "comparison.png").stat().st_size > 10_000
    return record, comparison.table(record)


def test_classifiers_are_ordered_and_compared(folder):
    alone = {"kinematics_alone": {**summary(0.503, 0.006), "standard_error": 0.006}}
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
        "worse": made(folder, "worse", classifier(0.80)),
        "better": made(folder, "better", classifier(0.83), 33.5, points),
    }
    record, table = run(folder, models, about=alone)
    assert list(record["models"]) == ["better", "worse"]
    better, worse = record["models"].values()
    assert better["auc"]["value"] == pytest.approx(area(scores(0.83)))
    low, high = better["auc"]["interval_95"]
    assert low < better["auc"]["value"] < high
    reference = of_reference(0.75)
    assert record["others"]["trees"]["auc"]["value"] == pytest.approx(area(reference, "trees"))
    for name, column in (("reference", "logit"), ("trees", "trees")):
        versus = better["versus"][name]["difference"]
        assert versus["value"] == pytest.approx(area(scores(0.83)) - area(reference, column))
        assert versus["interval_95"][0] < versus["value"] < versus["interval_95"][1]
    assert (better["parameters"], better["flops"], better["training_s"]) == (5000, 1000, 33.5)
    assert "versus_best" not in better
    versus = worse["versus_best"]
    assert versus["difference"]["value"] == pytest.approx(area(scores(0.80)) - area(scores(0.83)))
    assert versus["p_value"] < 0.05
    assert (better["opset"], better["ir_version"], better["oldest_cmssw"]) == (17, 8, "CMSSW_13_1")
    assert record["batch"] == 2
    assert better["ms_per_object"] == {
        "ONNX Runtime": {"median": 3.0, "p16": 1.5, "p84": 6.0, "n": 9},
        "cmsRun": {"median": 3.5, "p16": 1.75, "p84": 7.0, "n": 9},
    }
    assert worse["ms_per_object"] == {}
    assert record["reference"]["kinematics_alone"]["standard_error"] == 0.006
    assert record["machines"] == ["A CPU"]
    assert better["changed"]["dead channels 3 %"] == summary(-0.03, 0.001)
    assert record["reference"]["changed"]["dead channels 1 %"] == summary(-0.005, 0.001)
    assert "| -0.0100 (-0.0110 to -0.0090) | 5,000 |" in table
    assert "| with dead channels 1 % | parameters |" in table
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    names = [
        "model",
        "---",
        "better",
        "worse",
        "the reference",
        "the trees",
        "the reference with reconstruction",
    ]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == names
    assert len({row.count("|") for row in rows}) == 1
    assert "| -0.0050 (-0.0060 to -0.0040) |" in rows[4]
    assert "3.00 (1.50 to 6.00) | 3.50 (1.75 to 7.00)" in table
    assert "| 17, 8 | CMSSW_13_1 |" in table
    assert "AUC of 0.5030 (0.4970 to 0.5090), 0.5 standard errors from 1/2" in table
    assert "Fast simulation" in table
    assert "the spread of seeds is in no interval" in table


def test_one_comparison_was_declared_and_the_others_are_exploratory(folder):
    models = {name: made(folder, name, classifier(value)) for name, value in (("a", 0.8), ("b", 0.83))}
    record, table = run(folder, models)
    declared = record["declared"]
    assert (declared["one"], declared["other"]) == ("a", "reference")  # the first, though another is better
    assert {key: declared[key] for key in ("difference", "p_value")} == {
        key: record["models"]["a"]["versus"]["reference"][key] for key in ("difference", "p_value")
    }
    first = table.splitlines()[0]
    assert first.startswith("**Declared beforehand: a (1) minus the reference (1)**")
    assert first.endswith("All other comparisons are exploratory.")
    record, table = run(folder, models, declared=["b", "a"])
    value = area(scores(0.83)) - area(scores(0.8))
    assert record["declared"]["difference"]["value"] == pytest.approx(value)
    assert table.startswith("**Declared beforehand: b (1) minus a (1)**")


def test_trainings_are_averaged_and_their_spread_is_in_the_interval(folder):
    """Intervals of one training would call the luck of a seed a better network."""
    seeds = (1, 4, 5)
    several = {"a": made(folder, "a", classifier(0.8), seeds=seeds)}
    record, table = run(folder, several, seeds=(2, 6))
    areas, others = (
        [area(scores(0.8, seed)) for seed in seeds],
        [area(scores(0.75, seed)) for seed in (2, 6)],
    )
    of = record["models"]["a"]
    assert of["trainings"] == 3
    assert of["auc"]["value"] == pytest.approx(np.mean(areas))
    difference = of["versus"]["reference"]["difference"]
    assert difference["value"] == pytest.approx(np.mean(areas) - np.mean(others))
    assert "a (3) minus the reference (2)" in table.splitlines()[0]
    assert "the mean of so many seeds is uncertain" in table
    width = np.ptp(of["auc"]["interval_68"])
    spread = np.std(areas, ddof=1) / np.sqrt(3)
    assert width > 2 * 1.3 * spread  # Student's t with two degrees of freedom holds 68 % within 1.32
    thrice = several["a"].scores[:1] * 3  # one training, told three times
    same, _ = run(folder, {"a": replace(several["a"], scores=thrice)})
    once, _ = run(folder, {"a": replace(several["a"], scores=thrice[:1])})
    for key in ("value", "interval_68", "interval_95"):
        assert same["models"]["a"]["auc"][key] == pytest.approx(once["models"]["a"]["auc"][key])


def test_one_network_in_two_frameworks_is_one(folder):
    models = {
        "ours": made(folder, "ours", classifier(0.8) | {"model": "resnet"}),
        "keras": made(folder, "keras", classifier(0.8) | {"model": "keras_cnn"}),
    }
    record, table = run(folder, models)
    assert record["models"]["keras"]["same_network_as"] == ["ours"]
    assert record["models"]["ours"]["same_network_as"] == []
    assert "keras is the same network as ours in another framework: one, not two." in table


def test_masses_are_ordered_by_their_error(folder):
    models = {name: made(folder, name, mass(value)) for name, value in (("a", 2.5), ("b", 1.5))}
    about = measured(2.0, 0.3, UNKNOWN)
    about["others"] = dict.fromkeys(("trees", "with_reconstruction"), measured(2.2, 0.2, UNKNOWN))
    record, table = run(folder, models, value=2.0, about=about)
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    b, reference = (dict(zip(rows[0], row, strict=False)) for row in (rows[2], rows[4]))
    assert b["slope"] == reference["slope"] == "0.6100 (0.6000 to 0.6200)"
    assert b["calibrated resolution"].startswith("0.2500 (")
    assert reference["calibrated resolution"] == "∞ (∞ to ∞)"
    assert b["coverage of 68 % intervals"].startswith("0.6900 (")
    assert ["b", "bias", "+0.7700 (+0.7600 to +0.7800)", "-0.7700 (-0.7800 to -0.7600)"] in rows
    assert ["the reference", "bias", "+0.3000 (+0.2900 to +0.3100)", "-0.3000 (-0.3100 to -0.2900)"] in rows
    assert record["models"]["a"]["bands"][1]["high"] == 14.0
    assert list(record["models"]) == ["b", "a"]
    assert record["unit"] == "GeV"
    away = {value: np.abs(scores(value)["mass"] - scores(value)["target"]).mean() for value in (2.5, 1.5)}
    table_of_it = of_reference(2.0)
    versus = record["models"]["b"]["versus"]["reference"]["difference"]["value"]
    assert versus == pytest.approx(away[1.5] - np.abs(table_of_it["mass"] - table_of_it["target"]).mean())
    assert record["models"]["a"]["versus_best"]["difference"]["value"] == pytest.approx(away[2.5] - away[1.5])
    assert "Mean absolute error [GeV]" in table


def test_public_crops_have_no_benchmark(folder):
    files = replace(made(folder, "cnn", classifier(0.8)), benchmark=None, robustness=None)
    record, table = run(folder, {"cnn": files})
    assert record["batch"] is None
    assert record["models"]["cnn"]["ms_per_object"] == {}
    assert "No times" in table
    assert "changed detector" not in table


def test_models_of_other_objects_are_refused(folder):
    other = classifier(0.8) | {"objects": {**OBJECTS, "test": 199}}
    models = {"cnn": made(folder, "cnn", other)}
    with pytest.raises(E2EError, match=r"cnn/metrics.json: of other objects than .*bdt.json"):
        run(folder, models)
