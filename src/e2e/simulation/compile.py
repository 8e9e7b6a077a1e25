"""Numba compilation with a cache that notices every change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numba

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
_STATE = hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:16]


def compiled(function: Callable) -> Callable:
    """``numba.njit`` with a cache that belongs to the present state of all sources of this package.

    Numba itself looks only at the file of the function, and would go on calling the old code of another
    module's function after that was edited.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(Path(before or Path(__file__).parent / "__pycache__") / _STATE)
    try:
        return numba.njit(cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before
