"""How answers keep where the detector changes: a network and its reference on the same objects, changed.

Objects are those of the test part, and a change is that of one detector: the same of its channels are dead,
or miscalibrated, for all of them. Reconstruction stays as it was: crops keep their seeds, and objects their
kinematics. What no change of a crop can show is simulated once more, with the same generated particles, and
reconstructed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from e2e.data import balance, store
from e2e.data.images import hits
from e2e.data.parts import EVENT
from e2e.data.store import Samples
from e2e.data.stream import Stream
from e2e.errors import E2EError
from e2e.files import write_json
from e2e.learning import batches, reference
from e2e.learning.detector_changes import (
    Draw,
    OneDetector,
    dead_channels,
    dead_towers,
    energy_scale,
    miscalibration,
    no_time,
    threshold,
    time_offset,
)
from e2e.learning.measures import EFFICIENCY, Measures, measures
from e2e.learning.statistics import BOOTSTRAP_SEED, REPLICAS, EventBootstrap, events
from e2e.models import saved
from e2e.tasks import Task

BATCH = 256  # objects in memory as frames
CHOICE_SEED = 20_241_114  # of the objects that are looked at: the same for all models
NETWORK = "network"

Apply = Callable[[Tensor, Task, Draw], Tensor]


@dataclass(frozen=True)
class Change:
    """A change of the detector: what it is, how much of it (None: all), and what it makes of frames.

    ``unit`` is that of the strength. A task without a channel in ``of`` knows no such change.
    """

    name: str
    strength: float | None
    unit: str
    apply: Apply
    of: str = "GeV"

    @property
    def label(self) -> str:
        """Name and strength."""
        if self.strength is None:
            return self.name
        sign = "+" if self.signed else ""
        if self.unit == "1":
            return f"{self.name} {100 * self.strength:{sign}.3g} %"
        return f"{self.name} {self.strength:{sign}.3g} {self.unit}"

    @property
    def signed(self) -> bool:
        """Whether its strength may be of either sign."""
        return self.name in ("energy scale", "time offset")


def _of_channels(change: Callable[..., Tensor], strength: float) -> Apply:
    """A change that is another in each channel."""
    return lambda frames, task, draw: change(frames, task, strength, draw)


def _of_all(change: Callable[..., Tensor], *strength: float) -> Apply:
    """A change that is the same in all channels."""
    return lambda frames, task, draw: change(frames, task, *strength)


CHANGES = (
    *(
        Change("dead channels", share, "1", _of_channels(dead_channels, share))
        for share in (0.003, 0.01, 0.03)
    ),
    Change("dead towers", 0.01, "1", _of_channels(dead_towers, 0.01)),
    Change("threshold", 0.3, "GeV", _of_all(threshold, 0.3)),
    Change("miscalibration", 0.01, "1", _of_channels(miscalibration, 0.01)),
    *(
        Change("energy scale", shift, "1", _of_all(energy_scale, 1.0 + shift))
        for shift in (-0.03, -0.01, 0.01, 0.03)
    ),
    Change("time offset", 0.5, "ns", _of_all(time_offset, 0.5), of="ns"),
    Change("no time", None, "ns", _of_all(no_time), of="ns"),
)


def robustness(
    stores: Sequence[str | Path],
    split: str | Path,
    model_pt: str | Path,
    reference_model: str | Path,
    record: str | Path,
    objects: int,
    threads: int | None = None,
    resimulated: Mapping[str, Sequence[str | Path]] | None = None,
) -> None:
    """Measure the network ``model_pt`` and the reference on ``objects`` of the test part, changed.

    At most so many are drawn, always the same. Writes the ``record`` (JSON): of both their figures of merit
    without a change (``nominal``) and with each of ``changes``, there with the ``difference`` to nominal and,
    of the network, ``versus`` the reference under the same change, by a paired bootstrap over events. The
    first figure is that of the task; of classes also efficiency and fake rate at the working point, the cut
    that ``EFFICIENCY`` of a class passes in the validation part, without a change; objects have the weights
    of the test part. ``resimulated`` are stores of events of the test part that were simulated once more, by
    what was another then: they are compared with the objects of the nominal events that they have in common,
    both weighted anew to equal kinematics of the classes. Raises E2EError for crops that do not tell where in
    the detector they are.
    """
    if threads:
        torch.set_num_threads(threads)
    network, info = saved.load(model_pt)
    task = saved.task_of(info).oriented(batches.orientation(stores))
    predict = {NETWORK: _network(network, info), task.reference: _reference(reference_model)}
    with threadpool_limits(threads):
        validation = _chosen(stores, split, "validation", task, objects)
        test = _chosen(stores, split, "test", task, objects)
        nominal = _seen(test, predict)
        cuts = _cuts(measures(task), _seen(validation, predict))
        known = {change.label: change for change in changes(task)}
        changed = {label: _seen(test, predict, task, change) for label, change in known.items()}
        found = compare(measures(task), nominal, changed, cuts)
        again = {
            name: _once_more(test[0], task, paths, predict, cuts)
            for name, paths in (resimulated or {}).items()
        }
    content = {
        "task": task.name,
        "model": info["architecture"],
        "seed": info["trainer"]["seed"],
        "reference": task.reference,
        "training_data": info["training_data"],
        "objects": len(nominal.objects),
        "working_point": {"efficiency": EFFICIENCY, "part": "validation"} if any(cuts.values()) else None,
        "nominal": found.nominal,
        "changes": [
            {
                "label": label,
                "change": change.name,
                "strength": change.strength,
                "unit": change.unit,
                **found.changes[label],
            }
            for label, change in known.items()
        ],
        "resimulated": [{"label": name.replace("_", " "), **of} for name, of in again.items()],
        "bootstrap": {"replicas": REPLICAS, "resampled": "events"},
    }
    write_json(record, content)


def _once_more(
    test: Stream,
    task: Task,
    stores: Sequence[str | Path],
    predict: Mapping[str, Callable[[Samples], NDArray]],
    cuts: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """The test part beside its events as they were simulated once more."""
    samples = store.read(stores)
    nominal, other = events_in_common(test.objects, samples)
    if not len(other):
        raise E2EError(f"{stores[0]}: holds no event of the test part; simulate the same seeds once more")
    samples = samples[other]
    pieces = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    again = Seen(
        samples.identity().assign(target=samples.target, **samples.kinematics),
        np.ones(len(samples)),
        {
            who: np.concatenate([answer(piece) for piece in pieces]).astype(np.float64)
            for who, answer in predict.items()
        },
    )
    before, after = (_balanced(seen, task) for seen in (_seen((test, nominal), predict), again))
    found = compare(measures(task), before, {"after": after}, cuts)
    return {"objects": len(other), "nominal": found.nominal, **found.changes["after"]}


def _balanced(seen: Seen, task: Task) -> Seen:
    """With weights that make the kinematics of the classes equal among these objects."""
    return replace(seen, weight=balance.fit(seen.objects, task)(seen.objects))


def events_in_common(objects: pd.DataFrame, samples: Samples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of those of ``objects`` and of labelled ``samples`` whose events both have."""
    theirs = samples.identity()
    here, there = (pd.MultiIndex.from_frame(table[EVENT]) for table in (objects, theirs))
    labelled = ~np.isnan(samples.target)
    both = here.intersection(there[labelled])
    return np.flatnonzero(here.isin(both)), np.flatnonzero(there.isin(both) & labelled)


