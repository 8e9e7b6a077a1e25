import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from e2e.data import balance, parquet
from e2e.data.scores import read_scores
from e2e.data.split import PARTS, part
from e2e.errors import E2EError
from e2e.files import read_json
from e2e.geometry import CELL_ETA, row_eta
from e2e.learning import batches
from e2e.learning.attribution import integrated_gradients
from e2e.learning.classification import (
    CURVE,
    CURVE_REPLICAS,
    auc_alone,
    compare,
    curves,
    measure,
    sigmoid,
    transverse_energy,
)
from e2e.learning.evaluation import evaluate
from e2e.learning.reference import reference
from e2e.learning.statistics import BOOTSTRAP_SEED, EventBootstrap, Roc, events
from e2e.models import saved
from e2e.report import performance
from e2e.tasks.electron_photon import TASK

KEY = ["sample", "run", "lumi", "event", "object"]


@pytest.fixture(scope="module")
def results(toy, trained, tmp_path_factory):
    """Folder with the outputs of the reference (bdt/) and of the evaluation (resnet/)."""
    folder = tmp_path_factory.mktemp("results")
    outputs = (folder / "bdt" / name for name in ("scores.parquet", "metrics.json", "model.joblib"))
    reference(toy.stores, toy.split, *outputs, threads=1)
    evaluate(
        toy.stores,
        toy.split,
        trained,
        folder / "bdt/scores.parquet",
        folder / "resnet/scores.parquet",
        folder / "resnet/metrics.json",
        folder / "resnet/explained.npz",
        threads=1,
    )
    return folder


@pytest.fixture(scope="module")
def test_part(toy):
    return batches.stream(toy.stores, toy.split, "test", TASK)


@pytest.fixture(scope="module")
def weight(toy, test_part):
    """Weights of the objects of the test part."""
    return balance.fit(batches.stream(toy.stores, toy.split, "train", TASK).objects, TASK)(test_part.objects)


@pytest.mark.parametrize("name", ["bdt", "resnet"])
def test_scores_are_those_of_the_test_part_alone(results, toy, test_part, name):
    scores = pd.read_parquet(results / name / "scores.parquet")
    kinematics = ["pho_pT", "pho_E", "pho_eta", "pho_phi"]
    beside = ["trees"] if name == "bdt" else []
    assert list(scores) == [*KEY, "target", "score", "logit", "weight", *beside, *kinematics]
    assert set(part(*(scores[column] for column in KEY[:4]))) == {PARTS.index("test")}
    assert scores[KEY].equals(test_part.objects[KEY])
    np.testing.assert_array_equal(scores["target"], test_part.target)
    np.testing.assert_allclose(scores["score"], 1 / (1 + np.exp(-scores["logit"])), atol=1e-6)


@pytest.mark.parametrize("name", ["bdt", "resnet"])
def test_metrics_are_those_of_the_scores(results, test_part, weight, name):
    scores = pd.read_parquet(results / name / "scores.parquet")
    metrics = json.loads((results / name / "metrics.json").read_text())
    np.testing.assert_allclose(scores["weight"], weight, rtol=1e-6)
    value = roc_auc_score(scores["target"], scores["logit"], sample_weight=weight)
    assert metrics["auc"]["value"] == pytest.approx(value, abs=1e-6)
    unweighted = roc_auc_score(scores["target"], scores["logit"])
    assert metrics["auc_unweighted"]["value"] == pytest.approx(unweighted, abs=1e-6) != value
    low, high = metrics["auc"]["interval_95"]
    assert 0.5 < low < value < high <= 1
    assert metrics["objects"]["test"] == len(scores)
    assert metrics["bootstrap"]["events"] == len(scores[KEY[:4]].drop_duplicates())
    energy = transverse_energy(test_part.chunks(100), TASK.detector[0])
    samples = test_part.samples(np.arange(len(test_part)))
    eta = row_eta(samples.seed_row.astype(float), TASK.detector[0])
    np.testing.assert_allclose(energy, samples.images()[:, 0].sum(axis=(1, 2)) / np.cosh(eta), rtol=1e-4)
    trivial = roc_auc_score(test_part.target, energy, sample_weight=weight)
    assert metrics["total_energy_alone"]["value"] == pytest.approx(max(trivial, 1 - trivial), abs=1e-6)
    assert [entry["signal_efficiency"] for entry in metrics["background_rejection"]] == [0.5, 0.7, 0.9]
    for entry in metrics["background_rejection"]:
        cut = np.quantile(scores["logit"][scores["target"] == 1], 1 - entry["signal_efficiency"])
        passing = np.mean(scores["logit"][scores["target"] == 0] > cut)
        assert entry["background_efficiency"]["value"] == pytest.approx(passing, abs=0.02)
    assert sum(entry["objects"] for entry in metrics["dependence"]["pho_eta"]) == len(scores)


