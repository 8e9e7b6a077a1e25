import json

import numpy as np
import pandas as pd
import pytest
import torch
import uproot

from e2e.deploy.agreement import IDENTITY, agreement, backends_equal, read_scores
from e2e.deploy.predict import scores
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.learning.model import load


def write_tree(path, table, folder="e2eScoreWriter"):
    """A file as E2EScoreWriter makes it."""
    types = {"run": np.uint32, "lumi": np.uint32, "event": np.uint64, "object": np.uint32}
    types |= {"score": np.float32, "logit": np.float32}
    with uproot.recreate(path) as file:
        tree = file.mktree(f"{folder}/scores", types)
        if len(table):
            tree.extend({name: table[name].to_numpy(kind) for name, kind in types.items()})
    return path


@pytest.fixture
def ways(trained, model, samples, tmp_path):
    """The scores of the two Python ways, as files; and a function that compares cmsRun's table with them."""
    with torch.no_grad():
        logit = load(trained)[0](torch.from_numpy(samples.images()))
    table = samples.identity().assign(
        target=samples.target, score=torch.sigmoid(logit).numpy(), logit=logit.numpy()
    )
    table.to_parquet(tmp_path / "torch.parquet")
    scores(model, samples, tmp_path / "onnx.parquet")

    def compare(cmsrun: pd.DataFrame):
        write_tree(tmp_path / "scores.root", cmsrun)
        files = ("torch.parquet", "onnx.parquet", "scores.root", "agreement.json", "agreement.png")
        return agreement(*(tmp_path / name for name in files))

    compare.table = table
    return compare


def scored(model, samples, frames) -> pd.DataFrame:
    return samples.identity().assign(**run(session(model), np.ascontiguousarray(frames)))


def test_record_of_three_ways_that_agree(ways, model, samples, tmp_path):
    cmsrun = scored(model, samples, samples.images()).sample(
        frac=1, random_state=1
    )  # threads finish in any order
    other = cmsrun.iloc[:1].assign(run=8)  # and cmsRun scores objects that are not of the test part
    returned = ways(pd.concat([cmsrun, other]))
    record = json.loads((tmp_path / "agreement.json").read_text())
    assert record == returned
    assert record["n_objects"] == 39
    assert record["max_abs_diff"] <= 1e-5
    assert record["max_abs_diff_logit"] <= 1e-4
    assert set(record["pairs"]) == {"PyTorch - ONNX Runtime", "PyTorch - cmsRun", "ONNX Runtime - cmsRun"}
    assert record["scores"]["cmsRun"]["std"] == pytest.approx(cmsrun["score"].std(), rel=1e-5)
    assert record["scores"]["PyTorch"]["min"] < record["scores"]["PyTorch"]["max"]
    assert record["tolerances"] == {"score": 1e-5, "logit": 1e-4}
    assert record["model_sha256"] == sha256(model)
    assert (tmp_path / "agreement.png").read_bytes().startswith(b"\x89PNG")


def test_largest_difference_is_recorded(ways):
    shifted = ways.table.copy()
    shifted.loc[4, "logit"] += 5e-5
    record = ways(shifted)
    assert record["pairs"]["PyTorch - cmsRun"]["logit"]["max"] == pytest.approx(5e-5, rel=1e-2)
    assert record["max_abs_diff_logit"] == pytest.approx(5e-5, rel=0.1)


def test_permuted_channels_fail(ways, model, samples, tmp_path):
    with pytest.raises(E2EError, match=r"PyTorch and cmsRun differ in score .* compare channel order"):
        ways(scored(model, samples, samples.images()[:, ::-1]))
    assert not (tmp_path / "agreement.json").exists()
    assert not (tmp_path / "agreement.png").exists()


@pytest.mark.parametrize("axis", [2, 3])
def test_crop_shifted_by_one_crystal_fails(ways, model, samples, axis):
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ in score"):
        ways(scored(model, samples, np.roll(samples.images(), 1, axis=axis)))


def test_frames_in_mev_fail(ways, model, samples):
    frames = samples.images()
    frames[:, 0] *= 1000
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ in score"):
        ways(scored(model, samples, frames))


def test_scores_of_other_objects_fail(ways):
    events = ways.table.assign(score=np.roll(ways.table["score"], 1), logit=np.roll(ways.table["logit"], 1))
    with pytest.raises(E2EError, match="PyTorch and cmsRun differ"):
        ways(events)


