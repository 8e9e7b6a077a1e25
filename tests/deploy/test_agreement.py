import json

import numpy as np
import pandas as pd
import pytest
import torch
import uproot
from torch import nn

from e2e.data import parquet
from e2e.deploy.agreement import CMSRUN_KEY, agreement, hosts_equal, read_tree
from e2e.deploy.network import Deployed
from e2e.deploy.predict import scores
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.models.saved import load
from e2e.report.agreement import draw
from e2e.tasks.electron_photon import TASK


def write_tree(path, table, folder="e2eScoreWriter"):
    """A file as E2EScoreWriter makes it."""
    table = table if "file" in table else table.assign(file=0)
    types = {"file": np.uint32, "run": np.uint32, "lumi": np.uint32, "event": np.uint64, "object": np.uint32}
    types |= {name: np.float32 for name in ("score", "logit", "mass", "mass_width") if name in table}
    with uproot.recreate(path) as file:
        tree = file.mktree(f"{folder}/scores", types)
        if len(table):
            tree.extend({name: table[name].to_numpy(kind) for name, kind in types.items()})
    return path


@pytest.fixture
def methods(trained, model, samples, tmp_path):
    """The scores of both Python methods, as files; and a function that compares cmsRun's table with them."""
    with torch.no_grad():
        logit = load(trained)[0](torch.from_numpy(samples.images()))
    table = samples.identity().assign(
        target=samples.target, score=torch.sigmoid(logit).numpy(), logit=logit.numpy()
    )
    parquet.write_table(tmp_path / "torch.parquet", table)
    scores(model, [samples], tmp_path / "onnx.parquet")

    def compare(cmsrun: pd.DataFrame):
        write_tree(tmp_path / "scores.root", cmsrun)
        files = ("torch.parquet", "onnx.parquet", "scores.root")
        return agreement(*(tmp_path / name for name in files), samples=["showers"]).record

    compare.table = table
    return compare


def scored(model, samples, frames) -> pd.DataFrame:
    return samples.identity().assign(**run(session(model), np.ascontiguousarray(frames)))


def test_record_of_three_ways_that_agree(methods, model, samples, tmp_path):
    cmsrun = scored(model, samples, samples.images()).sample(
        frac=1, random_state=1
    )  # threads finish in any order
    other = cmsrun.iloc[:1].assign(run=8)  # and cmsRun scores objects that are not of the test part
    record = methods(pd.concat([cmsrun, other]))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["n_objects"] == 39
    assert record["max_abs_diff"] <= 1e-5
    assert record["max_abs_diff_logit"] <= 1e-4
    assert set(record["pairs"]) == {"PyTorch - ONNX Runtime", "PyTorch - cmsRun", "ONNX Runtime - cmsRun"}
    assert record["scores"]["cmsRun"]["std"] == pytest.approx(cmsrun["score"].std(), rel=1e-5)
    assert record["scores"]["PyTorch"]["min"] < record["scores"]["PyTorch"]["max"]
    assert record["tolerances"] == {"score": 1e-5, "logit": 1e-4}
    assert record["model_sha256"] == sha256(model)


def test_framework_of_the_training_is_named(methods, model, samples, tmp_path):
    table = pd.read_parquet(tmp_path / "onnx.parquet")
    assert table.attrs["trained_with"] == "PyTorch"
    table.attrs["trained_with"] = "Keras"
    parquet.write_table(tmp_path / "onnx.parquet", table)
    record = methods(scored(model, samples, samples.images()))
    assert list(record["scores"]) == ["Keras", "ONNX Runtime", "cmsRun"]


def test_largest_difference_is_recorded(methods):
    shifted = methods.table.copy()
    shifted.loc[4, "logit"] += 5e-5
    record = methods(shifted)
    assert record["pairs"]["PyTorch - cmsRun"]["logit"]["max"] == pytest.approx(5e-5, rel=1e-2)
    assert record["max_abs_diff_logit"] == pytest.approx(5e-5, rel=0.1)


def test_permuted_channels_fail(methods, model, samples, tmp_path):
    with pytest.raises(E2EError, match=r"PyTorch and cmsRun differ in score .* compare channel order"):
        methods(scored(model, samples, samples.images()[:, ::-1]))
    assert not (tmp_path / "agreement.json").exists()
    assert not (tmp_path / "agreement.png").exists()


@pytest.mark.parametrize("axis", [2, 3])
def test_crop_shifted_by_one_crystal_fails(methods, model, samples, axis):
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ in score"):
        methods(scored(model, samples, np.roll(samples.images(), 1, axis=axis)))


