"""What the graph of a model may not be, whatever its checksum: random, or another than its JSON says."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx.numpy_helper

# Operators that draw numbers (onnx.ai/onnx/operators); Dropout and BatchNormalization do in training alone.
RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def check(model: onnx.ModelProto, opset: int, ir_version: int) -> None:
    """Raises ValueError, which says how it goes on after the model's name."""
    nodes = list(_nodes([*model.graph.node, *(node for own in model.functions for node in own.node)]))
    used = {node.domain or "ai.onnx" for node in nodes} | {"ai.onnx"}  # exporters may import more
    named = ((entry.domain or "ai.onnx", entry.version) for entry in model.opset_import)
    imports = [(domain, version) for domain, version in named if domain in used]
    if imports != [("ai.onnx", opset)] or model.ir_version != ir_version:
        found = ", ".join(f"{domain} {version}" for domain, version in imports) or "none"
        raise ValueError(
            f"has opset {found} and IR version {model.ir_version}, but its JSON says {opset} and {ir_version}"
        )
    never = _never(model, nodes) if any(node.op_type == "Dropout" for node in nodes) else set()
    for node in nodes:
        if node.op_type in RANDOM:
            raise ValueError(
                f"draws random numbers ({node.op_type}), so that it gives other scores each time"
            )
        if _trains(node, never):
            raise ValueError(f"was exported in training mode ({node.op_type})")


def _nodes(nodes: Iterator[onnx.NodeProto] | list[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Those of a graph and of all graphs inside of their attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(list(inner.node))


def _never(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> set[str]:
    """Names of constants that are false."""
    constants = [(tensor.name, tensor) for tensor in model.graph.initializer]
    for node in nodes:
        if node.op_type == "Constant":
            constants += [(node.output[0], found.t) for found in node.attribute if found.name == "value"]
    flags = ((name, tensor) for name, tensor in constants if tensor.data_type == onnx.TensorProto.BOOL)
    return {name for name, tensor in flags if not onnx.numpy_helper.to_array(tensor).any()}


def _trains(node: onnx.NodeProto, never: set[str]) -> bool:
    if node.op_type == "Dropout":
        return len(node.input) > 2 and bool(node.input[2]) and node.input[2] not in never
    if node.op_type == "BatchNormalization":
        return any(attribute.name == "training_mode" and attribute.i for attribute in node.attribute)
    return False
