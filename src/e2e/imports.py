"""Which files of the library a step depends on, so that the workflow repeats it when one of them changes."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

import grimp

LIBRARY = Path(__file__).parent
# How errors are said, how files are written, and the number of the version change no result.
_WITHOUT = {"e2e", "e2e.errors", "e2e.files", "e2e.version"}


def digest(*modules: str, facts: object = None) -> str:
    """SHA-256 of what ``modules`` and all that they import say: a comment or a docstring changes nothing.

    ``facts``, of a task, count as they are printed.
    """
    sha = hashlib.sha256(repr(facts).encode())
    for file in imported(*modules):
        sha.update(file.encode())
        sha.update(_said(LIBRARY / file))
    return sha.hexdigest()


def imported(*modules: str) -> list[str]:
    """``modules``, such as ``learning/train.py``, and all files of this library that they import, sorted.

    An import by ``importlib`` is not seen: what it brings (a network, the loop that trains it, the facts of a
    task) the caller names.
    """
    graph = _graph()
    parts = (Path("e2e", module).with_suffix("").parts for module in modules)
    names = {".".join(part for part in path if part != "__init__") for path in parts}
    found = names - _WITHOUT
    ahead = list(found)
    while ahead:
        for name in graph.find_modules_directly_imported_by(ahead.pop()):
            if name not in found and name not in _WITHOUT:
                found.add(name)
                ahead.append(name)
    return sorted(str(path.relative_to(LIBRARY)) for name in found for path in _files(name))


@cache
def _graph() -> grimp.ImportGraph:
    """Who imports whom; what only type checkers read does not count."""
    return grimp.build_graph("e2e", exclude_type_checking_imports=True, cache_dir=None)


def _files(module: str) -> list[Path]:
    """The file of a module, and the data that it reads, which have its name."""
    place = LIBRARY.joinpath(*module.split(".")[1:])
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    data = file.with_suffix(".json")
    return [file, data] if data.exists() else [file]


@cache
def _said(path: Path) -> bytes:
    """What a file says, comments and docstrings apart."""
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree).encode()