def test_frames_in_mev_fail(methods, model, samples):
    frames = samples.images()
    frames[:, 0] *= 1000
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ in score"):
        methods(scored(model, samples, frames))


def test_scores_of_other_objects_fail(methods):
    events = methods.table.assign(
        score=np.roll(methods.table["score"], 1), logit=np.roll(methods.table["logit"], 1)
    )
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ"):
        methods(events)


def test_worst_object_is_named_with_all_its_values(methods):
    table = methods.table.copy()
    table.loc[3, "score"] += 2e-5
    table.loc[10, "score"] += 4e-5
    worst = table.loc[10]
    with pytest.raises(E2EError) as caught:
        methods(table)
    message = str(caught.value)
    assert "exceeded by 2 of 39 objects" in message
    assert f"run 7 lumi 1 event {worst.event} object {worst.object}: PyTorch: score" in message
    assert f"cmsRun: score {np.float32(worst.score):.8g}, logit {np.float32(worst.logit):.8g}" in message
    assert "ONNX Runtime: score" in message


def test_logit_alone_fails_where_the_score_is_saturated(methods):
    table = methods.table.copy()
    table.loc[0, "logit"] += 2e-4
    with pytest.raises(E2EError, match="differ in logit"):
        methods(table)


def test_missing_object_fails(methods):
    with pytest.raises(E2EError, match=r"cmsRun has nothing for 1 of 39 objects .* event 4 object 0"):
        methods(methods.table.query("event != 4"))


