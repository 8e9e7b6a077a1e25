"""From a trained network to ONNX: raw frames in, score and logit out, everything else inside the graph."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import version_converter
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import nn

from e2e import tasks
from e2e.deploy.contract import INPUT, OUTPUTS, TOLERANCES, Contract, git_revision
from e2e.deploy.runtime import run, session
from e2e.errors import E2EError
from e2e.files import sha256, whole, write_json
from e2e.learning.model import load
from e2e.tasks import Task

BATCHES = (0, 1, 2, 7, 64)  # sizes at which the exported graph must agree with the network

# The oldest opset that the dynamo exporter writes by itself; older ones are made by conversion.
_EXPORTER_OPSET = 18
_UNCONVERTIBLE = (
    RuntimeError,
    ValueError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)


class ScoredNetwork(nn.Module):
    """frames [N, C, H, W] -> (score [N] = sigmoid(logit), logit [N])."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logit = self.network(frames)
        return torch.sigmoid(logit), logit


def export(
    model_pt: str | Path, model_onnx: str | Path, model_json: str | Path, opset: int, ir_version: int
) -> Contract:
    """Write a trained network as ``model_onnx`` and its contract as ``model_json``.

    The name of the model is that of the folder it is written to. Before either file appears the
    graph runs in ONNX Runtime at several batch sizes and must give the network's scores and logits.
    The bytes depend on the network, on the versions and on the git revision only.

    Raises:
        E2EError: the network cannot be written with this opset and IR version, or ONNX Runtime
            gives other scores than the network.
    """
    network, info = load(model_pt)
    network = ScoredNetwork(network).cpu().eval()
    task = tasks.task(info["task"])
    model_onnx, model_json = Path(model_onnx), Path(model_json)

    graph = _convert(_trace(network, task, opset), opset, ir_version)
    contract = Contract(
        task=task,
        model=model_onnx.absolute().parent.name,
        sha256="",
        opset=opset,
        ir_version=ir_version,
        training_data=info["training_data"],
        git_revision=git_revision(),
        versions={"torch": torch.__version__, **{name: version(name) for name in ("onnx", "onnxscript")}},
    )
    _describe(graph, contract)
    with whole(model_onnx) as scratch, whole(model_json) as scratch_json:
        scratch.write_bytes(graph.SerializeToString(deterministic=True))
        check_versions(scratch, opset, ir_version)
        verify(network, scratch, task)
        contract = replace(contract, sha256=sha256(scratch))
        write_json(scratch_json, contract.to_json())
    return contract


def _trace(network: nn.Module, task: Task, opset: int) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it lists every operator library not installed
    frames = torch.zeros(2, *task.shape)  # a batch of 1 would be frozen into the graph
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (frames,),
                dynamo=True,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes={"frames": {0: torch.export.Dim("N")}},
                opset_version=max(opset, _EXPORTER_OPSET),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise E2EError(
            f"the network cannot be exported to ONNX: {str(error).splitlines()[0]}; write it with exportable "
            "operators (docs/how-to/my-own-network.md)"
        ) from error
    # The exporter notes at each node which line of which file it came from.
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto


def _convert(graph: onnx.ModelProto, opset: int, ir_version: int) -> onnx.ModelProto:
    """The same graph in the opset and IR version asked for."""
    for node in graph.graph.node:
        # Older opsets lack this attribute; at 0, its default, it says nothing.
        for attribute in [a for a in node.attribute if a.name == "noop_with_empty_axes" and not a.i]:
            node.attribute.remove(attribute)
    try:
        if _opset(graph) != opset:
            graph = version_converter.convert_version(graph, opset)
        graph.ir_version = ir_version
        onnx.checker.check_model(graph, full_check=True)
        oldest = onnx.helper.find_min_ir_version_for(graph.opset_import)
    except (
        RuntimeError,
        ValueError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise E2EError(
            f"export.opset = {opset}, export.ir_version = {ir_version}: the network has no form in these "
            f"({str(error).splitlines()[0]}); raise export.opset"
        ) from error
    if not oldest <= ir_version <= onnx.IR_VERSION:
        raise E2EError(
            f"export.ir_version = {ir_version}: opset {opset} takes {oldest} to {onnx.IR_VERSION}; "
            f"choose one of these"
        )
    return graph


def _describe(graph: onnx.ModelProto, contract: Contract) -> None:
    """Put the contract, except for the checksum of the file it is put into, into the metadata."""
    entries = {key: value for key, value in contract.to_json().items() if key != "sha256"}
    onnx.helper.set_model_props(
        graph, {key: value if isinstance(value, str) else json.dumps(value) for key, value in entries.items()}
    )


def _opset(graph: onnx.ModelProto) -> int:
    return next(entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx"))


def check_versions(model_onnx: str | Path, opset: int, ir_version: int) -> None:
    """Read opset and IR version back from a file; raises E2EError where they are not those asked for."""
    graph = onnx.load(model_onnx)
    if (_opset(graph), graph.ir_version) != (opset, ir_version) or len(graph.opset_import) != 1:
        found = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in graph.opset_import)
        raise E2EError(
            f"{model_onnx}: has opset {found} and IR {graph.ir_version}, asked for were {opset} and "
            f"{ir_version}; change export.opset and export.ir_version in the configuration"
        )


def verify(network: nn.Module, model_onnx: str | Path, task: Task) -> None:
    """Compare ONNX Runtime with the network on frames like real ones, at every size of ``BATCHES``.

    Raises:
        E2EError: the batch size is fixed, or a score or logit differs by more than its tolerance or is
            not finite.
    """
    runtime = session(model_onnx)
    fixed = runtime.get_inputs()[0].shape[0]
    if isinstance(fixed, int):
        raise E2EError(
            f"the exported graph takes batches of {fixed} only: the network looks at the size of its batch; "
            "write its forward() so that it does not"
        )
    for batch in BATCHES:
        frames = example_frames(task, batch)
        with torch.no_grad():
            expected = [output.numpy() for output in network(torch.from_numpy(frames))]
        found = run(runtime, frames)
        for name, tolerance, a, b in zip(OUTPUTS, TOLERANCES.values(), expected, found, strict=True):
            difference = np.abs(a - b).max(initial=0)
            if a.shape != b.shape or not difference <= tolerance:
                raise E2EError(
                    f"ONNX Runtime and the network differ by {difference:.3g} in {name} at batch {batch} "
                    f"(shapes {b.shape} and {a.shape}, tolerance {tolerance}); the export is wrong: look for "
                    "an operator that ONNX computes in another way"
                )


def example_frames(task: Task, objects: int, seed: int = 0) -> np.ndarray:
    """Frames [N, C, H, W] with the occupancy and range of real ones, the first one empty.

    One cell in twenty has a hit in every channel: 0.05 to 100 (GeV) in the first, a Gaussian of
    width 1 (ns) in the others.
    """
    generator = np.random.default_rng(seed)
    channels, rows, columns = task.shape
    frames = generator.normal(size=(objects, channels, rows, columns)).astype(np.float32)
    frames[:, 0] = 10 ** generator.uniform(np.log10(0.05), 2, (objects, rows, columns))
    frames *= generator.random((objects, 1, rows, columns)) < 0.05
    frames[:1] = 0
    return frames