def test_worst_object_is_named_with_all_its_values(ways):
    table = ways.table.copy()
    table.loc[3, "score"] += 2e-5
    table.loc[10, "score"] += 4e-5
    worst = table.loc[10]
    with pytest.raises(E2EError) as caught:
        ways(table)
    message = str(caught.value)
    assert "exceeded by 2 of 39 objects" in message
    assert f"run 7 lumi 1 event {worst.event} object {worst.object}: PyTorch: score" in message
    assert f"cmsRun: score {np.float32(worst.score):.8g}, logit {np.float32(worst.logit):.8g}" in message
    assert "ONNX Runtime: score" in message


def test_logit_alone_fails_where_the_score_is_saturated(ways):
    table = ways.table.copy()
    table.loc[0, "logit"] += 2e-4
    with pytest.raises(E2EError, match="differ in logit"):
        ways(table)


def test_missing_object_fails(ways):
    with pytest.raises(E2EError, match=r"cmsRun has nothing for 1 of 39 objects .* event 4 object 0"):
        ways(ways.table.query("event != 4"))


def test_object_scored_twice_fails(ways):
    with pytest.raises(E2EError, match="event 1 object 1 appears more than once"):
        ways(pd.concat([ways.table, ways.table.iloc[1:2]]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("output", ["score", "logit"])
def test_score_that_is_no_number_fails(ways, output, value):
    table = ways.table.copy()
    table.loc[2, output] = value
    with pytest.raises(E2EError, match="event 2 object 0 has score"):
        ways(table)


def test_constant_scores_are_no_agreement(ways, tmp_path):
    constant = ways.table.assign(score=0.5, logit=0.0)
    for name in ("torch", "onnx"):
        constant.to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(E2EError, match=r"score of PyTorch is 0\.5 for all 39 objects"):
        ways(constant)


def test_no_objects_are_no_agreement(ways, tmp_path):
    ways.table.iloc[:0].to_parquet(tmp_path / "torch.parquet")
    with pytest.raises(E2EError, match="scored no objects"):
        ways(ways.table)


def test_unreadable_inputs_are_named(ways, tmp_path):
    (tmp_path / "page.root").write_text("<html></html>")
    with pytest.raises(E2EError, match=r"page\.root: not a file of E2EScoreWriter"):
        read_scores(tmp_path / "page.root")
    with pytest.raises(E2EError, match=r"absent\.root: no such file"):
        read_scores(tmp_path / "absent.root")
    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("fevt/RHTree", {"x": np.float32})
    with pytest.raises(E2EError, match="holds 0 trees called scores"):
        read_scores(tmp_path / "other.root")
    with uproot.recreate(tmp_path / "branch.root") as file:
        file.mktree("writer/scores", {"run": np.uint32})
    with pytest.raises(E2EError, match=r"branch\.root: not a file of E2EScoreWriter"):
        read_scores(tmp_path / "branch.root")
    ways.table.drop(columns="logit").to_parquet(tmp_path / "torch.parquet")
    with pytest.raises(E2EError, match="column logit is missing"):
        ways(ways.table)


def test_backends_with_equal_scores(ways, tmp_path):
    a = write_tree(tmp_path / "a.root", ways.table)
    b = write_tree(tmp_path / "b.root", ways.table.assign(score=ways.table["score"] + 5e-7).iloc[::-1])
    record = backends_equal(a, b)
    assert record["n_objects"] == 39
    assert record["max_abs_diff"] == pytest.approx(5e-7, rel=0.2)
    assert record["tolerance"] == 1e-6


def test_backends_that_differ_or_lack_objects_fail(ways, tmp_path):
    a = write_tree(tmp_path / "a.root", ways.table)
    b = write_tree(tmp_path / "b.root", ways.table.assign(logit=ways.table["logit"] + 1e-5))
    fewer = write_tree(tmp_path / "fewer.root", ways.table.iloc[:-1])
    with pytest.raises(E2EError, match="differ in logit"):
        backends_equal(a, b)
    with pytest.raises(E2EError, match=r"fewer\.root has nothing for 1 of 39"):
        backends_equal(a, fewer)
    with pytest.raises(E2EError, match=r"a\.root: has 1 objects that .*fewer\.root lacks"):
        backends_equal(fewer, a)


def test_tree_keeps_the_identity_exactly(ways, tmp_path):
    large = ways.table.assign(event=ways.table["event"] + np.uint64(2**53))
    table = read_scores(write_tree(tmp_path / "large.root", large))
    pd.testing.assert_frame_equal(table[IDENTITY], large[IDENTITY])
