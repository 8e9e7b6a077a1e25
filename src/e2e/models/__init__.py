"""Networks, one file a family: raw detector frames [N, C, H, W] -> logits [N], or masses [N] in GeV.

A family is a module with a function ``build(task, **hyperparameters) -> torch.nn.Module``: dropping a file
in this package is all that a new architecture needs. The file brings the trunk, from frames to features
(``trunk``); ``network`` has the head, from features to the answer. It may have ``SPACE``, choices {name:
values} for a search of hyperparameters, of which the first is the default of ``build``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from e2e import families

if TYPE_CHECKING:
    from torch import nn

    from e2e.tasks import Task

_KIND = "architecture"
# Hyperparameters of a ``Network`` beside its trunk: another training may have other ones on the same trunk.
HEAD = ("hidden", "dropout")


def architectures() -> list[str]:
    """Names of the modules of this package that have a ``build`` function of their own."""
    return families.families(sys.modules[__name__])


def hyperparameters() -> dict[str, list[str]]:
    """Those of each architecture; nothing is imported."""
    return {name: given[1:] for name, given in families.signatures(sys.modules[__name__]).items()}


def build(architecture: str, task: Task, **hyperparameters) -> nn.Module:
    """A new network for ``task``: raw frames float32 [N, C, H, W] in the units of the task -> logits [N].

    ``hyperparameters`` are those of the architecture's own ``build``. Raises E2EError for an architecture or
    a hyperparameter that does not exist, naming those that do, and for unsuitable values.
    """
    return families.build(sys.modules[__name__], _KIND, architecture, task, **hyperparameters)


def takes(network: nn.Module) -> Task | None:
    """The task whose scalars a network takes beside frames: ``network(frames, scalars [N, S])``."""
    return getattr(network, "takes", None)


def space(architecture: str) -> Mapping[str, Sequence[Any]]:
    """Choices of a search for hyperparameters, the default first; raises E2EError as ``build`` does."""
    return getattr(families.family(sys.modules[__name__], _KIND, architecture), "SPACE", {})


def of_trunk(architecture: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``hyperparameters`` that make the trunk what it is, with the architecture's own defaults.

    As JSON has them: lists, no tuples. Raises E2EError as ``build`` does for an architecture.
    """
    module = families.family(sys.modules[__name__], _KIND, architecture)
    own = list(inspect.signature(module.build).parameters.values())[1:]
    given = {parameter.name: parameter.default for parameter in own} | dict(hyperparameters)
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if name not in HEAD}


def same_as(architecture: str) -> str | None:
    """The architecture whose network this one is in another framework, if it says so (``SAME_AS``)."""
    return getattr(families.family(sys.modules[__name__], _KIND, architecture), "SAME_AS", None)


def is_keras(architecture: str) -> bool:
    """Whether a family of networks is one of Keras: its name tells."""
    return architecture.startswith("keras_")


def loop_of(architecture: str) -> str:
    """The module of ``e2e.learning`` whose ``fit`` trains networks of an architecture."""
    return "keras_fit" if is_keras(architecture) else "fit"