def changes(task: Task) -> list[Change]:
    """Those that a task knows."""
    units = {channel.unit for channel in task.channels}
    return [change for change in CHANGES if change.of in units]


def changed(samples: Samples, task: Task, change: Change) -> Samples:
    """The same objects as a changed detector sees them.

    Raises E2EError where it is not known which cells of the detector they show.
    """
    if np.isnan(samples.seed_row).any():
        raise E2EError(
            f"sample {samples.sample[0]}: its crops do not tell where in the detector they are, as those "
            "of public files, so that nothing in it can be changed; take ntuples"
        )
    draw = OneDetector(samples.seed_row, samples.seed_column)
    frames = change.apply(torch.from_numpy(samples.images()), task, draw).numpy()
    offsets, index, value = hits(frames)
    return replace(samples, offsets=offsets, index=index, value=value)


@dataclass(frozen=True, eq=False)
class Seen:
    """``objects`` (identity, target, kinematics), their weights [N], and what several say of them."""

    objects: pd.DataFrame
    weight: NDArray
    predictions: Mapping[str, NDArray]


@dataclass(frozen=True, eq=False)
class Found:
    """Figures of merit of each who answers, without changes and with each of them."""

    nominal: dict[str, Any]
    changes: dict[str, dict[str, Any]]


