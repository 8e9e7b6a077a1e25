"""ONNX Runtime sessions as CMSSW opens them: one thread, and the device that was asked for or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from e2e.deploy.contract import INPUT, LOGIT, SCALARS, SCORE, Contract, Output, columns, load_contract
from e2e.deploy.providers import CPU, Provider
from e2e.errors import E2EError
from e2e.tasks import Task

FLOAT = "tensor(float)"
TOGETHER = 4  # objects that are run with each other and alone


def session(
    model_onnx: str | Path, provider: Provider = CPU, threads: int = 1
) -> onnxruntime.InferenceSession:
    """A session of a model on one execution provider; the CPU takes the nodes that another provider lacks.

    ``threads`` is the number of threads inside an operator; operators run one after the other.

    Raises:
        E2EError: the model cannot be loaded, or the provider cannot be used: there is no silent
            fallback to the CPU.
    """
    name = provider.onnxruntime
    if name not in onnxruntime.get_available_providers():
        raise E2EError(
            f"{name} is not in this build of ONNX Runtime; install {provider.package}, or ask for {CPU.name}"
        )
    provider.preload()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what matters is raised below, once
    try:
        opened = onnxruntime.InferenceSession(str(model_onnx), options, [name], [dict(provider.options)])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        reason = str(error).splitlines()[0]
        raise E2EError(
            f"{model_onnx}: ONNX Runtime {onnxruntime.__version__} cannot load it ({reason}); export it anew"
        ) from None
    if name not in opened.get_providers():  # being listed as available does not mean that it started
        raise E2EError(f"{name} found no device; check the device and its driver, or ask for {CPU.name}")
    return opened


def load(
    model_onnx: str | Path, provider: Provider = CPU, threads: int = 1
) -> tuple[Contract, onnxruntime.InferenceSession]:
    """The contract of a model and a ``session`` of it, once the graph has been compared with the contract.

    Raises:
        E2EError: the model cannot be loaded, or does not take or give what its contract promises.
    """
    import onnx  # which a GPU's machine that measures sessions alone does not have

    from e2e.deploy import graph

    contract = load_contract(model_onnx)
    opened = session(model_onnx, provider, threads)
    promised = [
        _signature(INPUT, FLOAT, ["N", *contract.task.shape]),
        *(_signature(SCALARS, FLOAT, ["N", len(scalars)]) for scalars in [contract.task.scalars] if scalars),
        *sorted(_signature(output.name, FLOAT, ["N", *output.shape]) for output in contract.outputs),
    ]
    found = [
        _signature(node.name, node.type, node.shape)
        for nodes in (opened.get_inputs(), sorted(opened.get_outputs(), key=lambda node: node.name))
        for node in nodes
    ]
    if found != promised:
        raise E2EError(
            f"{model_onnx}: its graph has {'; '.join(found)}, but its JSON promises {'; '.join(promised)}; "
            "export it anew"
        )
    empty = [np.zeros((3, *values.shape[1:]), np.float32) for values in _examples(contract.task)]
    try:
        given = run(opened, *empty)
    except E2EError as error:
        raise E2EError(f"{model_onnx}: {error}") from None
    for name, values in columns(given).items():
        if not np.all(np.isfinite(values)):
            raise E2EError(
                f"{model_onnx}: gives {name} {values[0]:g} for frames without a hit: its weights are not "
                "finite; train it again"
            )
    try:
        graph.check(onnx.load(model_onnx, load_external_data=False), contract.opset, contract.ir_version)
    except Exception as error:  # damage that ONNX Runtime bears can make protobuf fail in any way
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise E2EError(f"{model_onnx}: {reason}; export it anew") from None
    try:
        depends = depends_on_batch(opened, contract.outputs, _examples(contract.task), contract.near_ties)
    except E2EError as error:
        raise E2EError(f"{model_onnx}: {error}") from None
    if depends:
        raise E2EError(
            f"{model_onnx}: gives an object other numbers alone than beside others, so its scores depend on "
            "what an event or a batch holds; export it anew, in evaluation mode"
        )
    return contract, opened


def _examples(task: Task) -> tuple[np.ndarray, ...]:
    """Inputs of ``TOGETHER`` objects whose frames have hits in 2 % of the cells."""
    generator = np.random.default_rng(0)
    hit = generator.random((TOGETHER, *task.shape)) < 0.02
    frames = (hit * generator.exponential(1, hit.shape)).astype(np.float32)
    return (frames, *example_scalars(task, TOGETHER))


def example_scalars(task: Task, objects: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Scalars like real ones, [N, S], of a task that has any: momenta of 10 to 300 GeV, |eta| up to 1.4."""
    if not task.scalars:
        return ()
    generator = np.random.default_rng(seed)
    momenta, etas = 10 ** generator.uniform(1, 2.5, objects), generator.uniform(-1.4, 1.4, objects)
    values = [momenta if scalar.unit == "GeV" else etas for scalar in task.scalars]
    return (np.stack(values, axis=1).astype(np.float32),)


