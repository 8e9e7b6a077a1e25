"""Which files of the library a step depends on, so that the workflow repeats it when one of them changes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent
# Much faster than Python's own parser, and every process of a workflow asks.
_IMPORT = re.compile(r"^\s*(?:from (e2e[\w.]*) import (\([^)]*\)|.*)|import (e2e[\w.]*))", re.MULTILINE)
# The number of the version, how errors are said, and how files are written change no result.
_WITHOUT = {LIBRARY / name for name in ("__init__.py", "version.py", "errors.py", "files.py")}


def imported(*modules: str) -> list[str]:
    """``modules``, such as ``learning/train.py``, and all files of this library that they import, sorted.

    What they draw with (``plots``) is among them only if one of ``modules`` is of it: no training is worth
    another look of its figure.
    """
    found: set[Path] = set()
    ahead = [LIBRARY / module for module in modules]
    drawing = any(path.parent.name == "plots" for path in ahead)
    while ahead:
        path = ahead.pop()
        if path not in found | _WITHOUT and (drawing or path.parent.name != "plots"):
            found |= {path, *_data(path)}
            ahead += imports(path)
    return sorted(str(path.relative_to(LIBRARY)) for path in found)


def _data(path: Path) -> list[Path]:
    """The file of data that a module reads, which has its name."""
    data = path.with_suffix(".json")
    return [data] if data.exists() else []


@cache
def imports(path: Path) -> tuple[Path, ...]:
    """Files of this library that the file ``path`` imports, wherever in it."""
    names = set()
    for package, members, module in _IMPORT.findall(path.read_text()):
        names |= {package or module, *(f"{package}.{member}" for member in re.findall(r"\w+", members))}
    places = [LIBRARY.parent / name.replace(".", "/") for name in names]
    files = [place / "__init__.py" if place.is_dir() else place.with_suffix(".py") for place in places]
    return tuple(sorted(file for file in files if file.exists()))
