"""Execution providers: what ONNX Runtime runs a model on, and all that the project knows of each.

A provider is an entry of the table and, where it needs another ONNX Runtime, a file in requirements/: the
configuration's choices, images, cmsRun, records and figures follow. In C++ it is a line of ``openSession``
in RecoE2E/Taggers.
"""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.errors import E2EError

if TYPE_CHECKING:
    import torch

PARAMETER = "provider"  # of cmsRun's configuration, as NAME=VALUE


@dataclass(frozen=True)
class Provider:
    """One execution provider: its names, what has to be installed and set for it, and its look in figures.

    ``name`` stands in records, figures and tables, in lower case in cmsRun's configuration;
    ``onnxruntime`` is ONNX Runtime's own. Its ONNX Runtime is the ``package`` in
    requirements/``requirements``.txt.

    ``options`` are those of a session, ``environment`` is that of a process (both for full precision),
    ``libraries`` a pattern of the folders below site-packages in which its library finds what it needs, and
    ``preload`` loads that into a Python process. ``apptainer`` are the flags that bring its device into a
    container. ``torch`` is PyTorch's device on the same hardware, None where it has none.

    ``devices`` asks the system which devices there are: a row each, for the record of a machine. Whether a
    session runs on one of them, only the session can tell: ``e2e.deploy.runtime.session``.
    """

    name: str
    onnxruntime: str
    requirements: str
    package: str
    torch: str | None
    linestyle: str
    hatch: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    libraries: str | None = None
    preload: Callable[[], None] = lambda: None
    apptainer: Sequence[str] = ()
    devices: Callable[[], list[dict[str, str]]] = list

    @property
    def parameter(self) -> str:
        """What cmsRun is given."""
        return f"{PARAMETER}={self.name.lower()}"


def _preload_cuda() -> None:
    import onnxruntime

    onnxruntime.preload_dlls()  # its library does not itself know where the wheels put cuBLAS, cuDNN, ...


def _nvidia_devices() -> list[dict[str, str]]:
    fields = ("name", "driver_version", "memory.total", "clocks.max.sm")
    try:
        text = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [dict(zip(fields, line.split(", "), strict=True)) for line in text.splitlines()]


CPU = Provider("CPU", "CPUExecutionProvider", "cpu", "onnxruntime", torch="cpu", linestyle="-")
# TensorFloat-32 rounds to 10 bits: fast, and further from the CPU than the tolerances allow. CMSSW's wrapper
# leaves it on (scores then differ by some 1e-4), but the libraries below it heed the variable.
CUDA = Provider(
    "CUDA",
    "CUDAExecutionProvider",
    "gpu",
    "onnxruntime-gpu",
    torch="cuda",
    linestyle="--",
    hatch="//",
    options={"use_tf32": "0"},
    environment={"NVIDIA_TF32_OVERRIDE": "0"},
    libraries="nvidia/*/lib",
    preload=_preload_cuda,
    apptainer=("--nv",),
    devices=_nvidia_devices,
)
PROVIDERS = {provider.name: provider for provider in (CPU, CUDA)}


def named(name: str) -> Provider:
    """The provider of a name, in whatever case; raises E2EError, with those that there are, for another."""
    for provider in PROVIDERS.values():
        if provider.name.lower() == name.lower():
            return provider
    raise E2EError(f"{PARAMETER}={name}: no such execution provider; choose {', '.join(PROVIDERS).lower()}")


def of_cmsrun(arguments: Sequence[str]) -> Provider:
    """The provider that the arguments of a cmsRun ask for: the last one counts, CPU without any."""
    asked = [argument.partition("=") for argument in arguments]
    return named(next((value for key, _, value in reversed(asked) if key == PARAMETER), CPU.name))


def requirements() -> list[str]:
    """Names of the files of requirements/ with an ONNX Runtime: what cmssw.apptainer.onnxruntime may be."""
    return sorted({provider.requirements for provider in PROVIDERS.values()})


def libraries(requirements: str) -> list[str]:
    """Patterns of the library folders, below site-packages, of what an ONNX Runtime brings along."""
    used = (provider for provider in PROVIDERS.values() if provider.requirements == requirements)
    return sorted({provider.libraries for provider in used if provider.libraries})


def library_folders() -> list[Path]:
    """Folders of this Python's packages with libraries that some provider needs."""
    packages = Path(sysconfig.get_path("purelib"))
    patterns = (pattern for name in requirements() for pattern in libraries(name))
    return [folder for pattern in patterns for folder in sorted(packages.glob(pattern))]


def environment() -> dict[str, str]:
    """What all providers together want to be set: a provider's variables mean nothing to the others."""
    return {name: value for provider in PROVIDERS.values() for name, value in provider.environment.items()}


def torch_device(provider: Provider) -> torch.device:
    """PyTorch's device, on which it is to compute in full precision from now on.

    Raises E2EError where PyTorch has none.
    """
    import torch

    if provider.torch is None:
        raise E2EError(f"PyTorch has no device of {provider.name}")
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(provider.torch)