def compare(
    known: Measures, nominal: Seen, changed: Mapping[str, Seen], cuts: Mapping[str, Mapping[str, float]]
) -> Found:
    """What keeps, by a bootstrap over the events that the ``nominal`` and the ``changed`` objects share.

    ``cuts`` are those of the working points of each who answers. The first who answers is compared with the
    second.
    """
    all_: dict[str | None, Seen] = {None: nominal, **changed}
    ends = np.cumsum([len(seen.objects) for seen in all_.values()])
    tables = pd.concat([seen.objects for seen in all_.values()], ignore_index=True)
    weight = np.concatenate([seen.weight for seen in all_.values()])
    asked = {}
    for (label, seen), end in zip(all_.items(), ends, strict=True):
        here = slice(end - len(seen.objects), end)
        target = seen.objects["target"].to_numpy(np.float64)
        for who, predictions in seen.predictions.items():
            for figure, measure in known.keeping(predictions, target, cuts[who]).items():
                asked[label, who, figure] = _within(here, measure)
    found = EventBootstrap(events(tables), REPLICAS, BOOTSTRAP_SEED, weight).estimate(asked)
    first, second = nominal.predictions
    figures = list(dict.fromkeys(figure for _, _, figure in asked))
    merit = figures[0]
    return Found(
        {
            who: {figure: found[None, who, figure].summary() for figure in figures}
            for who in nominal.predictions
        },
        {
            label: {
                who: {
                    figure: {
                        **found[label, who, figure].summary(),
                        "difference": (found[label, who, figure] - found[None, who, figure]).summary(),
                    }
                    for figure in figures
                }
                for who in nominal.predictions
            }
            | {"versus": (found[label, first, merit] - found[label, second, merit]).summary()}
            for label in changed
        },
    )


def _within(here: slice, measure: Callable[[NDArray], NDArray]) -> Callable[[NDArray], NDArray]:
    return lambda draws: measure(draws[:, here])


def _chosen(
    stores: Sequence[str | Path], split: str | Path, part: str, task: Task, objects: int
) -> tuple[Stream, NDArray[np.int64]]:
    """A part, and the positions of at most so many of its objects."""
    stream = batches.stream(stores, split, part, task)
    number = min(objects, len(stream))
    return stream, np.sort(np.random.default_rng(CHOICE_SEED).permutation(len(stream))[:number])


def _seen(
    chosen: tuple[Stream, NDArray[np.int64]],
    predict: Mapping[str, Callable[[Samples], NDArray]],
    task: Task | None = None,
    change: Change | None = None,
) -> Seen:
    """The chosen objects of a stream, and what is said of them, changed or as they are."""
    stream, positions = chosen
    predictions: dict[str, list[NDArray]] = {who: [] for who in predict}
    for start in range(0, len(positions), BATCH):
        samples = stream.samples(positions[start : start + BATCH])
        if change is not None:
            samples = changed(samples, task, change)
        for who, answer in predict.items():
            predictions[who].append(answer(samples))
    return Seen(
        stream.objects.iloc[positions].reset_index(drop=True),
        stream.weight[positions],
        {who: np.concatenate(pieces).astype(np.float64) for who, pieces in predictions.items()},
    )


def _cuts(known: Measures, validation: Seen) -> dict[str, dict[str, float]]:
    """Those of the working points of each who answers."""
    target = validation.objects["target"].to_numpy(np.float64)
    return {
        who: known.cuts(predictions, target, validation.weight)
        for who, predictions in validation.predictions.items()
    }


def _network(network: torch.nn.Module, info: Mapping[str, Any]) -> Callable[[Samples], NDArray]:
    temperature = np.float32(info.get("temperature", 1.0))
    return lambda samples: saved.predictions(network, [samples]) / temperature


def _reference(path: str | Path) -> Callable[[Samples], NDArray]:
    known = reference.load(path)
    return lambda samples: known.predictions([samples])