def test_object_scored_twice_fails(methods):
    with pytest.raises(E2EError, match="event 1 object 1 appears more than once"):
        methods(pd.concat([methods.table, methods.table.iloc[1:2]]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("output", ["score", "logit"])
def test_score_that_is_no_number_fails(methods, output, value):
    table = methods.table.copy()
    table.loc[2, output] = value
    with pytest.raises(E2EError, match="event 2 object 0 has score"):
        methods(table)


def test_constant_scores_are_no_agreement(methods, tmp_path):
    constant = methods.table.assign(score=0.5, logit=0.0)
    for name in ("torch", "onnx"):
        parquet.write_table(tmp_path / f"{name}.parquet", constant)
    with pytest.raises(E2EError, match=r"score of PyTorch is 0\.5 for all 39 objects"):
        methods(constant)


def test_no_objects_are_no_agreement(methods, tmp_path):
    parquet.write_table(tmp_path / "torch.parquet", methods.table.iloc[:0])
    with pytest.raises(E2EError, match="scored no objects"):
        methods(methods.table)


def test_unreadable_inputs_are_named(methods, tmp_path):
    (tmp_path / "page.root").write_text("<html></html>")
    with pytest.raises(E2EError, match=r"page\.root: not a file of E2EScoreWriter"):
        read_tree(tmp_path / "page.root")
    with pytest.raises(E2EError, match=r"absent\.root: no such file"):
        read_tree(tmp_path / "absent.root")
    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("fevt/RHTree", {"x": np.float32})
    with pytest.raises(E2EError, match="holds 0 trees called scores"):
        read_tree(tmp_path / "other.root")
    with uproot.recreate(tmp_path / "branch.root") as file:
        file.mktree("writer/scores", {"run": np.uint32})
    with pytest.raises(E2EError, match=r"branch\.root: not a file of E2EScoreWriter"):
        read_tree(tmp_path / "branch.root")
    parquet.write_table(tmp_path / "torch.parquet", methods.table.drop(columns="logit"))
    with pytest.raises(E2EError, match="column logit is missing"):
        methods(methods.table)


def test_samples_with_equal_events_are_told_apart(methods, tmp_path):
    """Run 1 is in every simulated sample: only the input file tells the two apart."""
    other = methods.table.assign(
        sample="tracks", score=1 - methods.table["score"], logit=-methods.table["logit"]
    )
    both = pd.concat([methods.table, other])
    for name in ("torch.parquet", "onnx.parquet"):
        parquet.write_table(tmp_path / name, both)
    cmsrun = pd.concat([methods.table.assign(file=1), other.assign(file=0)])
    write_tree(tmp_path / "scores.root", cmsrun)
    paths = [tmp_path / name for name in ("torch.parquet", "onnx.parquet", "scores.root")]
    assert agreement(*paths, samples=["tracks", "showers"]).record["n_objects"] == 78
    with pytest.raises(E2EError, match="differ in score"):
        agreement(*paths, samples=["showers", "tracks"])
    with pytest.raises(E2EError, match=r"scores\.root: has scores of input file 2, but there are 1"):
        agreement(*paths, samples=["tracks"])
    write_tree(tmp_path / "scores.root", cmsrun.assign(file=cmsrun["file"] // 2))
    with pytest.raises(E2EError, match=r"scores\.root: file 0 run 7 lumi 1 event 1 object 0 appears more"):
        agreement(*paths, samples=["tracks"])


def test_files_of_one_sample_with_equal_events_are_refused(methods, tmp_path):
    write_tree(tmp_path / "scores.root", pd.concat([methods.table.assign(file=i) for i in range(2)]))
    paths = [tmp_path / name for name in ("torch.parquet", "onnx.parquet", "scores.root")]
    with pytest.raises(E2EError, match="sample showers run 7 lumi 1 event 1 object 0 appears more than once"):
        agreement(*paths, samples=["showers", "showers"])


def test_hosts_with_equal_scores(methods, tmp_path):
    a = write_tree(tmp_path / "a.root", methods.table)
    b = write_tree(tmp_path / "b.root", methods.table.assign(score=methods.table["score"] + 5e-7).iloc[::-1])
    record = hosts_equal(a, b)
    assert record["n_objects"] == 39
    assert record["max_abs_diff"] == pytest.approx(5e-7, rel=0.2)
    assert record["tolerance"] == 1e-6


def test_hosts_that_differ_or_lack_objects_fail(methods, tmp_path):
    a = write_tree(tmp_path / "a.root", methods.table)
    b = write_tree(tmp_path / "b.root", methods.table.assign(logit=methods.table["logit"] + 1e-5))
    fewer = write_tree(tmp_path / "fewer.root", methods.table.iloc[:-1])
    with pytest.raises(E2EError, match="differ in logit"):
        hosts_equal(a, b)
    with pytest.raises(E2EError, match=r"fewer\.root has nothing for 1 of 39"):
        hosts_equal(a, fewer)
    with pytest.raises(E2EError, match=r"a\.root: has 1 objects that .*fewer\.root lacks"):
        hosts_equal(fewer, a)


def test_tree_keeps_the_identity_exactly(methods, tmp_path):
    large = methods.table.assign(event=methods.table["event"] + np.uint64(2**53))
    table = read_tree(write_tree(tmp_path / "large.root", large))
    pd.testing.assert_frame_equal(table[CMSRUN_KEY], large.assign(file=np.uint32(0))[CMSRUN_KEY])


# --- regression: relative tolerance


@pytest.fixture
def masses(tmp_path):
    """A function that compares masses and widths [GeV] of the three methods."""
    identity = pd.DataFrame({"sample": "jets", "run": 1, "lumi": 1, "event": range(1, 1001), "object": 0})
    mass = np.float32(np.random.default_rng(1).uniform(3, 300, len(identity)))

    def compare(cmsrun, python=mass, width=mass / 8):
        table = identity.assign(target=mass, mass=python, mass_width=mass / 8)
        for name in ("torch", "onnx"):
            parquet.write_table(tmp_path / f"{name}.parquet", table)
        write_tree(tmp_path / "scores.root", identity.assign(mass=cmsrun, mass_width=width))
        files = ("torch.parquet", "onnx.parquet", "scores.root")
        found = agreement(*(tmp_path / name for name in files), samples=["jets"])
        assert len(draw(found).axes) == len(found.outputs)
        return found.record

    compare.mass = mass
    return compare


def test_masses_agree_by_their_ratio(masses, tmp_path):
    record = masses(masses.mass * (1 + 5e-5))
    assert record["max_rel_diff"] == pytest.approx(5e-5, rel=0.01)
    assert record["max_rel_diff_width"] == 0
    assert record["tolerances"] == {"mass": 1e-4, "mass_width": 1e-3}
    assert record["masses"]["cmsRun"]["max"] == pytest.approx(masses.mass.max(), rel=1e-3)
    assert "max_abs_diff" not in record


def test_mass_beyond_the_relative_tolerance_fails(masses):
    mass = masses.mass.copy()
    mass[7] *= 1.0002
    with pytest.raises(
        E2EError, match=r"differ in mass by up to 0\.0002 \(relative tolerance .* event 8 obj"
    ):
        masses(mass)


def test_widths_agree_by_their_ratio_too(masses):
    width = masses.mass / 8 * (1 + 5e-4)
    assert masses(masses.mass, width=width)["max_rel_diff_width"] == pytest.approx(5e-4, rel=0.01)
    width[7] *= 1.001
    with pytest.raises(E2EError, match=r"differ in mass_width by up to 0\.0015 .* event 8 obj"):
        masses(masses.mass, width=width)


def test_constant_mass_is_no_agreement(masses):
    constant = np.full_like(masses.mass, 20)
    with pytest.raises(E2EError, match="mass of PyTorch is 20 for all 1000 objects"):
        masses(constant, constant)


def test_masses_are_not_compared_with_scores(masses, methods, tmp_path):
    masses(masses.mass)
    scored = pd.read_parquet(tmp_path / "onnx.parquet").assign(score=0.5, logit=0.0)
    write_tree(tmp_path / "scores.root", scored.drop(columns=["mass", "mass_width"]))
    files = [tmp_path / name for name in ("torch.parquet", "onnx.parquet", "scores.root")]
    with pytest.raises(E2EError, match="cmsRun has no mass, but PyTorch has"):
        agreement(*files, samples=["jets"])


# --- near-ties of graphs that are built in a space of features


class Nearest(nn.Module):
    """Logit of a step between two crystals: which of two energies is larger decides."""

    dynamic_graph = True

    def forward(self, frames):
        return (frames[:, 0, 0, 0] > frames[:, 0, 0, 1]) * 1.0 + frames[:, 0].sum(dim=(1, 2)) * 1e-3


@pytest.fixture
def tied(samples, tmp_path, monkeypatch):
    """A function: objects in which cmsRun differs, and of them those that are ties, to a record."""
    energy = np.random.default_rng(2).uniform(1, 2, 1000).astype(np.float32)

    def compare(differing, ties, difference=1.0, model_pt="model.pt"):
        frames = np.zeros((1000, *TASK.shape), np.float32)
        frames[:, 0, 0, 0] = energy
        frames[ties, 0, 0, 1] = energy[ties]
        monkeypatch.setattr("e2e.deploy.network.deployed", lambda path: (Deployed(Nearest(), TASK), {}))
        monkeypatch.setattr("e2e.data.store.iterate", lambda path: [Fake(frames)])
        logit = Nearest()(torch.from_numpy(frames)).numpy()
        table = identity(1000).assign(target=0.0, score=1 / (1 + np.exp(-logit)), logit=logit)
        parquet.write_table(tmp_path / "torch.parquet", table)
        table.attrs = {"near_ties": True, "model_sha256": "0"}
        parquet.write_table(tmp_path / "onnx.parquet", table)
        other = table.copy()
        other.loc[differing, "logit"] += difference
        other["score"] = 1 / (1 + np.exp(-other["logit"]))
        write_tree(tmp_path / "scores.root", other)
        paths = [tmp_path / name for name in ("torch.parquet", "onnx.parquet", "scores.root")]
        return agreement(*paths, samples=["s"], model_pt=model_pt, stores=["store.parquet"]).record

    return compare


def identity(objects):
    return pd.DataFrame({"sample": "s", "run": 1, "lumi": 1, "event": range(1, objects + 1), "object": 0})


class Fake:
    """Stored objects with these frames."""

    def __init__(self, frames):
        self.frames = frames
        self.images = lambda: frames
        self.identity = lambda: identity(len(frames))

    def __getitem__(self, rows):
        return Fake(self.frames[rows])


def test_near_ties_are_listed_and_left_out(tied):
    record = tied([10, 500], ties=[10, 500, 700])
    assert [tie["event"] for tie in record["near_ties"]] == [11, 501]
    assert record["near_ties"][0]["differences"]["logit"] == pytest.approx(1, rel=1e-5)
    assert record["n_objects"] == 1000
    assert record["max_abs_diff_logit"] < 1e-6


def test_object_that_is_no_tie_fails(tied):
    with pytest.raises(E2EError, match=r"differ in score .* exceeded by 1 of 999 objects.* event 21 "):
        tied([10, 20], ties=[10])


def test_more_than_a_tie_causes_fails(tied):
    with pytest.raises(E2EError, match="event 11 "):
        tied([10], ties=[10], difference=3.0)


def test_too_many_ties_fail(tied):
    with pytest.raises(E2EError, match="exceeded by 3 of 1000 objects"):
        tied([10, 20, 30], ties=[10, 20, 30])


def test_without_the_network_nothing_is_a_tie(tied):
    with pytest.raises(E2EError, match="exceeded by 1 of 1000 objects"):
        tied([10], ties=[10], model_pt=None)
