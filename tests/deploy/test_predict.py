import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper

from e2e.cli import main
from e2e.data import store
from e2e.data.convert import convert
from e2e.data.ntuple_writer import write_ntuple
from e2e.deploy.predict import predict, scores
from e2e.errors import E2EError
from e2e.files import sha256
from e2e.models.saved import load
from e2e.tasks import Channel
from e2e.tasks.electron_photon import TASK


def test_ntuple_gets_the_scores_of_the_network(trained, model, ntuple, samples, tmp_path):
    predict(model, ntuple, tmp_path / "scores.parquet")
    table = pd.read_parquet(tmp_path / "scores.parquet")
    with torch.no_grad():
        expected = load(trained)[0](torch.from_numpy(samples.images()))
    np.testing.assert_allclose(table["logit"], expected, atol=1e-5)
    np.testing.assert_allclose(table["score"], torch.sigmoid(expected), atol=1e-6)
    pd.testing.assert_frame_equal(table[["sample", "run", "lumi", "event", "object"]], samples.identity())
    assert len(table) == 39  # of event 4, one object is too near the end of the barrel
    assert list(table.query("event == 4")["object"]) == [0]
    assert set(table["target"]) == {0, 1}
    assert set(table["sample"]) == {"showers"}
    assert (table["pho_pT"] == 50).all()
    about = {"model_sha256": sha256(model), "trained_with": "PyTorch", "near_ties": False}
    assert table.attrs == about | {"origin": "e2e simulation"}


