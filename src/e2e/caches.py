"""Where libraries keep what they need again: a place that can be written, and that nobody else writes to."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent
VARIABLE = "NUMBA_CACHE_DIR"


def choose() -> None:
    """Set the variables of Numba and Matplotlib where their own places cannot be written.

    That is so in containers and on cvmfs. Numba writes beside the library if it can; else both have a
    folder of the user's cache, else one of the user's own among the temporary files. What Numba keeps is
    code that is run: a folder that belongs to somebody else is not used.
    """
    _choose_for_numba()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "matplotlib"
    if "MPLCONFIGDIR" not in os.environ and not _made(settings) and _folder():
        os.environ["MPLCONFIGDIR"] = f"{_folder()}/matplotlib"


def _choose_for_numba() -> None:
    if (given := os.environ.get(VARIABLE)) and _made(Path(given)):
        return
    folder = "" if not given and os.access(LIBRARY, os.W_OK) else _folder()
    if folder or given:
        os.environ[VARIABLE] = folder
        if "numba" in sys.modules:  # which has read the variable by now
            sys.modules["numba"].config.CACHE_DIR = folder


@cache
def _folder() -> str:
    """A folder for the caches; empty if there is none."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    if home.is_absolute() and _made(home / "e2e"):
        return str(home / "e2e")
    try:
        own = Path(tempfile.gettempdir(), f"e2e-{os.geteuid()}")
        if _private(own):
            return str(own)
        fresh = tempfile.mkdtemp(prefix="e2e-")
    except OSError:
        return ""  # Numba says so where it needs one
    atexit.register(shutil.rmtree, fresh, ignore_errors=True)
    return fresh


def _made(folder: Path) -> bool:
    """Whether a folder is there, made now if need be, and can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _private(folder: Path) -> bool:
    """Whether a folder is there, made now if need be, which belongs to this user alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return True
