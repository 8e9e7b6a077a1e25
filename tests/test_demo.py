"""`make demo` says how its numbers compare with the reference, which is the table of a page."""

from pathlib import Path

import pytest
import yaml

from e2e import demo
from e2e.demo import Key, Number
from e2e.files import write_json

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "results/demo"
    numbers = {
        "tau/particlenet": ("auc", 0.91),
        "tau/bdt": ("auc", 0.95),
        "mass_regression/cnn": ("mean_absolute_error", 2.5),
    }
    for model, (name, value) in numbers.items():
        metrics = {name: {"value": value, "interval_95": [value - 0.03, value + 0.03]}}
        beside = {"others": {"trees": {name: {"value": 0.93, "interval_95": [0.9, 0.96]}}}}
        write_json(folder / model / "metrics.json", metrics | beside | {"objects": {"test": 400}})
    return folder


@pytest.fixture
def page(run, tmp_path):
    path = tmp_path / "demo.md"
    path.write_text(f"# Demo\n\n{demo.HEAD}| old | row | AUC | 1 | 2 |\n\nAfter it.\n")
    demo.write(run, path)
    return path


def test_the_table_is_made_from_a_run_and_read_back(run, page):
    text = page.read_text()
    assert text.startswith("# Demo\n\n")
    assert text.endswith("\n\nAfter it.\n")
    assert "old" not in text
    found = demo.reference(page)
    assert found[Key("tau", "particlenet", "AUC")] == Number(0.91, pytest.approx(0.03))
    assert found[Key("tau", "reference", "AUC")] == Number(0.95, pytest.approx(0.03))
    assert found[Key("tau", "trees", "AUC")] == Number(0.93, pytest.approx(0.03))
    assert found[Key("tau", "reference", "test objects")] == Number(400, 4)
    assert len(found) == 5


def test_a_run_is_compared_and_a_difference_is_said(run, page, capsys):
    assert demo.main([str(run), str(page)]) == 0
    assert capsys.readouterr().out.endswith("All numbers are as in the reference.\n")
    write_json(run / "tau/particlenet/metrics.json", {"auc": {"value": 0.6, "interval_95": [0.5, 0.7]}})
    (run / "mass_regression/cnn/metrics.json").unlink()
    write_json(run / "tau/mlp/metrics.json", {"auc": {"value": 0.6, "interval_95": [0.5, 0.7]}})
    text, as_expected = demo.compare(run, page)
    assert not as_expected
    differing = [line.split() for line in text.splitlines() if line.endswith("differs")]
    assert [line[:2] for line in differing] == [["mass_regression", "cnn"], ["tau", "particlenet"]]
    assert "mlp" not in text, "a network of one's own has no reference"
    assert "2 of 5 numbers differ from the reference" in text
    assert demo.main([str(run), str(page)]) == 0, "the results are there"


def test_a_run_without_results_says_so(tmp_path, page, capsys):
    assert demo.main([str(tmp_path), str(page)]) == 1
    assert "make them with `make demo`" in capsys.readouterr().err


def test_the_page_has_a_reference_for_each_model_of_the_demo():
    tasks = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text())["tasks"]
    beside = ("reference", "trees")
    expected = {(task, model) for task, settings in tasks.items() for model in (*settings["models"], *beside)}
    assert {key[:2] for key in demo.reference(REPOSITORY / "docs/demo.md")} == expected
