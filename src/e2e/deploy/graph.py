"""What the graph of a model may not be, whatever its checksum: random, or another than its JSON says."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

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
    imports = [(entry.domain or "ai.onnx", entry.version) for entry in model.opset_import]
    if imports != [("ai.onnx", opset)] or model.ir_version != ir_version:
        found = ", ".join(f"{domain} {version}" for domain, version in imports) or "none"
        raise ValueError(
            f"has opset {found} and IR version {model.ir_version}, but its JSON says {opset} and {ir_version}"
        )
    for node in _nodes([*model.graph.node, *(node for own in model.functions for node in own.node)]):
        if node.op_type in RANDOM:
            raise ValueError(
                f"draws random numbers ({node.op_type}), so that it gives other scores each time"
            )
        if _trains(node):
            raise ValueError(f"was exported in training mode ({node.op_type})")


def _nodes(nodes: Iterator[onnx.NodeProto] | list[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Those of a graph and of all graphs inside of their attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(list(inner.node))


def _trains(node: onnx.NodeProto) -> bool:
    if node.op_type == "Dropout":
        return len(node.input) > 2 and bool(node.input[2])
    if node.op_type == "BatchNormalization":
        return any(attribute.name == "training_mode" and attribute.i for attribute in node.attribute)
    return False
