"""Floating-point operations of an exported graph, whichever framework it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from e2e.deploy.providers import CPU

Shape = Sequence[int]


def flops(model_onnx: str | Path) -> int:
    """Floating-point operations of one object's way through a graph: two for each multiply-add.

    Counted are convolutions and products of matrices (``COUNTED``) without their biases, attention's among
    them; PyTorch's FlopCounterMode gives the same. Not counted are activations, normalisations, softmax,
    sums, sorting and gathering, which cost memory rather than arithmetic, and what is inside the branches of
    ``If`` and ``Loop``: a graph network takes longer than its number says. Shapes are those that ONNX
    Runtime finds for one empty frame.
    """
    graph = onnx.load(model_onnx).graph
    nodes = [node for node in graph.node if node.op_type in COUNTED]
    shapes = _shapes(model_onnx, {name for node in nodes for name in (*node.input, *node.output) if name})
    return sum(COUNTED[node.op_type](node, shapes) for node in nodes)


def _shapes(model_onnx: str | Path, names: set[str]) -> dict[str, Shape]:
    """Shapes of values of a graph with one object in its input."""
    model = onnx.load(model_onnx)
    shapes = {weights.name: tuple(weights.dims) for weights in model.graph.initializer}
    given = {value.name for value in model.graph.input}
    asked = sorted(names - shapes.keys() - given)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in asked)
    options = onnxruntime.SessionOptions()
    # The graph as written: optimised, it would hold other nodes.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, [CPU.onnxruntime])
    empty = {node.name: np.zeros((1, *node.shape[1:]), np.float32) for node in session.get_inputs()}
    values = session.run(asked, empty) if asked else []
    found = {name: value.shape for name, value in zip(asked, values, strict=True)}
    return shapes | found | {name: value.shape for name, value in empty.items()}


def _convolution(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    """Each output value is a sum over the kernel: inputs of its group x kernel."""
    return 2 * math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _transposed_convolution(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    """Each input value is spread over the kernel and the outputs of its group."""
    return 2 * math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    """Each output value is a sum over the last axis of the first matrix (transposed: over its first)."""
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else -1]


def _einsum(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    """One multiply-add for each combination of all indices."""
    equation = next(attribute.s.decode() for attribute in node.attribute if attribute.name == "equation")
    terms = equation.replace(" ", "").split("->")[0].split(",")
    sizes = {}
    for term, name in zip(terms, node.input, strict=True):
        sizes |= dict(zip(term, shapes[name], strict=True))
    return 2 * math.prod(sizes.values())


COUNTED = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _product,
    "MatMul": _product,
    "Einsum": _einsum,
}
