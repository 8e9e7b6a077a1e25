"""What the objects of a task look like: crops, average crops, numbers of hits, kinematics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2e.data.store import Samples
from e2e.report import style
from e2e.report.displays import QUANTITIES, draw_frame, mean_frame, truth
from e2e.report.merits import merit
from e2e.tasks import Quantity, Task

REACH = 31  # cells of a jet's crop that are drawn around its middle: 0.54 in eta and phi
SIZE = (4.9, 4.1)  # inches of a picture


def crop(samples: Samples, row: int, origin: str) -> Figure:
    """The channels of one object, ``REACH`` cells on either side of the middle of its crop."""
    event = f"{samples.run[row]}:{samples.lumi[row]}:{samples.event[row]}"
    figure, panels = style.panels(len(samples.channels), *SIZE, columns=_columns(len(samples.channels)))
    for axes, channel, frame in zip(panels, samples.channels, samples.images([row])[0], strict=True):
        draw_frame(axes, frame, channel)
        rows, columns = frame.shape
        axes.set_ylim(max(rows // 2 - REACH, 0) - 0.5, min(rows // 2 + REACH, rows - 1) + 0.5)
        axes.set_xlim(max(columns // 2 - REACH, 0) - 0.5, min(columns // 2 + REACH, columns - 1) + 0.5)
    return _titled(figure, f"{truth(samples, row)}, event {event}", origin)


def average(samples: Samples, name: str, origin: str) -> Figure:
    """The mean crop of the objects, channel by channel; ``name`` says what they are.

    Impact parameters are left out: their signs cancel.
    """
    frames = zip(samples.channels, mean_frame(samples), strict=True)
    shown = [(channel, frame) for channel, frame in frames if channel.unit != "cm"]
    figure, panels = style.panels(len(shown), *SIZE, columns=_columns(len(shown)))
    for axes, (channel, frame) in zip(panels, shown, strict=True):
        draw_frame(axes, frame, channel)
    return _titled(figure, f"{name}, mean of {len(samples)}", origin)


def _columns(channels: int) -> int:
    return {4: 2, 8: 4}.get(channels, 3)


def _titled(figure: Figure, name: str, origin: str) -> Figure:
    figure.suptitle(f"{style.events(origin)}: {name}", x=0.01, ha="left", fontstyle="italic", fontsize=16)
    return figure


def hits(samples: Samples, origin: str) -> Figure:
    """Numbers of hits an object in each channel, by class."""
    size = samples.shape[1] * samples.shape[2]
    owner = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    figure, panels = style.panels(len(samples.channels))
    for number, (axes, channel) in enumerate(zip(panels, samples.channels, strict=True)):
        counts = np.bincount(owner[samples.index // size == number], minlength=len(samples))
        edges = np.histogram_bin_edges(counts, 40, (0, max(np.quantile(counts, 0.995), 1)))
        for code, (name, chosen) in enumerate(by_class(samples.target, samples.classes)):
            style.shares(axes, counts[chosen], edges, color=f"C{code}", label=name)
        axes.set(
            xlabel=f"{QUANTITIES.get(channel.name, channel.name)}: hits an object", ylabel="Share of objects"
        )
    return _labelled(figure, panels, origin)


def kinematics(objects: pd.DataFrame, weight: NDArray, task: Task, origin: str) -> Figure:
    """Kinematics by class, with the weights [N] of training; without them dotted, where they differ from 1.

    ``objects`` is the table of a stream. The true value, too, of a regression.
    """
    drawn = [quantity for quantity in task.kinematics if quantity.name not in task.kinds]
    known = [quantity for quantity in drawn if np.isfinite(objects[quantity.name]).any()]
    if true := merit(task).true:
        known.insert(0, Quantity("target", true.unit))
    if not known:
        return style.message("These files hold no kinematics.")
    figure, panels = style.panels(len(known))
    weighted = not np.all(weight == 1)
    for axes, quantity in zip(panels, known, strict=True):
        column = objects[quantity.name].to_numpy()
        edges = np.linspace(*np.nanquantile(column, (0.0, 0.995)), 41)
        for code, (name, chosen) in enumerate(by_class(objects["target"].to_numpy(), task.classes)):
            colour = f"C{code}"
            style.shares(axes, column[chosen], edges, weight[chosen], name, color=colour)
            if weighted:
                label = f"{name}, unweighted"
                style.shares(axes, column[chosen], edges, label=label, color=colour, linestyle=":")
        name = f"true {true.name}" if quantity.name == "target" else quantity.name
        axes.set(
            xlabel=name + ("" if quantity.unit == "1" else f" [{quantity.unit}]"), ylabel="Share of objects"
        )
    return _labelled(figure, panels, origin)


def by_class(target: NDArray, classes: tuple[str, ...]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name and mask [N] of each class; all objects at once where there are none."""
    if not classes:
        yield "all", np.ones(len(target), bool)
    for number, name in enumerate(classes):
        yield name, target == number


def _labelled(figure: Figure, panels: list[Axes], origin: str) -> Figure:
    panels[0].set_ylim(0, 1.4 * panels[0].get_ylim()[1])
    panels[0].legend(fontsize="small", ncols=2)
    style.label(panels[0], style.events(origin))
    return figure
