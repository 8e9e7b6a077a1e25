"""The page on tasks of one's own, followed: three classes, from simulation to cmsRun and figures."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from e2e import tasks
from e2e.config import schema, validate
from e2e.data import parquet, split
from e2e.data.scores import read_scores
from e2e.data.sources import convert_file
from e2e.data.stream import Stream
from e2e.deploy import agreement, cmssw
from e2e.deploy.contract import load_contract
from e2e.deploy.export import export
from e2e.deploy.predict import predict, scores
from e2e.errors import E2EError
from e2e.files import read_json
from e2e.learning.evaluation import evaluate
from e2e.learning.reference import reference
from e2e.learning.repeats import figures_of_merit
from e2e.learning.train import train
from e2e.report import agreement as agreement_report
from e2e.report import comparison, history, performance, style
from e2e.report.jet_validation import draw
from e2e.simulation import jet_validation, simulate

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/my-own-task.md").read_text()
CFG = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"
CLASSES = ("gluon", "up", "down")
SMALL = {"stem": 4, "widths": [4, 4], "blocks": [1, 1], "hidden": 8}


def block(language: str) -> str:
    """The only code block of the page in a language."""
    (found,) = re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The task of the page, its file among those of src/e2e/tasks under the name that the page gives it."""
    (name,) = re.findall(r"`src/e2e/tasks/(\w+)\.py`", PAGE)
    folder = tmp_path_factory.mktemp("tasks")
    (folder / f"{name}.py").write_text(block("python"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "__path__", [*tasks.__path__, str(folder)])
        tasks.every.cache_clear()
        yield tasks.task(name)
    sys.modules.pop(f"e2e.tasks.{name}", None)
    tasks.every.cache_clear()


@pytest.fixture(scope="module")
def ntuples(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    for i in range(2):
        simulate(folder / f"qcd_{i}.root", task.name, "qcd", 200, i + 1, progress=False)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def made(task, ntuples, tmp_path_factory):
    """Folder with all that a run makes of the task before cmsRun, as its scripts do it."""
    folder = tmp_path_factory.mktemp("flavour")
    stores = [folder / f"store/{path.stem}.parquet" for path in ntuples]
    for path, store in zip(ntuples, stores, strict=True):
        convert_file(task, path, store, sample="qcd")
    table = folder / "split.parquet"
    split.write_split(stores, table, folder / "split.json")
    model = folder / "cnn"
    settings = {"epochs": 2, "batch_size": 32, "learning_rate": 0.005, "weight_decay": 0.01}
    info = train(
        stores,
        table,
        model / "model.pt",
        model / "history.csv",
        checkpoints=model / "checkpoints",
        task=task,
        architecture="cnn",
        network=SMALL,
        trainer=settings | {"devices": 1, "seed": 1},
        threads=1,
        accelerator="cpu",
    )
    (model / "training_time.json").write_text(json.dumps({"wall_s": info["training_s"]}))
    bdt = [folder / "bdt" / name for name in ("scores.parquet", "metrics.json", "model.joblib")]
    reference(stores, table, *bdt, threads=1)
    measured = (model / name for name in ("scores.parquet", "metrics.json", "explained.npz"))
    evaluate(stores, table, model / "model.pt", bdt[0], *measured, threads=1)
    export(model / "model.pt", model / "model.onnx", model / "model.json", 17, 8)
    scores(model / "model.onnx", Stream(stores, table, "test").chunks(100), model / "onnx_scores.parquet")
    return folder


pytestmark = pytest.mark.slow


def test_the_configuration_takes_the_task(task):
    config = yaml.safe_load(block("yaml"))
    validate(config, schema())
    assert config["tasks"][task.name]["models"]["cnn"]["trainer"]["seed"] == 1


def test_the_workflow_plans_the_task_in_a_copy_that_has_its_file(task, tmp_path):
    """Nothing else of the repository is touched."""
    copy = tmp_path / "copy"
    folders = (
        "cmssw",
        "config",
        "containers",
        "envs",
        "notebooks",
        "profiles",
        "requirements",
        "rules",
        "src",
    )
    for name in (*folders, "workflow"):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, copy / name, symlinks=True, ignore=skipped)
    for name in ("Snakefile", "config.yaml"):
        shutil.copyfile(REPOSITORY / name, copy / name)
    (copy / f"src/e2e/tasks/{task.name}.py").write_text(block("python"))
    (copy / "flavour.yaml").write_text(block("yaml"))
    commands = re.findall(r"^ *snakemake (--cores .*?) *#", PAGE, re.MULTILINE)
    planned = {}
    for command in commands:
        done = subprocess.run(
            [Path(sys.executable).parent / "snakemake", *command.split(), "--dry-run"],
            env=os.environ | {"PYTHONPATH": str(copy / "src")},
            cwd=copy,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        planned |= dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert planned["simulate"] == planned["convert"] == "4"
    assert {"train", "reference", "evaluate", "performance", "export", "cmsrun", "agreement"} < set(planned)


def test_the_simulation_is_compared_with_the_expectations_of_the_task(task, ntuples):
    found = jet_validation.validate(task, ntuples[:1])
    assert found.record["checks"][-1]["name"] == "cells with tracks, gluons"
    assert found.record["checks"][-1]["value"] > 0
    assert "jets" in draw(task, found)


def test_the_exported_graph_gives_a_number_a_class(task, made):
    model = made / "cnn/model.onnx"
    shapes = {
        output.name: [axis.dim_param or axis.dim_value for axis in output.type.tensor_type.shape.dim]
        for output in onnx.load(model).graph.output
    }
    assert shapes == {"score": ["N", 3], "logit": ["N", 3]}
    assert [output["shape"] for output in read_json(made / "cnn/model.json")["outputs"]] == [["N", 3]] * 2
    assert load_contract(model).task == task


def test_scores_are_the_calibrated_softmax(made):
    table = read_scores(made / "cnn/scores.parquet")
    logits = table[[f"logit_{i}" for i in range(3)]].to_numpy(np.float64)
    found = table[[f"score_{i}" for i in range(3)]].to_numpy(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert set(table["target"]) == {0, 1, 2}
    # Weights give all classes the same part of the training.
    sums = table.groupby("target")["weight"].sum()
    assert sums.max() < 3 * sums.min()


def test_metrics_are_those_of_each_class_against_the_others(made):
    for model in ("bdt", "cnn"):
        table, metrics = (
            read_scores(made / f"{model}/scores.parquet"),
            read_json(made / f"{model}/metrics.json"),
        )
        target, weight = table["target"].to_numpy(), table["weight"].to_numpy()
        found = table[[f"score_{i}" for i in range(3)]].to_numpy(np.float64)
        areas = [roc_auc_score(target == i, found[:, i], sample_weight=weight) for i in range(3)]
        assert metrics["auc"]["value"] == pytest.approx(np.mean(areas), abs=1e-4)
        assert list(metrics["classes"]) == list(CLASSES)
        for each, area in zip(metrics["classes"].values(), areas, strict=True):
            assert each["auc"]["value"] == pytest.approx(area, abs=1e-4)
            assert {"background_rejection", "calibration", "dependence"} < set(each)
        right = np.average(found.argmax(axis=1) == target, weights=weight)
        assert metrics["accuracy"]["value"] == pytest.approx(right, abs=1e-5)
        np.testing.assert_allclose(np.sum(metrics["confusion"], axis=1), 1)
        for i, row in enumerate(metrics["confusion"]):
            mine = target == i
            shares = [np.average(found[mine].argmax(axis=1) == j, weights=weight[mine]) for j in range(3)]
            np.testing.assert_allclose(row, shares, atol=1e-5)
    versus = metrics["versus"]["reference on jet shapes"]
    assert versus["difference"]["value"] == pytest.approx(versus["auc"] - versus["auc_reference"], abs=1e-9)
    assert {"auc", "accuracy", "versus reference on jet shapes", "auc of up"} <= set(
        figures_of_merit(metrics)
    )


def test_figures_and_comparison(task, made, tmp_path):
    model = made / "cnn"
    metrics = read_json(model / "metrics.json")
    with np.load(model / "explained.npz") as explained:
        figures = performance.figures(
            task,
            metrics,
            read_scores(model / "scores.parquet"),
            explained,
            read_json(made / "bdt/metrics.json"),
            read_scores(made / "bdt/scores.parquet"),
        )
    style.save_all(figures, tmp_path / "figures")
    expected = {"confusion", "calibration", "kinematics", "attribution"}
    expected |= {f"{name}_{i}" for name in ("roc", "scores") for i in range(3)}
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == expected
    style.save(
        history.draw(model / "history.csv", metrics["training_data"]["origin"]), tmp_path / "history.png"
    )
    names = ("metrics.json", "scores.parquet", "model.onnx", "training_time.json")
    metrics, scores, *others = (model / name for name in names)
    files = comparison.Files(metrics, [scores], *others)
    bdt = made / "bdt/metrics.json", [made / "bdt/scores.parquet"]
    record = comparison.compare({"one": files, "other": files}, *bdt)
    assert record["models"]["other"]["versus_best"]["difference"]["value"] == 0
    assert "ROC AUC, mean of classes" in comparison.table(record)
    style.save(comparison.draw(record), tmp_path / "comparison.png")


def test_cmsrun_gives_the_same_scores_of_each_class(made, ntuples, area, tmp_path):
    model = made / "cnn"
    cmssw.run(
        "standalone",
        area,
        CFG,
        [
            *(f"inputFiles=file:{path}" for path in ntuples),
            f"model={model / 'model.onnx'}",
            f"outputFile={tmp_path / 'scores.root'}",
        ],
        log=tmp_path / "cmsRun.log",
        settings={},
    )
    found = agreement.agreement(
        model / "scores.parquet",
        model / "onnx_scores.parquet",
        tmp_path / "scores.root",
        samples=["qcd"] * len(ntuples),
        model_pt=model / "model.pt",
    )
    numbers = [f"{name}_{i}" for name in ("score", "logit") for i in range(3)]
    assert list(found.record["tolerances"]) == numbers
    assert found.record["max_abs_diff"] <= 1e-5
    assert all(set(pair) == set(numbers) for pair in found.record["pairs"].values())
    style.save(agreement_report.draw(found), tmp_path / "agreement.png")

    # Two classes in each other's places are no agreement.
    wrong = read_scores(model / "scores.parquet")
    swapped = wrong.rename(columns={"score_0": "score_1", "score_1": "score_0"})[list(wrong)]
    parquet.write_table(tmp_path / "wrong.parquet", swapped)
    with pytest.raises(E2EError, match="differ in score_0"):
        agreement.agreement(
            tmp_path / "wrong.parquet",
            model / "onnx_scores.parquet",
            tmp_path / "scores.root",
            samples=["qcd"] * len(ntuples),
        )

    table = predict(model / "model.onnx", ntuples[0], tmp_path / "predicted.parquet")
    assert set(numbers) < set(table)
    np.testing.assert_allclose(table[numbers[:3]].sum(axis=1), 1, atol=1e-5)