def test_store_file_gets_the_scores_of_its_ntuple(model, ntuple, tmp_path):
    convert(TASK, ntuple, tmp_path / "showers.parquet", progress=False)
    from_ntuple = predict(model, ntuple, tmp_path / "a.parquet")
    from_store = predict(model, tmp_path / "showers.parquet", tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(from_ntuple, from_store)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_crops_that_are_turned_otherwise_than_in_training_are_said(model, ntuple, tmp_path, capsys):
    """As those of the public files, which are not turned."""
    path = tmp_path / "showers.parquet"
    metadata = convert(TASK, ntuple, path, progress=False)
    assert metadata.orientation == "outward"
    predict(model, path, tmp_path / "a.parquet")
    assert capsys.readouterr().err == ""
    store.write(path, [store.read(path)], replace(metadata, orientation=None))
    predict(model, path, tmp_path / "b.parquet")
    assert "rows of crops are as in the detector, but model" in capsys.readouterr().err


def test_a_model_of_crops_as_in_the_detector_gets_such_crops(model, ntuple, tmp_path):
    """Its contract says so, whatever the task has now: those of z < 0 are not turned for it."""
    shutil.copy(model, tmp_path / "model.onnx")
    content = json.loads(model.with_suffix(".json").read_text()) | {"orientation": None}
    (tmp_path / "model.json").write_text(json.dumps(content))
    found = predict(tmp_path / "model.onnx", ntuple, tmp_path / "plain.parquet")
    convert(TASK.oriented(None), ntuple, tmp_path / "showers.parquet", progress=False)
    expected = scores(model, [store.read(tmp_path / "showers.parquet")], tmp_path / "expected.parquet")
    key = ["event", "object"]
    both = found.merge(expected, on=key)
    assert len(both) == len(found) == len(expected)
    np.testing.assert_allclose(both.logit_x, both.logit_y, rtol=0, atol=1e-5)
    turned = found.merge(predict(model, ntuple, tmp_path / "turned.parquet"), on=key)
    assert 0 < np.count_nonzero(abs(turned.logit_x - turned.logit_y) > 1e-3) < len(turned)


def test_a_store_of_another_task_is_refused_without_a_warning_of_its_tracks(model, ntuple, tmp_path, capsys):
    """That its tracks lie elsewhere is no news of objects that the model does not take at all."""
    convert(TASK, ntuple, tmp_path / "showers.parquet", progress=False)
    samples = store.read(tmp_path / "showers.parquet")
    metadata = replace(store.read_metadata(tmp_path / "showers.parquet"), tracks="direction")
    channels = (Channel("track_pT", "GeV"), Channel("track_dz", "cm"))
    other = tmp_path / "other.parquet"
    store.write(other, [replace(samples, channels=channels)], replace(metadata, channels=channels))
    assert main(["predict", "--model", str(model), str(other), str(tmp_path / "out.parquet")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("e2e: error: the objects have channels track_pT [GeV]")
    assert said.count("\n") == 1


def test_scores_do_not_depend_on_the_batch_they_are_made_in(model, samples, tmp_path, monkeypatch):
    whole = scores(model, [samples], tmp_path / "a.parquet")
    monkeypatch.setattr("e2e.deploy.predict.BATCH_CELLS", 8 * 2 * 32 * 32)
    pieces = scores(model, [samples], tmp_path / "b.parquet", threads=2)
    np.testing.assert_allclose(whole["logit"], pieces["logit"], rtol=0, atol=1e-5)


def test_chunks_give_one_table(model, samples, tmp_path):
    chunks = (samples[start : start + 10] for start in range(0, len(samples), 10))
    table = scores(model, chunks, tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(table, scores(model, [samples], tmp_path / "b.parquet"), rtol=0, atol=1e-5)


def test_ntuple_without_events_gives_an_empty_table(model, tmp_path):
    write_ntuple(tmp_path / "empty.root", [], task=TASK)
    table = predict(model, tmp_path / "empty.root", tmp_path / "scores.parquet")
    assert len(table) == 0
    assert {"event", "object", "score", "logit", "pho_pT"} <= set(
        pd.read_parquet(tmp_path / "scores.parquet")
    )


def test_missing_model_is_named_and_leaves_nothing(ntuple, tmp_path):
    with pytest.raises(E2EError, match=r"absent\.onnx: no such model"):
        predict(tmp_path / "absent.onnx", ntuple, tmp_path / "scores.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["absent.root", "absent.parquet"])
def test_missing_source_is_named_and_leaves_nothing(model, tmp_path, name):
    with pytest.raises(E2EError, match=rf"(?i){name}: .*no such file"):
        predict(model, tmp_path / name, tmp_path / "scores.parquet")
    assert not list(tmp_path.iterdir())


def test_objects_of_other_channels_are_refused(model, samples, tmp_path):
    swapped = replace(samples, channels=(Channel("EB_time", "ns"), Channel("EB_energy", "GeV")))
    with pytest.raises(E2EError, match=r"channels EB_time \[ns\], EB_energy \[GeV\], but .* takes EB_energy"):
        scores(model, [swapped], tmp_path / "scores.parquet")
    assert not list(tmp_path.iterdir())


def test_model_of_another_input_shape_is_refused(model, samples, tmp_path):
    frames = helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["N", 2, 31, 32])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("score", "logit")]
    nodes = [
        helper.make_node("ReduceMean", ["frames"], ["logit"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    graph = helper.make_graph(nodes, "mean", [frames], outputs)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "model.onnx")
    content = json.loads(model.with_suffix(".json").read_text()) | {"sha256": sha256(tmp_path / "model.onnx")}
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(E2EError, match=r"has frames .*\[N, 2, 31, 32\].* promises frames .*\[N, 2, 32, 32\]"):
        scores(tmp_path / "model.onnx", [samples], tmp_path / "scores.parquet")
    assert not (tmp_path / "scores.parquet").exists()


def test_score_that_is_no_number_names_the_object(model, samples, tmp_path):
    value = samples.value.copy()
    value[samples.offsets[5]] = np.nan
    with pytest.raises(E2EError, match=r"score nan, logit nan for .* run 7 lumi 1 event 3 object 1;"):
        scores(model, [replace(samples, value=value)], tmp_path / "scores.parquet")
    assert not list(tmp_path.iterdir())


def test_real_cms_files_are_scored(model, shared, tmp_path):
    for name, candidates in (("cms2012-double-electron-rhtree", 26), ("cms2012-bjet-rhtree", 23)):
        source = shared / "data" / f"{name}.root"
        table = predict(model, source, tmp_path / f"{name}.parquet")
        rejected = convert(TASK, source, tmp_path / "store.parquet", progress=False).rejected
        assert len(table) + sum(rejected.values()) == candidates
        assert table["target"].isna().all()
        assert table["score"].between(0, 1).all()
        assert table["score"].nunique() > 15  # some candidates share a seed


def test_command_scores_an_ntuple(model, ntuple, tmp_path):
    assert main(["predict", "--model", str(model), str(ntuple), str(tmp_path / "scores.parquet")]) == 0
    assert len(pd.read_parquet(tmp_path / "scores.parquet")) == 39


def test_command_fails_with_one_line_and_no_output(model, tmp_path, capsys):
    source = tmp_path / "page.root"
    source.write_text("<html></html>")
    assert main(["predict", "--model", str(model), str(source), str(tmp_path / "scores.parquet")]) == 1
    error = capsys.readouterr().err.strip()
    assert "page.root" in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [source]


def test_the_commands_of_the_page_about_an_own_ntuple_work_one_after_the_other(
    model, ntuple, tmp_path, monkeypatch, capsys
):
    """And none of them takes the output of another one away."""
    page = (Path(__file__).parents[2] / "docs/how-to/my-own-ntuple.md").read_text()
    commands = re.findall(r"^e2e ([^#\n]*)", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["inspect", "predict", "convert", "inspect"]
    monkeypatch.chdir(tmp_path)
    shutil.copy(ntuple, "IN.root")
    for command in commands:
        words = [str(model) if word.endswith("model.onnx") else word for word in command.split()]
        assert main(words) == 0
        out = capsys.readouterr().out
        if words[0] == "predict":
            said = out
    table = pd.read_parquet("SCORES.parquet")
    low, high = table["score"].min(), table["score"].max()
    rejected = r"rejected: 1 [\w ]+"
    assert re.fullmatch(rf"SCORES.parquet: 39 rows; score {low:.4g} to {high:.4g}; {rejected}\n", said), said