def test_difference_to_the_reference_is_paired(results):
    metrics, other = (json.loads((results / name / "metrics.json").read_text()) for name in ("resnet", "bdt"))
    versus, _ = metrics["versus"].values()
    assert list(metrics["versus"]) == ["reference on shower shapes", "trees on shower shapes"]
    assert versus["auc"] == metrics["auc"]["value"]
    assert versus["auc_reference"] == pytest.approx(other["auc"]["value"], abs=1e-9)
    assert versus["difference"]["value"] == pytest.approx(versus["auc"] - versus["auc_reference"])
    low, high = versus["difference"]["interval_95"]
    assert low < versus["difference"]["value"] < high
    assert other["choices"]["iterations"] >= 1


def test_equal_classifiers_do_not_differ_and_a_better_one_does(test_part):
    generator = np.random.default_rng(0)
    good = generator.normal(2 * test_part.target)
    noisy = good + generator.normal(0, 2, len(good))
    assert compare(test_part.objects, good, 3 * good + 1, np.ones(len(good)))["difference"][
        "interval_95"
    ] == [0, 0]
    versus = compare(test_part.objects, good, noisy, np.ones(len(good)))
    assert versus["difference"]["interval_95"][0] > 0
    assert versus["p_value"] < 0.01


def test_figures_are_drawn_from_what_is_written(results):
    with np.load(results / "resnet/explained.npz") as explained:
        figures = performance.figures(
            TASK,
            read_json(results / "resnet/metrics.json"),
            read_scores(results / "resnet/scores.parquet"),
            explained,
            read_json(results / "bdt/metrics.json"),
            read_scores(results / "bdt/scores.parquet"),
        )
        assert len(figures["attribution"].axes) == 3 * len(explained["target"]) + 2  # and two colour bars
    assert set(figures) == {"attribution", "calibration", "kinematics", "roc", "scores"}
    curves = read_json(results / "resnet/metrics.json")["roc"]["curves"]
    assert [line.get_label().split(",")[0] for line in figures["roc"].axes[0].lines] == list(curves)


def test_the_curve_is_that_of_the_scores(results):
    scores = pd.read_parquet(results / "resnet/scores.parquet")
    roc = read_json(results / "resnet/metrics.json")["roc"]
    curve = roc["curves"]["resnet"]
    area = roc_auc_score(scores["target"], scores["logit"], sample_weight=scores["weight"])
    assert curve["auc"] == pytest.approx(area, abs=1e-6)
    low, value, high = (np.array(curve[key]) for key in ("low", "background_efficiency", "high"))
    assert len(value) == len(roc["signal_efficiency"])
    assert ((low <= value + 0.02) & (value - 0.02 <= high)).all()
    assert (np.diff(value) >= 0).all()


