"""Networks, one file a family: raw detector frames [N, C, H, W] -> logits [N], or masses [N] in GeV.

A family is a module with a function ``build(task, **hyperparameters) -> torch.nn.Module``: dropping a file
in this package is all that a new architecture needs. The file brings the trunk, from frames to features
(``trunk``); ``network`` has the head, from features to the answer. It may have ``SPACE``, choices {name:
values} for a search of hyperparameters, of which the first is the default of ``build``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from e2e.errors import E2EError

if TYPE_CHECKING:
    from torch import nn

    from e2e.tasks import Task


def architectures() -> list[str]:
    """Names of the modules of this package that have a ``build`` function of their own."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if _builds(importlib.import_module(f"{__name__}.{name}"))]


def _builds(module: ModuleType) -> bool:
    return getattr(getattr(module, "build", None), "__module__", None) == module.__name__


def build(architecture: str, task: Task, **hyperparameters) -> nn.Module:
    """A new network for ``task``: raw frames float32 [N, C, H, W] in the units of the task -> logits [N].

    ``hyperparameters`` are those of the architecture's own ``build``. Raises E2EError for an architecture or
    a hyperparameter that does not exist, naming those that do, and for unsuitable values.
    """
    module = _family(architecture)
    allowed = list(inspect.signature(module.build).parameters)[1:]
    unknown = sorted(set(hyperparameters) - set(allowed))
    if unknown:
        raise E2EError(
            f"architecture {architecture!r} has no hyperparameter {', '.join(map(repr, unknown))};"
            f" it takes: {', '.join(allowed)}"
        )
    try:
        return module.build(task, **hyperparameters)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise E2EError(
            f"architecture {architecture!r} cannot be built with {hyperparameters}: {error}"
        ) from error


def space(architecture: str) -> Mapping[str, Sequence[Any]]:
    """Choices of a search for hyperparameters, the default first; raises E2EError as ``build`` does."""
    return getattr(_family(architecture), "SPACE", {})


def _family(architecture: str) -> ModuleType:
    known = architectures()
    if architecture not in known:
        raise E2EError(f"unknown architecture {architecture!r}; choose one of: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{architecture}")
