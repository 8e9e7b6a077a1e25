"""From a trained network to ONNX: raw frames in, scores or masses out, everything else inside the graph."""

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

from e2e.deploy import keras_export
from e2e.deploy.contract import INPUT, SCALARS, Contract, Output, columns, numbers, outputs
from e2e.deploy.network import Deployed, deployed
from e2e.deploy.runtime import TOGETHER, depends_on_batch, example_scalars, run, session
from e2e.deploy.ties import allowed, near_ties
from e2e.errors import E2EError
from e2e.files import sha256, whole, write_json
from e2e.models.keras_network import KerasNetwork
from e2e.tasks import Channel, Domain, Task
from e2e.typed import build
from e2e.version import git_revision

BATCHES = (0, 1, 2, 7, 64)  # sizes at which the exported graph must agree with the network

# The oldest opset that the dynamo exporter writes by itself; older ones are made by conversion.
_EXPORTER_OPSET = 18
_UNCONVERTIBLE = (
    RuntimeError,
    ValueError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)

# Part of the cells with a hit, and spread (cm) of signed values, in CMS events of 2012: photons, jets.
_OCCUPANCY = {"EB_energy": 0.05, "ECAL_energy": 0.01, "HCAL_energy": 0.02}
_SPREAD = {"track_dz": 0.07, "track_d0": 0.02}


def export(
    model_pt: str | Path, model_onnx: str | Path, model_json: str | Path, opset: int, ir_version: int
) -> Contract:
    """Write a trained network as ``model_onnx`` and its contract as ``model_json``.

    The name of the model is that of the folder it is written to. Before either file appears the
    graph runs in ONNX Runtime at several batch sizes and must give what the network gives. A classifier
    is calibrated by the ``temperature`` that its training found on the validation part.
    The bytes depend on the network, on the versions and on the git revision only.

    Raises:
        E2EError: the network cannot be written with this opset and IR version, or ONNX Runtime
            gives something else than the network.
    """
    network, info = deployed(model_pt)
    model_onnx, model_json = Path(model_onnx), Path(model_json)

    if isinstance(network.network, KerasNetwork):
        traced, packages = keras_export.trace(network, opset), keras_export.PACKAGES
    else:
        traced, packages = _trace(network, opset), ("torch", "onnx", "onnxscript")
    graph = _convert(traced, opset, ir_version)
    contract = Contract(
        task=network.task,
        model=model_onnx.absolute().parent.name,
        sha256="",
        opset=opset,
        ir_version=ir_version,
        training_data=info["training_data"],
        git_revision=git_revision(),
        versions={name: version(name) for name in packages},
        temperature=network.temperature,
        near_ties=network.near_ties,
        domain=build(Domain, info["domain"]) if "domain" in info else None,
        working_points=info.get("working_points"),
    )
    _describe(graph, contract)
    with whole(model_onnx) as scratch, whole(model_json) as scratch_json:
        scratch.write_bytes(graph.SerializeToString(deterministic=True))
        check_versions(scratch, opset, ir_version)
        verify(network, scratch)
        contract = replace(contract, sha256=sha256(scratch))
        write_json(scratch_json, contract.to_json())
    return contract


def _trace(network: Deployed, opset: int) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it lists every operator library not installed
    inputs = {INPUT: torch.zeros(2, *network.task.shape)}  # a batch of 1 would be frozen into the graph
    if network.task.scalars:
        inputs[SCALARS] = torch.zeros(2, len(network.task.scalars))
    objects = torch.export.Dim("N")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                tuple(inputs.values()),
                dynamo=True,
                input_names=list(inputs),
                output_names=[output.name for output in outputs(network.task)],
                dynamic_shapes={name: {0: objects} for name in inputs},
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
    except _UNCONVERTIBLE as error:
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


