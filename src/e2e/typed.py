"""Dataclasses from the content of JSON, which may hold anything."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

LARGEST = 2**53  # of a whole number: JSON's readers in other languages take no larger ones
LEVELS = 32  # of lists and objects in each other
_TOO_DEEP = f"more than {LEVELS} lists and objects in each other"
_PLAIN = (str, int, float, type(None))
SHOWN = 40  # characters of a wrong value in a message


def parse(text: str | bytes, record: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The content of JSON, each object of it put into a ``record``.

    Raises ValueError, of one line, also for NaN and for lists without end.
    """
    try:
        content = json.loads(text, parse_constant=_no_constant, object_hook=record)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [content]
    for _ in range(LEVELS):
        inside = [entry.values() if isinstance(entry, dict) else entry for entry in level]
        level = [entry for entries in inside if not isinstance(entries, _PLAIN) for entry in entries]
    if level:
        raise ValueError(_TOO_DEEP)
    return content


def build(kind: type[T], content: Any, where: str = "") -> T:
    """``content`` as a ``kind``.

    That is bool, int, float, str, ``Any``, a list, tuple or dict of such, one of these ``| None``, or a
    dataclass of such, whose fields are all there but those with a default, and no others.

    Raises ValueError, which says where in the content what is not of its type.
    """
    found: T = _build(kind, content, where)
    return found


def _build(kind: Any, content: Any, where: str) -> Any:
    if kind is Any:
        return content
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if content is None and type(None) in arguments:
            return None
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return _build(kind, content, where)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, _of_type(dict, content, where), where)
    if origin in (list, tuple):
        numbered = enumerate(_of_type(list, content, where))
        return origin(_build(arguments[0], entry, f"{where}[{number}]") for number, entry in numbered)
    if origin is dict:
        entries = _of_type(dict, content, where).items()
        return {name: _build(arguments[1], entry, _inside(where, name)) for name, entry in entries}
    if kind is float and type(content) is int and abs(content) <= LARGEST:
        return float(content)
    found = _of_type(kind, content, where)
    if (kind is int and abs(found) > LARGEST) or (kind is float and not abs(found) < float("inf")):
        raise ValueError(f"{where or 'it'} is {shown(content)}, too large a number")
    return found


def _build_dataclass(kind: Any, content: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := [name for name in content if name not in fields]:
        raise ValueError(f"{_inside(where, unknown[0])} is unknown")
    for name, field in fields.items():
        no_default = field.default is field.default_factory is dataclasses.MISSING
        if name not in content and no_default:
            raise ValueError(f"{_inside(where, name)} is missing")
    return kind(**{name: _build(hints[name], entry, _inside(where, name)) for name, entry in content.items()})


def _of_type(kind: type[T], content: Any, where: str) -> T:
    if type(content) is not kind:  # a bool is an int to isinstance
        names = {dict: "an object", list: "a list", int: "a whole number", float: "a number", str: "a text"}
        raise ValueError(f"{where or 'it'} is {shown(content)}, not {names.get(kind, 'true or false')}")
    return content


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)[:SHOWN]


def shown(content: Any) -> str:
    """A value as JSON has it, or the beginning of that."""
    text = json.dumps(content)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
