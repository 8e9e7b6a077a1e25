"""The ONNX graph of a network of Keras, as Keras itself writes it."""

from __future__ import annotations

import warnings

import numpy as np
import onnx

from e2e.deploy.contract import INPUT, LOGIT, SCORE
from e2e.deploy.network import Deployed
from e2e.files import temporary_folder
from e2e.models.tensorflow import load_keras

PACKAGES = ("keras", "tensorflow-cpu", "tf2onnx", "onnx")  # that the file depends on
NEWEST_OPSET = 18  # of those that the exporter of Keras writes


def trace(network: Deployed, opset: int) -> onnx.ModelProto:
    """The graph of a classifier, in ``opset`` or the newest one that Keras writes.

    frames [N, C, H, W] -> score [N], logit [N], or [N, K] of more than two classes. Names of all other
    values are numbers: those of Keras depend on what was exported before.
    """
    keras = load_keras()
    frames = keras.Input(network.task.shape, name=INPUT)
    logit = network.network.model(frames) / network.temperature
    score = keras.ops.sigmoid(logit) if len(logit.shape) == 1 else keras.ops.softmax(logit, axis=1)
    model = keras.Model(frames, [score, logit])
    model(np.zeros((1, *network.task.shape), np.float32))  # Keras exports what has been called
    with temporary_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = folder / "model.onnx"
        model.export(path, format="onnx", opset_version=min(opset, NEWEST_OPSET), verbose=False)
        traced = onnx.load(path)
    traced = onnx.shape_inference.infer_shapes(traced)
    _name(traced.graph)
    # The exporter names a second set of operators, of which the graph uses none.
    del traced.opset_import[1:]
    return traced


def _name(graph: onnx.GraphProto) -> None:
    """Name input, outputs and N as the contract does, and all other values by their place in the graph.

    N is that of all values: of unknown ones ONNX Runtime would not know that they are the same, and fail
    where they are 0.
    """
    names = {graph.input[0].name: INPUT}
    names |= {output.name: wanted.name for output, wanted in zip(graph.output, (SCORE, LOGIT), strict=True)}
    nodes = _in_order(graph)
    for node in nodes:
        node.name = ""
        for values in (node.input, node.output):
            values[:] = [name and names.setdefault(name, str(len(names))) for name in values]
    for value in (*graph.input, *graph.initializer, *graph.value_info, *graph.output):
        value.name = names[value.name]
    for value in (*graph.input, *graph.value_info, *graph.output):
        sizes = value.type.tensor_type.shape.dim
        if sizes and not sizes[0].HasField("dim_value"):
            sizes[0].dim_param = "N"
    place = {name: number for number, name in enumerate(names.values())}
    for sequence in (graph.initializer, graph.value_info):
        sequence.sort(key=lambda value: place[value.name])
    del graph.node[:]
    graph.node.extend(nodes)
    graph.name, graph.doc_string = "network", ""


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Nodes after those that they need, in an order that the graph alone decides."""
    makers = {name: node for node in graph.node for name in node.output}
    done: dict[str, onnx.NodeProto] = {}  # by first output

    def make(name: str) -> None:
        node = makers.get(name)
        if node is not None and node.output[0] not in done:
            for needed in node.input:
                make(needed)
            done[node.output[0]] = node

    for output in graph.output:
        make(output.name)
    return list(done.values())