def verify(network: Deployed, model_onnx: str | Path) -> None:
    """Compare ONNX Runtime with the network on frames like real ones, at every size of ``BATCHES``.

    Raises:
        E2EError: the batch size is fixed, or an output has another shape than its own, is not finite, or
            differs by more than its tolerance, near-ties of a network that knows them excepted.
    """
    runtime = session(model_onnx)
    fixed = runtime.get_inputs()[0].shape[0]
    if isinstance(fixed, int):
        raise E2EError(
            f"the exported graph takes batches of {fixed} only: the network looks at the size of its batch; "
            "write its forward() so that it does not"
        )
    asked = outputs(network.task)
    for batch in BATCHES:
        frames, *beside = example_inputs(network.task, batch)
        with torch.no_grad():
            given = [output.numpy() for output in network(*map(torch.from_numpy, (frames, *beside)))]
        found = run(runtime, frames, *beside)
        expected = dict(zip((output.name for output in asked), given, strict=True))
        for output in asked:
            shapes = expected[output.name].shape, found[output.name].shape
            if set(shapes) != {(batch, *output.shape)}:
                raise E2EError(
                    f"the network gives {output.name} of shape {shapes[0]} for {batch} objects, ONNX Runtime "
                    f"{shapes[1]}; it must be {_many(output)} an object: look at forward()"
                )
        expected, found = columns(expected), columns(found)
        differences, wrong = {}, np.zeros(batch, bool)
        for number in numbers(asked):
            differences[number.name] = number.difference(expected[number.name], found[number.name])
            wrong |= ~(differences[number.name] <= number.tolerance)
        if network.near_ties and 0 < wrong.sum() <= allowed(batch):
            seen = {name: difference[wrong] for name, difference in differences.items()}
            wrong[wrong] = ~near_ties(network, frames[wrong], seen, [values[wrong] for values in beside])
        if wrong.any():
            largest = ", ".join(f"{values.max():.3g} in {name}" for name, values in differences.items())
            raise E2EError(
                f"ONNX Runtime and the network differ by {largest} at batch {batch} (tolerances "
                f"{', '.join(str(output.tolerance) for output in asked)}); the export is "
                "wrong: look for an operator that ONNX computes in another way"
            )
    inputs = example_inputs(network.task, TOGETHER)
    if depends_on_batch(runtime, outputs(network.task), inputs, network.near_ties):
        raise E2EError(
            "the exported graph gives an object other numbers alone than beside others: the network looks at "
            "its whole batch; write its forward() so that it does not"
        )


def _many(output: Output) -> str:
    return "one number" if output.size is None else f"{output.size} numbers"


def example_inputs(task: Task, objects: int) -> tuple[np.ndarray, ...]:
    """What a model of ``task`` takes, like real objects."""
    return (example_frames(task, objects), *example_scalars(task, objects))


def example_frames(task: Task, objects: int, seed: int = 0) -> np.ndarray:
    """Frames [N, C, H, W] with the occupancy and range of real ones, the first one empty.

    Energies and momenta go from 0.05 to 100 GeV, the others are Gaussians (times, impact parameters) or
    counts. What is not an energy, a momentum or a count belongs to the hits of the channel before it:
    a crystal has energy and time, a track its momentum and impact parameters.
    """
    generator = np.random.default_rng(seed)
    channels, rows, columns = task.shape
    frames = np.zeros((objects, channels, rows, columns), np.float32)
    for number, channel in enumerate(task.channels):
        cells = objects, -(-rows // channel.cell), -(-columns // channel.cell)
        if channel.unit in ("GeV", "hits"):
            hit = generator.random(cells) < _OCCUPANCY.get(channel.name, 0.002)
        values = hit * _example_values(generator, channel, cells)
        values = values.repeat(channel.cell, axis=1).repeat(channel.cell, axis=2) / channel.cell**2
        frames[:, number] = values[:, :rows, :columns]
    frames[:1] = 0
    return frames


def _example_values(generator: np.random.Generator, channel: Channel, shape: tuple[int, ...]) -> np.ndarray:
    if channel.unit == "GeV":
        return 10 ** generator.uniform(np.log10(0.05), 2, shape)
    if channel.unit == "hits":
        return generator.integers(1, 4, shape)
    return generator.normal(0, _SPREAD.get(channel.name, 1), shape)
