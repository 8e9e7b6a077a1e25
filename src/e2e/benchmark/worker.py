"""`python -m e2e.benchmark.worker REQUEST`: times a model run by one method, in a process of its own.

REQUEST is JSON: ``method``, ``model`` (file), ``provider``, ``frames`` (.npy, [events, N, C, H, W]),
``scalars`` (.npy, [events, N, S], or null), ``calls`` and ``values`` (where the first number of each object
of a call goes, .npy). The answer, JSON on stdout, holds the time of each call. A process of its own, because
peak memory is that of a process, and because libraries in one process share thread pools and caches.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from e2e.deploy.contract import first
from e2e.deploy.providers import PROVIDERS, Provider, torch_device

Call = Callable[
    ..., np.ndarray
]  # frames [N, C, H, W], and scalars [N, S] if any -> first output [N] or [N, K]
Opener = Callable[[str, Provider], Call]  # model file, provider -> call

WARM_UP = 3  # calls; the first of them is reported by itself


def onnx_runtime() -> Opener:
    """One session, kept: what CMSSW does."""
    from e2e.deploy.runtime import run, session

    def opener(model: str, provider: Provider) -> Call:
        opened = session(model, provider)
        return lambda *inputs: next(iter(run(opened, *inputs).values()))

    return opener


def session_per_event() -> Opener:
    """A session made for each call: what the E2E prototype does."""
    from e2e.deploy.runtime import run, session

    return lambda model, provider: lambda *inputs: next(iter(run(session(model, provider), *inputs).values()))


def trained() -> Opener:
    """The network in the framework that trained it: of PyTorch, one operator after the other."""
    import torch

    from e2e.deploy.network import deployed

    torch.set_num_threads(1)

    def opener(model: str, provider: Provider) -> Call:
        device = torch_device(provider)
        network = deployed(model)[0].to(device)

        @torch.inference_mode()
        def call(*inputs: np.ndarray) -> np.ndarray:
            return network(*(torch.from_numpy(given).to(device) for given in inputs))[0].cpu().numpy()

        return call

    return opener


METHODS = {
    "ONNX Runtime": onnx_runtime,
    "session per event": session_per_event,
    "PyTorch": trained,
    "Keras": trained,
}


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Load the model, warm up, then time ``calls`` calls of one batch each."""
    files = filter(None, (request["frames"], request["scalars"]))
    batches = list(zip(*(np.load(file)[: request["calls"]] for file in files), strict=True))
    provider = PROVIDERS[request["provider"]]
    opener = METHODS[request["method"]]()  # imports its library: no part of loading the model
    call, load_ms = timed(lambda: opener(request["model"], provider))
    first_ms, *_ = [timed(lambda: call(*batches[0]))[1] for _ in range(WARM_UP)]
    calls = [timed(lambda batch=batch: call(*batch)) for batch in batches]
    np.save(request["values"], np.stack([first(values) for values, _ in calls]))
    return {
        "load_ms": load_ms,
        "first_ms": first_ms,
        "calls_ms": [milliseconds for _, milliseconds in calls],
        "peak_rss_bytes": peak_rss_bytes(),
    }


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """What an action gives, and how long it takes, in ms."""
    start = time.perf_counter_ns()
    result = action()
    return result, (time.perf_counter_ns() - start) / 1e6


def peak_rss_bytes() -> int:
    """Largest resident memory of this process so far.

    Not getrusage: that counts the memory of whoever started the process too.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
