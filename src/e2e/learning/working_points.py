"""Efficiencies at fixed cuts on the score: found in the validation part, measured in the test part.

Each is told of both classes, of the kinds of objects in them, and in bins of the transverse momentum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from e2e.data.stream import Stream
from e2e.learning.calibration import working_point
from e2e.learning.statistics import events
from e2e.tasks import Task

BINS = 6  # of transverse momentum, of equal numbers of objects
ALL = "all"


def measure(
    task: Task, validation: Stream, found: NDArray, test: Stream, logit: NDArray
) -> dict[str, dict[str, Any]]:
    """What passes the task's working points, of the logits ``found`` of the validation and of the test part.

    ``points``: by name the ``signal_efficiency`` that was asked for and the ``cut``. ``passing``: by class,
    and by kind of its objects, their number and, by point, the share that passes with its intervals
    (``share``), also ``by_momentum`` between each two ``edges`` of ``momentum``. Objects weigh what they do
    in the training.
    """
    points = task.working_points
    signal = validation.target == 1
    cuts = {
        name: working_point(found, signal, validation.weight, efficiency)
        for name, efficiency in points.efficiencies.items()
    }
    momentum = test.objects[task.balance[0]].to_numpy(np.float64)
    known = momentum[np.isfinite(momentum)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1))) if len(known) else np.empty(0)
    number = np.where(np.isfinite(momentum), np.searchsorted(edges[1:-1], momentum, side="right"), -1)
    event, weight = events(test.objects), test.weight.astype(np.float64)

    def passing(inside: NDArray[np.bool_]) -> dict[str, Any]:
        record: dict[str, Any] = {"objects": int(inside.sum())}
        for name, least in cuts.items():
            places = [inside, *(inside & (number == i) for i in range(len(edges) - 1))]
            whole, *parts = [share(logit[here] >= least, weight[here], event[here]) for here in places]
            record[name] = {**whole, "by_momentum": parts}
        return record

    return {
        "points": {
            name: {"signal_efficiency": points.efficiencies[name], "cut": least}
            for name, least in cuts.items()
        },
        "momentum": {"name": task.balance[0], "edges": edges.tolist()},
        "passing": {
            name: {kind: passing(inside) for kind, inside in kinds(task, test.objects, name)}
            for name in reversed(task.classes)
        },
    }


def kinds(task: Task, objects: pd.DataFrame, name: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names and masks [N] of all objects of the class ``name``, and of its kinds that are there."""
    of_class = objects["target"].to_numpy() == task.classes.index(name)
    yield ALL, of_class
    if set(task.kinds) <= set(objects):  # stores of before may lack them
        for kind, query in task.working_points.kinds[name].items():
            inside = of_class & objects.eval(query, engine="python").to_numpy()
            if inside.any():
                yield kind, inside


def share(passes: NDArray[np.bool_], weight: NDArray, event: NDArray) -> dict[str, Any]:
    """Share of the weight [N] that passes, with 68 % and 95 % intervals; null without objects.

    Those of Clopper and Pearson for as many objects as would have the variance of events with these weights
    (Korn and Graubard, Survey Methodology 24 (1998) 193): they hold also where none passes, or all.
    """
    if not len(passes):
        return {"value": None, "interval_68": [None, None], "interval_95": [None, None]}
    total = weight.sum()
    value = float(weight @ passes / total)
    size = total**2 / np.square(weight).sum()
    _, place = np.unique(event, return_inverse=True)
    variance = np.square(np.bincount(place, weight * (passes - value))).sum() / total**2
    if variance > 0:
        size = min(value * (1 - value) / variance, len(passes))
    return {
        "value": value,
        **{f"interval_{level}": _clopper_pearson(value, size, level / 100) for level in (68, 95)},
    }


def _clopper_pearson(value: float, size: float, level: float) -> list[float]:
    passed, failed, beyond = value * size, (1 - value) * size, (1 - level) / 2
    low = beta.ppf(beyond, passed, failed + 1) if passed > 0 else 0.0
    high = beta.ppf(1 - beyond, passed + 1, failed) if failed > 0 else 1.0
    return [float(low), float(high)]


def tracks_found(task: Task, objects: pd.DataFrame, count: NDArray[np.integer], most: int = 4) -> Mapping:
    """Shares of the objects of each kind, by class, that have 0, 1, ... or at least ``most`` tracks."""
    found = np.minimum(count, most)
    return {
        name: {
            kind: {
                "objects": int(inside.sum()),
                "shares": (np.bincount(found[inside], minlength=most + 1) / max(inside.sum(), 1)).tolist(),
            }
            for kind, inside in kinds(task, objects, name)
        }
        for name in reversed(task.classes)
    }
