"""Scores of an exported model on ntuples and sample stores, through ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from e2e.data import store
from e2e.data.convert import convert
from e2e.data.store import Samples
from e2e.deploy.contract import INPUT, OUTPUTS, load_contract
from e2e.errors import E2EError
from e2e.files import whole

BATCH = 256  # objects a call: enough to keep the processor busy, a few MB of frames


def session(
    model_onnx: str | Path, providers: Sequence[str] = ("CPUExecutionProvider",), threads: int = 1
) -> onnxruntime.InferenceSession:
    """A session on the first of ``providers`` (the others take the nodes that it lacks).

    ``threads`` is the number of threads inside an operator; operators run one after the other. CMSSW
    runs sessions with one thread each.

    Raises:
        E2EError: the model cannot be loaded, or the first provider cannot be used: there is no
            silent fallback from a GPU to the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what matters is raised below, once
    asked = providers[0]
    if asked not in onnxruntime.get_available_providers():
        raise E2EError(
            f"{asked} is not in this build of ONNX Runtime; install onnxruntime-gpu, or ask for the CPU"
        )
    try:
        opened = onnxruntime.InferenceSession(str(model_onnx), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        reason = str(error).splitlines()[0]
        raise E2EError(
            f"{model_onnx}: ONNX Runtime {onnxruntime.__version__} cannot load it ({reason}); export it anew"
        ) from None
    if asked not in opened.get_providers():
        raise E2EError(f"{asked} found no device to run on; check the GPU and its driver, or ask for the CPU")
    return opened


def run(opened: onnxruntime.InferenceSession, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and logits, float32 [N], of ``frames`` float32 [N, C, H, W] in the units of the contract.

    Raises:
        E2EError: the frames do not have the shape that the model takes.
    """
    expected = opened.get_inputs()[0].shape[1:]
    if list(frames.shape[1:]) != expected:
        found, takes = (" x ".join(map(str, shape)) for shape in (frames.shape[1:], expected))
        raise E2EError(
            f"frames are {found} (channels x rows x columns), but the model takes {takes}; "
            "use the model with the task it was trained for"
        )
    return tuple(opened.run(list(OUTPUTS), {INPUT: frames}))


def score(model_onnx: str | Path, pieces: Iterable[Samples]) -> pd.DataFrame:
    """Scores table of the objects of ``pieces``: identity, target, score, logit, kinematics.

    Raises:
        E2EError: the model cannot be used, or its channels or shape are not those of the objects.
    """
    contract, opened = load_contract(model_onnx), session(model_onnx)
    tables = []
    for samples in pieces:
        if samples.channels != contract.task.channels:
            found, takes = (
                ", ".join(f"{channel.name} [{channel.unit}]" for channel in channels)
                for channels in (samples.channels, contract.task.channels)
            )
            raise E2EError(
                f"the objects have channels {found}, but {model_onnx} takes {takes}; convert them anew"
            )
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            scores, logits = run(opened, batch.images())
            tables.append(
                batch.identity().assign(target=batch.target, score=scores, logit=logits, **batch.kinematics)
            )
    if not tables:
        raise E2EError("no object to score: the file holds none, or all of them were rejected")
    return pd.concat(tables, ignore_index=True)


def predict(model_onnx: str | Path, source: str | Path, output: str | Path) -> None:
    """Write the scores of every object of ``source``, a ROOT ntuple or a store file, to ``output`` (parquet).

    Raises:
        E2EError: the model, the source or their combination cannot be used; no output is left.
    """
    source = Path(source)
    contract = load_contract(model_onnx)
    if not source.is_file():
        raise E2EError(f"{source}: no such file")
    with tempfile.TemporaryDirectory() as scratch:
        if source.suffix == ".root":
            converted = Path(scratch) / "store.parquet"
            convert(contract.task, source, converted, sample=source.stem, progress=False)
            table = score(model_onnx, store.iterate(converted))
        else:
            table = score(model_onnx, store.iterate(source))
    with whole(output) as path:
        table.to_parquet(path, index=False)
