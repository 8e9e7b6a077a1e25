"""A model whose graph, weights or JSON are not what the contract promises is refused in one sentence."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from e2e.deploy.contract import EXTERNAL, json_beside, load_contract
from e2e.deploy.predict import scores
from e2e.deploy.runtime import load
from e2e.errors import E2EError
from e2e.files import sha256

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE


def graph_like(
    folder,
    model,
    frames=("frames", FLOAT, ["N", 2, 32, 32]),
    score=("score", FLOAT, ["N"]),
    logit=("logit", FLOAT, ["N"]),
    weight=1.0,
    more=(),
):
    """A model with the JSON of ``model``: the logit is ``weight`` times the mean of a frame."""
    nodes = [
        helper.make_node("Cast", [frames[0]], ["float"], to=FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["product"]),
        helper.make_node("Cast", ["product"], [logit[0]], to=logit[1]),
        helper.make_node("Sigmoid", ["product"], ["sigmoid"]),
        helper.make_node("Cast", ["sigmoid"], [score[0]], to=score[1]),
        *(helper.make_node("Identity", ["mean"], [name]) for name in more),
    ]
    outputs = [helper.make_tensor_value_info(*value) for value in (score, logit)]
    outputs += [helper.make_tensor_value_info(name, FLOAT, ["N"]) for name in more]
    weights = [numpy_helper.from_array(np.float32(weight), "weight")]
    graph = helper.make_graph(nodes, "mean", [helper.make_tensor_value_info(*frames)], outputs, weights)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
    return signed(folder, model)


def signed(folder, model, **changes):
    """The JSON of ``model`` with these changes and the checksum of the model in ``folder``."""
    content = json.loads(model.with_suffix(".json").read_text())
    content |= {"sha256": sha256(folder / "model.onnx"), **changes}
    (folder / "model.json").write_text(json.dumps(content))
    return folder / "model.onnx"


def test_graph_that_keeps_its_contract_is_loaded(model, tmp_path):
    load(graph_like(tmp_path, model))


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": ("image", FLOAT, ["N", 2, 32, 32])},
        {"frames": ("frames", DOUBLE, ["N", 2, 32, 32])},
        {"frames": ("frames", FLOAT, ["N", 2, 31, 32])},
        {"frames": ("frames", FLOAT, [1, 2, 32, 32])},
        {"frames": ("frames", FLOAT, ["N", 2, "H", 32])},
        {"score": ("probability", FLOAT, ["N"])},
        {"logit": ("logit", DOUBLE, ["N"])},
        {"more": ("mass",)},
    ],
)
def test_graph_of_another_signature_is_refused(model, samples, tmp_path, changes):
    path = graph_like(tmp_path, model, **changes)
    with pytest.raises(E2EError, match=r"model\.onnx: its graph has .* but its JSON promises frames ten"):
        scores(path, [samples], tmp_path / "scores.parquet")
    assert not (tmp_path / "scores.parquet").exists()


def test_weights_that_are_no_numbers_are_not_blamed_on_the_hits(model, tmp_path):
    with pytest.raises(E2EError, match="gives score nan for frames without a hit: its weights"):
        load(graph_like(tmp_path, model, weight=np.nan))


def test_weights_that_overflow_are_not_blamed_on_the_hits(model, samples, tmp_path):
    path = graph_like(tmp_path, model, weight=3e38)
    loud = replace(samples, value=np.abs(samples.value) * np.float32(1e6))
    with pytest.raises(E2EError, match=r"logit inf for sample .* its frame is finite, so the model"):
        scores(path, [loud], tmp_path / "scores.parquet")


def test_hits_that_are_no_numbers_are_named_with_their_channel(model, samples, tmp_path):
    value = samples.value.copy()
    value[samples.offsets[5]] = np.nan
    with pytest.raises(E2EError, match="its hits in EB_energy are not all finite: look at the source"):
        scores(model, [replace(samples, value=value)], tmp_path / "scores.parquet")


def test_weights_in_another_file_are_refused(model, tmp_path):
    """Swapped, they would give other scores under the same checksum."""
    graph = onnx.load(model)
    onnx.save(graph, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    assert (tmp_path / "w.bin").stat().st_size > 1000
    content = (tmp_path / "model.onnx").read_bytes()
    swapped = content.replace(b"\n\x08location\x12\x05w.bin", b"\x12\x05w.bin\n\x08location")
    assert swapped != content
    for form in (content, swapped):
        (tmp_path / "model.onnx").write_bytes(form)
        with pytest.raises(E2EError, match=r"model\.onnx: keeps weights in another file"):
            load_contract(signed(tmp_path, model))


@pytest.mark.parametrize("tag", [b"\n", b"\x8a\x00", b"\x8a\x80\x80\x00"])
@pytest.mark.parametrize("length", [b"\x08", b"\x88\x00", b"\x88\x80\x00"])
def test_every_way_to_write_the_key_of_another_file_is_seen(tag, length):
    assert EXTERNAL.search(b"weights\x00" + tag + length + b"location")
    assert not EXTERNAL.search(b"an allocation, and its location")


def test_graph_that_gives_two_scores_whatever_it_is_given_is_refused(model, tmp_path):
    graph = onnx.load(graph_like(tmp_path, model))
    for name in ("score", "logit"):
        for node in graph.graph.node:
            node.output[:] = [f"whole_{name}" if output == name else output for output in node.output]
            node.input[:] = [f"whole_{name}" if given == name else given for given in node.input]
        bounds = [helper.make_tensor(f"{name}_{i}", TensorProto.INT64, [1], [i]) for i in (0, 2)]
        graph.graph.initializer.extend(bounds)
        inputs = [f"whole_{name}", *(bound.name for bound in bounds)]
        graph.graph.node.append(helper.make_node("Slice", inputs, [name]))
    onnx.save(graph, tmp_path / "model.onnx")
    with pytest.raises(E2EError, match=r"model\.onnx: the model gives \w+ of shape \(2,\) for 3 frames"):
        load(signed(tmp_path, model))


def with_node(folder, model, kind, inputs, opset=17, **attributes):
    """The graph of ``graph_like``, whose mean of a frame goes through one more node."""
    graph = onnx.load(graph_like(folder, model)).graph
    for node in graph.node:
        node.input[:] = [
            "changed" if node.op_type == "Mul" and name == "mean" else name for name in node.input
        ]
    graph.node.insert(2, helper.make_node(kind, inputs, ["changed"], **attributes))
    constants = {"yes": np.array(True), "no": np.array(False), "half": np.float32(0.5)}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
    return signed(folder, model)


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes", "reason"),
    [
        ("RandomNormalLike", ["mean"], {}, r"draws random numbers \(RandomNormalLike\)"),
        ("RandomUniformLike", ["mean"], {"seed": 1.0}, r"draws random numbers \(RandomUniformLike\)"),
        ("Dropout", ["mean", "half", "yes"], {}, r"training mode \(Dropout\)"),
    ],
)
def test_graph_that_is_random_is_refused(model, tmp_path, kind, inputs, attributes, reason):
    with pytest.raises(E2EError, match=rf"model\.onnx: .*{reason}.*; export it anew"):
        load(with_node(tmp_path, model, kind, inputs, **attributes))


def test_graph_with_dropout_that_is_switched_off_and_an_import_that_nothing_uses_is_taken(model, tmp_path):
    path = with_node(tmp_path, model, "Dropout", ["mean", "half", "no"])
    graph = onnx.load(path)
    graph.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    onnx.save(graph, path)
    load(signed(tmp_path, model))


def test_json_that_differs_deep_inside_says_where(model, tmp_path):
    content = json.loads(json_beside(model).read_text())
    content["input"]["channels"][0]["unit"] = "MeV"
    shutil.copy(model, tmp_path / "model.onnx")
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(E2EError, match=r'input\.channels\[0\]\.unit is "MeV", but task \w+ has "GeV"'):
        load(tmp_path / "model.onnx")


def test_graph_whose_scores_depend_on_the_other_objects_is_refused(model, tmp_path):
    path = with_node(tmp_path, model, "ReduceMean", ["mean"], axes=[0], keepdims=1)
    whole = onnx.load(path)  # each the mean of all, in the shape [N] again
    whole.graph.node[2].output[0] = "one"
    whole.graph.node.insert(3, helper.make_node("Shape", ["mean"], ["size"]))
    whole.graph.node.insert(4, helper.make_node("Expand", ["one", "size"], ["changed"]))
    onnx.save(whole, path)
    with pytest.raises(
        E2EError, match=r"model\.onnx: gives an object other numbers alone than beside others"
    ):
        load(signed(tmp_path, model))


def test_a_score_that_is_not_that_of_its_logit_is_refused(model, samples, tmp_path):
    whole = onnx.load(graph_like(tmp_path, model))
    (sigmoid,) = (node for node in whole.graph.node if node.op_type == "Sigmoid")
    sigmoid.op_type = "Tanh"
    onnx.save(whole, tmp_path / "model.onnx")
    with pytest.raises(
        E2EError, match=r"gives score \S+ beside logit \S+ for sample .* do not belong together"
    ):
        scores(signed(tmp_path, model), [samples], tmp_path / "scores.parquet")
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize("changes", [{"opset": 16}, {"ir_version": 9}])
def test_another_opset_or_ir_version_than_the_json_says_is_refused(model, tmp_path, changes):
    graph_like(tmp_path, model)
    with pytest.raises(
        E2EError, match=r"model\.onnx: has opset ai\.onnx 17 and IR version 8, but its JSON says"
    ):
        load(signed(tmp_path, model, **changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"near_ties": "no"}, "near_ties is .no., not true or false"),
        ({"versions": ["torch"]}, "versions is .*, not an object"),
        ({"calibration": {"temperature": "1"}}, "calibration.temperature is .1., not a number"),
        ({"calibration": {"temperature": 0.0}}, "calibration.temperature is 0, not above 0"),
        (
            {"training_data": {"tracks": "banana", "origin": "unknown"}},
            "tracks lie at .banana.; known are dir",
        ),
        ({"orientation": "inward"}, "orientation is .inward.; known are null and outward"),
        ({"orientation": ["outward"]}, "orientation is .*; known are null and outward"),
        ({"opset": 10**400}, "too large"),
        ({"crop": {"rows": 2**32 + 32, "columns": 32, "seed_row": 15, "seed_column": 15}}, "crop.rows is"),
        ({"task": ["electron_photon"]}, "task is .*, not a text"),
        ({"input": 5}, "subscriptable"),
    ],
)
def test_json_of_other_types_is_refused(model, tmp_path, changes, reason):
    (tmp_path / "model.onnx").write_bytes(model.read_bytes())
    with pytest.raises(E2EError, match=rf"model\.json: not a model contract .*{reason}") as error:
        load_contract(signed(tmp_path, model, **changes))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 800


@pytest.mark.parametrize("text", ["[" * 200_000, '{"task": NaN}', "[]", "7", '{"a": 1', b"\xff\xfe{}"])
def test_text_that_is_no_contract_is_refused(model, tmp_path, text):
    (tmp_path / "model.onnx").write_bytes(model.read_bytes())
    (tmp_path / "model.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(E2EError, match=r"model\.json: not a model contract"):
        load_contract(tmp_path / "model.onnx")