def test_reference_of_another_test_part_is_an_error(toy, trained, results, tmp_path):
    scores = pd.read_parquet(results / "bdt/scores.parquet")
    scores.loc[0, "event"] += 1
    parquet.write_table(tmp_path / "bdt.parquet", scores)
    outputs = [tmp_path / name for name in ("scores.parquet", "metrics.json", "explained.npz")]
    with pytest.raises(E2EError, match=r"bdt\.parquet: not the test part"):
        evaluate(toy.stores, toy.split, trained, tmp_path / "bdt.parquet", *outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["bdt.parquet"]


def test_interval_of_the_calibration_error_holds_it(test_part):
    """Its replicas have the noise of the sample twice: as they are, they all lie above it."""
    generator = np.random.default_rng(0)
    for _ in range(5):
        score = generator.random(len(test_part)).astype(np.float32)
        objects = test_part.objects.assign(target=(generator.random(len(score)) < score).astype(np.float32))
        logit = np.log(score / (1 - score))
        calibration = measure(objects, logit, logit, np.ones(len(score)))["calibration"]
        error = calibration["expected_calibration_error"]
        for interval in ("interval_68", "interval_95"):
            low, high = error[interval]
            assert 0 <= low < error["value"] < high


def test_discriminant_without_power_may_be_on_either_side_of_one_half(test_part):
    energy = np.random.default_rng(1).normal(size=len(test_part)).astype(np.float32)
    for sign in (1, -1):
        logit = sign * energy
        alone = measure(test_part.objects, logit, logit, np.ones(len(energy)))["total_energy_alone"]
        assert alone["interval_95"][0] < 0.5 <= alone["value"] < alone["interval_95"][1]


def test_network_of_infinite_weights_is_an_error(toy, trained, results, tmp_path):
    network, info = saved.load(trained)
    network.head[-1].bias.data[:] = torch.inf
    saved.save(tmp_path / "model.pt", network, info)
    outputs = [tmp_path / name for name in ("scores.parquet", "metrics.json", "explained.npz")]
    with pytest.raises(E2EError, match="not all finite"):
        evaluate(toy.stores, toy.split, tmp_path / "model.pt", results / "bdt/scores.parquet", *outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_sigmoid_is_that_of_torch():
    logit = np.linspace(-100, 100, 1001, dtype=np.float32)
    np.testing.assert_allclose(sigmoid(logit), torch.sigmoid(torch.from_numpy(logit)), atol=1e-7)


def test_contributions_add_up_to_the_logit(trained, test_part):
    network, _ = saved.load(trained)
    few = test_part.samples(np.arange(6))
    frames = few.images()
    contributions = integrated_gradients(network, frames)
    assert contributions.shape == frames.shape
    assert not contributions[frames == 0].any()
    with torch.no_grad():
        empty = network(torch.zeros(1, *few.shape)).item()
    expected = saved.predictions(network, [few]) - empty
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(
        contributions.sum(axis=(1, 2, 3)), expected, atol=0.03 * np.abs(expected).max()
    )


def test_bins_without_both_classes_are_left_out(test_part):
    few = test_part.objects.iloc[[0, 1, 2, -3, -2, -1]]
    measured = measure(few, np.arange(6, dtype=np.float32), np.arange(6), np.ones(6))
    assert json.dumps(measured, allow_nan=False)
    assert len(measured["dependence"]["pho_eta"]) < 6


def test_objects_of_unknown_kinematics_are_in_no_bin(test_part):
    objects = test_part.objects.assign(jetM=np.float32(np.nan))
    objects.loc[::2, "pho_pT"] = np.nan
    logit = np.random.default_rng(0).normal(2 * test_part.target).astype(np.float32)
    measured = measure(objects, logit, logit, np.ones(len(logit)))
    assert json.dumps(measured, allow_nan=False)
    assert measured["dependence"]["jetM"] == []
    for name, counted in (("pho_pT", len(objects) // 2), ("pho_eta", len(objects))):
        assert sum(entry["objects"] for entry in measured["dependence"][name]) == counted


RESAMPLED = {
    "compare": lambda objects, one, other, weight: compare(objects, one, other, weight)["difference"],
    "measure": lambda objects, one, other, weight: measure(objects, one, other, weight)["auc"],
    "auc_alone": lambda objects, one, _, weight: auc_alone(objects, one, weight),
    "curves": lambda objects, one, _, weight: curves(objects, {"one": one}, weight)["curves"]["one"],
}


@pytest.mark.parametrize("name", RESAMPLED)
def test_events_are_resampled_and_not_objects(test_part, name):
    """Every object twice in its event tells nothing new; objects resampled one by one would seem to.

    Intervals would be too small by the square root of 2, and differences too sure.
    """
    objects = test_part.objects.drop_duplicates(KEY[:4]).reset_index(drop=True)
    target = objects["target"].to_numpy()
    generator = np.random.default_rng(0)
    one = generator.normal(target).astype(np.float32)
    columns = (
        one,
        (one + generator.normal(size=len(one))).astype(np.float32),
        generator.uniform(1, 2, len(one)),
    )
    twice = objects.loc[objects.index.repeat(2)].assign(object=np.tile([0, 1], len(objects)))
    single = RESAMPLED[name](objects, *columns)
    double = RESAMPLED[name](twice.reset_index(drop=True), *(column.repeat(2) for column in columns))
    assert single == {key: pytest.approx(value, abs=1e-5) for key, value in double.items()}


def test_the_band_of_a_curve_holds_68_percent(test_part):
    """A band drawn at other quantiles looks the same but for its width."""
    target, weight = test_part.target, np.ones(len(test_part))
    logit = np.random.default_rng(0).normal(target)
    band = curves(test_part.objects, {"one": logit}, weight)["curves"]["one"]
    bootstrap = EventBootstrap(events(test_part.objects), CURVE_REPLICAS, BOOTSTRAP_SEED, weight)
    roc = Roc(logit, target)
    drawn = bootstrap.estimate({"one": lambda draws: roc.background(draws, CURVE[10:90])})["one"].replicas
    low, high = (np.array(band[end])[10:90] for end in ("low", "high"))
    assert np.mean((low <= drawn) & (drawn <= high)) == pytest.approx(0.68, abs=0.03)


def test_logits_are_divided_by_the_temperature(results, trained, test_part):
    """Multiplied, they would be as far from calibrated on the other side, with the same ROC curve."""
    network, info = saved.load(trained)
    assert abs(np.log(info["temperature"])) > 0.02  # else this test could not fail
    bare = saved.predictions(network, test_part.chunks(512))
    scores = pd.read_parquet(results / "resnet/scores.parquet")
    np.testing.assert_allclose(scores["logit"], bare / info["temperature"], rtol=1e-5, atol=1e-6)
    with np.load(results / "resnet/explained.npz") as explained, torch.no_grad():
        frames = torch.from_numpy(explained["frames"])
        added = (network(frames) - network(torch.zeros_like(frames))).numpy()
        found = explained["contributions"].sum(axis=(1, 2, 3))
    slope = (found * added).sum() / (added**2).sum()
    assert slope == pytest.approx(1 / info["temperature"], rel=0.01)


def test_the_energy_alone_is_that_across_the_beams(test_part):
    """At the same momentum energy grows with |eta|, so that samples of other eta would seem told apart."""
    samples = replace(test_part.samples(np.arange(40)), seed_row=np.full(40, 84.5, np.float32))
    energy = transverse_energy([samples], TASK.detector[0])
    away = replace(samples, seed_row=np.full(40, 84.5 + 1.2 / CELL_ETA, np.float32))
    np.testing.assert_allclose(transverse_energy([away], TASK.detector[0]), energy / np.cosh(1.2), rtol=1e-6)
    unknown = replace(samples, seed_row=np.full(40, np.nan, np.float32))
    np.testing.assert_allclose(transverse_energy([unknown], TASK.detector[0]), energy)
