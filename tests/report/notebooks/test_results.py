"""Tables and figures say what the files say."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from e2e.errors import E2EError
from e2e.learning.classification import sigmoid
from e2e.report import masses as mass_figures
from e2e.report import performance, samples, side_by_side, working_points
from e2e.report.notebooks import tables
from e2e.report.notebooks.results import Results

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def electrons(results_folder):
    return Results(results_folder("electron_photon"))


@pytest.fixture
def masses(results_folder):
    return Results(results_folder("mass_regression", True))


@pytest.fixture
def taus(results_folder):
    return Results(results_folder("tau", True))


def test_working_points_are_told_by_model_and_kind(taus):
    table = tables.working_points(taus)
    models = ["bad", "good", "reference on jet shapes"]
    assert list(table.index) == [(m, point) for m in models for point in ("loose", "medium", "tight")]
    taus_ = ["tau", "h", "h + pi0s", "hhh", "hhh + pi0s"]
    assert list(table.columns) == [*taus_, "jet", "quark", "gluon", "electron", "muon"]
    found = taus.metrics("good")["working_points"]["passing"]["jet"]["gluon"]["tight"]
    low, high = found["interval_95"]
    told = f"{100 * found['value']:.1f} ({100 * low:.1f} to {100 * high:.1f})"
    assert table.loc[("good", "tight"), "gluon"] == told


def test_working_points_and_tracks_are_drawn(taus):
    found = taus.metrics("good")["working_points"]
    figure = working_points.draw(taus.task, found, taus.origin)
    assert len(figure.axes) == 6
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert [label.split(" (")[0] for label in labels] == ["all", "quark", "gluon", "electron", "muon"]
    bars = [bar for bar in figure.axes[0].containers if bar.get_label().startswith("all")]
    (drawn,) = (bar.lines[0].get_ydata() for bar in bars)
    values = [entry["value"] for entry in found["passing"]["tau"]["all"]["loose"]["by_momentum"]]
    np.testing.assert_allclose(drawn, values)
    axes = working_points.tracks(taus.metrics("bdt")["tracks_found"], taus.origin).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows[:2] == ["tau", "tau: h"]
    assert [text.get_text() for text in axes.texts[:5]] == ["0%", "100%", "0%", "0%", "0%"]


def test_kinds_are_no_quantities_to_draw(taus):
    training = taus.part("train")
    figure = samples.kinematics(training.objects, training.weight, taus.task, taus.origin)
    names = [axes.get_xlabel().split(" ")[0] for axes in figure.axes]
    assert names == [quantity.name for quantity in taus.task.kinematics if quantity.name[:3] == "jet"]


def test_models_are_those_found_or_those_asked_for(results_folder):
    folder = results_folder("electron_photon")
    assert Results(folder).models == ["bad", "good"]
    assert Results(folder, ("good",)).models == ["good"]


def test_a_folder_without_results_says_how_to_make_them(tmp_path):
    with pytest.raises(E2EError, match=r"holds no results of a model; make them with `make demo`"):
        Results(tmp_path)


def test_stores_are_those_of_the_split(electrons):
    stray = electrons.stores[0].with_name("stray_000.parquet")
    stray.write_bytes(b"of an earlier configuration")
    assert [path.name for path in Results(electrons.folder).stores] == ["toy_000.parquet"]
    stray.unlink()


def test_examples_come_from_all_over_the_training_part(electrons):
    training = electrons.part("train").objects
    few = electrons.examples(64)
    assert len(few) == 64
    assert few.event[0] == training["event"].iloc[0]
    assert few.event[-1] == training["event"].iloc[-1]
    assert len(electrons.examples(10**6)) == len(training)
    assert set(few.event) <= set(training["event"])


def test_performance_is_that_of_the_metrics(electrons, masses):
    table = tables.performance(electrons)
    assert list(table.index) == ["bad", "good", "reference on shower shapes"]
    answers = electrons.predictions()
    value = roc_auc_score(electrons.part("test").target, answers["good"])
    assert table.loc["good", "AUC"].startswith(f"{value:.4f} (")
    assert table.loc["reference on shower shapes", "parameters"] == "-"
    table = tables.performance(masses)
    assert list(table.index) == ["bad", "good", "reference on jet shapes", "mean mass"]
    error = np.abs(masses.predictions()["good"] - masses.part("test").target).mean()
    assert table.loc["good", "mean absolute error [GeV]"].startswith(f"{error:.3f} (")
    slope = np.polyfit(masses.part("test").target, masses.predictions()["good"], 1)[0]
    assert table.loc["good", "slope"].startswith(f"{slope:.3f} (")
    bands = tables.bands(masses)
    assert list(bands.columns) == list(table.index)
    of = masses.metrics("good")["dependence"]["mass"][0]
    name = f"{of['low']:.1f} to {of['high']:.1f} GeV"
    assert bands.loc[(name, "bias"), "good"].startswith(f"{of['bias']['value']:.3f} (")
    assert bands.loc[(name, "calibrated resolution"), "mean mass"].startswith("∞")


def test_differences_are_between_models_and_with_references(electrons, masses):
    found = tables.differences(electrons)
    assert list(zip(found["one"], found["other"], strict=True)) == [
        ("bad", "good"),
        ("bad", "reference on shower shapes"),
        ("good", "reference on shower shapes"),
    ]
    first = found.iloc[0]
    test, answers = electrons.part("test"), electrons.predictions()
    bad, good = (
        roc_auc_score(test.target, answers[name], sample_weight=test.weight) for name in ("bad", "good")
    )
    assert first["difference"] == pytest.approx(bad - good, abs=1e-6)
    assert first["low"] < first["difference"] < first["high"] < 0
    assert first["significant"]
    assert len(tables.differences(masses)) == 5
    assert tables.differences(masses).iloc[0]["difference"] > 0, "the bad model has the larger error"


def test_curves_of_more_than_two_classes_are_asked_for_by_class(electrons):
    two = {model: electrons.metrics(model) for model in electrons.models}
    classes = {model: {"up": two[model]["roc"], "down": two["bad"]["roc"]} for model in two}
    results = Results(electrons.folder)
    results.metrics = lambda model: {
        "model": two[model]["model"],
        "classes": {name: {"roc": record} for name, record in classes[model].items()},
    }
    assert results.roc("up") == electrons.roc()
    assert results.roc("down")["curves"]["good"] == electrons.roc()["curves"]["bad"]
    for none in (None, "strange"):
        with pytest.raises(E2EError, match=r"roc\(of\); choose up, down"):
            results.roc(none)


def test_the_leader_may_be_the_trees(electrons, masses):
    assert tables.leader(electrons).startswith("The largest AUC is that of **good**: ")
    assert "of the networks" not in tables.leader(electrons)
    alone = Results(electrons.folder, ["bad"])
    first, second = tables.leader(alone).split("; ")
    assert first.startswith("The largest AUC is that of **reference on shower shapes**: ")
    assert second.startswith("of the networks, that of **bad**: ")
    assert tables.leader(masses).startswith("The smallest mean absolute error is that of **good**: ")


def test_remarks_are_about_what_was_trained(electrons):
    texts = {("resnet",): "One.", ("resnet", "vit"): "Two.", (): "Three."}
    assert tables.remarks(electrons, texts) == "One. Three."


@pytest.mark.parametrize(
    "notebook", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_what_is_written_in_a_notebook_names_no_network(notebook):
    """A run may be without it: such sentences come from ``remarks``."""
    cells = json.loads(notebook.read_text())["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    names = {path.stem for path in (REPOSITORY / "src/e2e/models").glob("*.py")}
    assert not names & set(re.findall(r"`(\w+)`", text))


def test_verdicts_tell_what_is_significant(electrons):
    rows = [("a", "b", 0.02, 0.01, 0.03, "<= 0.002", True), ("a", "c", -0.01, -0.02, 0.01, "= 0.4", False)]
    columns = ["one", "other", "difference", "low", "high", "p", "significant"]
    text = tables.verdicts(electrons, pd.DataFrame(rows, columns=columns))
    yes, no = text.split("**Not significant**")
    assert "**a** minus that of **b**: +0.0200 (+0.0100 to +0.0300), p <= 0.002" in yes
    assert "**a** minus that of **c**: -0.0100 (-0.0200 to +0.0100), p = 0.4" in no
    text = tables.verdicts(electrons, pd.DataFrame(rows[1:], columns=columns))
    assert "No difference excludes zero." in text.split("**Not significant**")[0]


def test_trades_weigh_gain_against_cost(masses, results_folder):
    (line,) = tables.trades(masses, tables.differences(masses)).splitlines()
    assert "**bad** against **good**: mean absolute error [GeV] +" in line
    costs = "1,234 against 1,234 parameters; trained in 90 against 90 s; 408 against 408 objects/s"
    assert f"(significant); {costs}" in line
    alone = Results(results_folder("electron_photon"), ["good"])
    assert "one model" in tables.trades(alone, tables.differences(alone))


def test_an_infinite_rejection_is_shown(electrons):
    assert tables.interval({"value": 3.0, "interval_95": [2.0, None]}, 1) == "3.0 (2.0 to ∞)"


def test_content_counts_hits(electrons):
    objects = electrons.examples()
    table = tables.content(objects)
    chosen = objects.target == objects.classes.index("electron")
    hits = (objects.images()[chosen, 1] != 0).sum(axis=(1, 2)).mean()
    row = table.loc[("EB_time", "electron")]
    assert row["hits an object"] == f"{hits:.1f}"
    assert row["occupancy"] == f"{hits / 1024:.3%}"
    assert row["sum of the hits"] == f"{objects.images()[chosen, 1].sum(axis=(1, 2)).mean():.4g} ns"


def test_training_shows_the_epoch_kept(electrons):
    row = tables.training(electrons).loc["good"]
    assert (row["epochs"], row["epoch kept"], row["validation loss there"]) == (3, 2, "0.5000")
    assert row["wall time [s]"] == "90"


def test_agreement_and_cost_are_there_only_where_cmsrun_was(electrons, masses):
    assert not electrons.in_cmsrun
    assert masses.in_cmsrun
    row = tables.agreement(masses).loc["good"]
    assert row["largest relative difference in mass"] == "3.0e-06"
    assert row["near-ties left out"] == 1
    row = tables.cost(masses).loc[("good", "CPU")]
    assert row["model alone, event of 1 [ms]"] == "2.00 (1.90 to 2.20)"
    assert row["objects an event there"] == 8


def test_architectures_are_described_by_their_files(masses):
    assert "**good** (`src/e2e/models/cnn.py`): A residual CNN" in tables.architectures(masses)


def test_figures_are_drawn(electrons, masses, tmp_path):
    for results in (electrons, masses):
        training, examples, origin = results.part("train"), results.examples(), results.origin
        figures = [
            samples.crop(examples, 0, origin),
            samples.average(examples, "all", origin),
            samples.hits(examples, origin),
            samples.kinematics(training.objects, training.weight, results.task, origin),
            side_by_side.histories(results.histories(), results.training_seconds(), origin),
        ]
        assert all(isinstance(figure, Figure) for figure in figures)
    target, answers = electrons.part("test").target, electrons.predictions()
    scores = {name: sigmoid(logit) for name, logit in answers.items()}
    ones, classes = np.ones(len(target)), electrons.task.classes
    panels = side_by_side.scores(target, scores, ones, classes, electrons.origin).axes
    assert [axes.get_title("right") for axes in panels if axes.get_visible()] == list(answers)
    roc = performance.roc(electrons.roc(), classes, electrons.origin).axes[0]
    assert len(roc.lines) == len(answers) + 1  # and the transverse energy
    measured = tables.measured(electrons)
    assert len(side_by_side.calibrations(measured, "electron", electrons.origin).axes[0].containers) == 3
    assert len(side_by_side.dependences(measured, electrons.task.kinematics, electrons.origin).axes) == 4
    assert len(mass_figures.dependence(tables.measured(masses), electrons.origin).axes) == 4
    mass_figures.residuals(masses.part("test").target, masses.predictions(), electrons.origin)
    timings = {model: masses.timings(model) for model in masses.models}
    left, right = side_by_side.costs(timings, masses.machine(), electrons.origin).axes
    assert [list(line.get_xdata()) for line in left.lines] == [[1, 8], [1, 8]]
    assert "a processor" in right.get_title("right")
    history = side_by_side.histories(
        electrons.histories(), electrons.training_seconds(), electrons.origin
    ).axes[1]
    assert history.lines[0].get_xdata()[-1] == pytest.approx(90.4 / 60)


def test_figures_say_that_kinematics_are_unknown(electrons):
    """As of the public crops of electrons and photons."""
    table = electrons.part("train").objects
    table = table.assign(**{quantity.name: np.nan for quantity in electrons.task.kinematics})
    unknown = [
        samples.kinematics(table, np.ones(len(table)), electrons.task, electrons.origin),
        side_by_side.dependences({"any": {"dependence": {}}}, electrons.task.kinematics, electrons.origin),
    ]
    for figure in unknown:
        assert figure.axes[0].texts[0].get_text() == "These files hold no kinematics."


def test_agreement_of_another_model_does_not_count(masses):
    contract = masses.folder / "good/model.json"
    before = contract.read_text()
    contract.write_text('{"sha256": "1"}')
    assert not masses.in_cmsrun
    contract.write_text(before)


def test_kinematics_are_drawn_with_the_weights(electrons):
    objects = electrons.part("train").objects
    weight = np.where(objects["pho_pT"] > 0.5, 2.0, 0.0)
    axes = samples.kinematics(objects, weight, electrons.task, electrons.origin).axes[0]
    weighted, plain = axes.patches[:2]
    below = weighted.get_data().edges[1:] < 0.5
    assert weighted.get_data().values[below].sum() == 0
    assert plain.get_data().values[below].sum() > 0.3


def test_the_split_is_read(electrons):
    counts = json.loads((electrons.folder / "split.json").read_text())["parts"]
    assert electrons.split().loc["test", "objects"] == counts["test"]["objects"]
    assert list(electrons.split().index) == ["train", "validation", "test"]
    assert electrons.shared_events() == 0
