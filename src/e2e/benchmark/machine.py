"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from e2e.deploy.providers import PROVIDERS

_PACKAGES = ("torch", "onnx", "numpy", "ROOT", "numba", "pyarrow", "uproot", "awkward", "coffea")
_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


# Of a machine's record: what is another from one minute to the next.
_VARYING = ("mhz", "load_average")


def machine() -> dict[str, Any]:
    """CPU, memory, kernel, GPUs with their driver, and versions; what cannot be found out is None."""
    cpu = _cpu_info()
    flags = cpu.get("flags", "").split()
    packages = dict.fromkeys([*_PACKAGES, *(provider.package for provider in PROVIDERS.values())])
    return {
        "cpu": {
            "model": cpu.get("model name", platform.processor() or None),
            "architecture": platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "instructions": [name for name in _INSTRUCTIONS if name in flags],
            "mhz": float(cpu["cpu MHz"]) if "cpu MHz" in cpu else None,
            "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "load_average": os.getloadavg()[0],
        },
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "gpus": [device for provider in PROVIDERS.values() for device in provider.devices()],
        "python": platform.python_version(),
        "packages": {name: found for name in packages if (found := _version(name))},
    }


def lasting(machine: dict[str, Any]) -> dict[str, Any]:
    """A machine's record without what varies by itself: equal for all runs on an unchanged machine."""
    return {**machine, "cpu": {key: value for key, value in machine["cpu"].items() if key not in _VARYING}}


def _cpu_info() -> dict[str, str]:
    """/proc/cpuinfo of the first CPU."""
    first = (_read("/proc/cpuinfo") or "").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