def depends_on_batch(
    opened: onnxruntime.InferenceSession,
    outputs: Sequence[Output],
    inputs: Sequence[np.ndarray],
    near_ties: bool,
) -> bool:
    """Whether what a model gives for one of N objects with these ``inputs`` depends on the others beside it.

    Rounding does: by less than an output's tolerance, of numbers above 1 of their part. In a model with
    ``near_ties`` it may make single objects jump, so that most have to differ.
    """
    together, objects = run(opened, *inputs), len(inputs[0])
    alone = [run(opened, *(values[i : i + 1] for values in inputs)) for i in range(objects)]
    wrong = np.zeros(objects, bool)
    for output in outputs:
        a = together[output.name].reshape(objects, -1).astype(float)
        b = np.stack([given[output.name].reshape(-1) for given in alone]).astype(float)
        with np.errstate(invalid="ignore"):  # of two infinities, which are said to be so where they matter
            wrong |= (np.abs(a - b) > output.tolerance * np.maximum(1, np.abs(a))).any(axis=1)
    return np.count_nonzero(wrong) > (objects // 2 if near_ties else 0)


def inconsistent(given: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of which of N objects [N] the score is not that of the logit: its sigmoid, or the softmax of K of them.

    All False for a model without logits. Differences within the tolerance of a score are rounding.
    """
    if LOGIT.name not in given:
        return np.zeros(len(next(iter(given.values()))), bool)
    logit, score = (given[output.name].astype(float) for output in (LOGIT, SCORE))
    with np.errstate(over="ignore", invalid="ignore"):
        if logit.ndim == 1:
            expected = 1 / (1 + np.exp(-logit))
        else:
            parts = np.exp(logit - logit.max(axis=1, keepdims=True))
            expected = parts / parts.sum(axis=1, keepdims=True)
    away = np.abs(score - expected) > SCORE.tolerance
    return away if away.ndim == 1 else away.any(axis=1)


def _signature(name: str, kind: str, shape: Sequence[int | str | None]) -> str:
    """What goes into a graph or comes out, as text; an axis of any length is N, whatever its name."""
    axes = ", ".join(str(axis) if isinstance(axis, int) else "N" for axis in shape)
    return f"{name} {kind} [{axes}]"


def run(
    opened: onnxruntime.InferenceSession, frames: np.ndarray, scalars: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Outputs by name, float32 [N] or [N, K], of ``frames`` float32 [N, C, H, W] in the contract's units.

    ``scalars`` float32 [N, S] are for a model that takes such.

    Raises:
        E2EError: the frames do not have the shape that the model takes, or there are not the scalars that it
            takes beside them, it fails on them, or it does not give as much for each as it says.
    """
    given = {INPUT: frames} | ({} if scalars is None else {SCALARS: scalars})
    takes = {node.name: node.shape[1:] for node in opened.get_inputs()}
    expected = takes[INPUT]
    if list(frames.shape[1:]) != expected:
        found, takes = (" x ".join(map(str, shape)) for shape in (frames.shape[1:], expected))
        raise E2EError(
            f"frames are {found} (channels x rows x columns), but the model takes {takes}; "
            "use the model with the task it was trained for"
        )
    beside, wanted = 0 if scalars is None else scalars.shape[1], takes.get(SCALARS, [0])[0]
    if beside != wanted:
        raise E2EError(f"{beside} scalars an object, but the model takes {wanted}; its JSON names them")
    shapes = {output.name: tuple(output.shape[1:]) for output in opened.get_outputs()}
    try:
        values = opened.run(list(shapes), given)
    except Exception as error:  # see session
        reason = str(error).splitlines()[0]
        raise E2EError(f"the model cannot run on {len(frames)} frames ({reason}); export it anew") from None
    for (name, shape), given in zip(shapes.items(), values, strict=True):
        if given.shape != (len(frames), *shape):
            raise E2EError(
                f"the model gives {name} of shape {given.shape} for {len(frames)} frames; export it anew"
            )
    return dict(zip(shapes, values, strict=True))
