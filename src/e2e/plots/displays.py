"""Event displays: what a network sees of an object, channel beside channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from e2e.data import split, store
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.plots import style
from e2e.tasks import Channel

PER_CLASS = 3
QUANTITIES = {"GeV": "Energy", "ns": "Time"}  # by unit: the name of what a channel measures


def displays(stores: Sequence[str | Path], output: str | Path) -> None:
    """Draw the first ``PER_CLASS`` test objects of each class, one class beside the other.

    Only the first row group of each store file is looked at. Raises E2EError when it holds no test
    object with truth.
    """
    samples = Samples.concatenate([piece for path in stores for piece in islice(store.iterate(path), 1)])
    part = split.part(samples.sample, samples.run, samples.lumi, samples.event)
    test = part == split.PARTS.index("test")
    chosen = [
        np.flatnonzero(test & (samples.target == code))[:PER_CLASS] for code in range(len(samples.classes))
    ]
    if not max(map(len, chosen)):
        raise E2EError(
            f"{', '.join(map(str, stores))}: no test object with truth to display; convert more events"
        )
    channels = len(samples.channels)
    figure, axes = style.figure(
        max(map(len, chosen)), channels * len(chosen), width=5.2, height=4.4, squeeze=False
    )
    for axis in axes.flat:
        axis.set_visible(False)
    for code, rows in enumerate(chosen):
        for line, row in zip(axes, rows, strict=False):
            draw_crop(line[code * channels : (code + 1) * channels], samples, row, samples.classes[code])
    simulation = all(store.read_metadata(path).simulation for path in stores)
    figure.suptitle(style.origin(simulation), x=0.01, ha="left", fontstyle="italic")
    style.save(figure, output)


def picture(samples: Samples, simulation: bool, output: str | Path) -> None:
    """Draw the mean crop of ``samples``, and below it the first ``PER_CLASS`` objects."""
    rows = range(min(PER_CLASS, len(samples)))
    figure, axes = style.figure(1 + len(rows), len(samples.channels), width=5.2, height=4.4, squeeze=False)
    for axis, channel, frame in zip(axes[0], samples.channels, mean_frame(samples), strict=True):
        draw_frame(axis, frame, channel)
        axis.set_title(f"mean of {len(samples)} objects", fontsize="small")
    for line, row in zip(axes[1:], rows, strict=True):
        target = samples.target[row]
        draw_crop(line, samples, row, "no truth" if np.isnan(target) else samples.classes[int(target)])
    figure.suptitle(style.origin(simulation), x=0.01, ha="left", fontstyle="italic")
    style.save(figure, output)


def detector(
    frames: Sequence[np.ndarray],
    seeds: tuple[np.ndarray, np.ndarray],
    channels: Sequence[Channel],
    event: str,
    simulation: bool,
    output: str | Path,
) -> None:
    """Draw the whole-detector frames [rows, columns] of an event, its ``seeds`` (rows, columns) ringed."""
    figure, axes = style.figure(len(channels), 1, width=14, height=6.5, squeeze=False)
    for axis, frame, channel in zip(axes[:, 0], frames, channels, strict=True):
        draw_frame(axis, frame, channel)
        axis.set(xlabel=r"column ($i\phi$)", ylabel=r"row ($i\eta$)")
        axis.scatter(seeds[1], seeds[0], s=300, facecolors="none", edgecolors="red")
        style.label(axis, style.origin(simulation), f"event {event}, seeds ringed")
    style.save(figure, output)


def mean_frame(samples: Samples) -> np.ndarray:
    """Sum of the hits of each cell over the number of objects [C, H, W]."""
    total = np.bincount(samples.index, samples.value, minlength=int(np.prod(samples.shape)))
    return total.reshape(samples.shape) / max(len(samples), 1)


def draw_crop(line: Sequence[Axes], samples: Samples, row: int, name: str) -> None:
    """Draw the channels of one object, each on one of the axes of ``line``."""
    event = f"{samples.run[row]}:{samples.lumi[row]}:{samples.event[row]}"
    for axes, channel, frame in zip(line, samples.channels, samples.images([row])[0], strict=True):
        axes.set_visible(True)
        draw_frame(axes, frame, channel)
        axes.set_title(f"{name}, event {event}, object {samples.object[row]}", fontsize="small")


def draw_frame(axes: Axes, frame: np.ndarray, channel: Channel) -> None:
    """Draw one channel [H, W] with its colour bar: GeV on a logarithmic scale, others around 0.

    Cells without a hit stay white.
    """
    hits = frame[frame != 0]
    if channel.unit == "GeV":
        top = hits.max(initial=0) or 1  # an empty crop still gets a scale
        scale = {"norm": LogNorm(top * 1e-4, top), "cmap": "viridis"}
    else:
        top = np.quantile(np.abs(hits), 0.95) if len(hits) else 1  # single bad times would wash out the rest
        scale = {"norm": Normalize(-top, top), "cmap": "coolwarm"}
    image = axes.imshow(np.ma.masked_equal(frame, 0), origin="lower", **scale)
    quantity = QUANTITIES.get(channel.unit, channel.name)
    axes.figure.colorbar(image, ax=axes, label=f"{quantity} [{channel.unit}]", extend="both")
    axes.set(xlabel=r"$i\phi$ in the crop", ylabel=r"$i\eta$ in the crop")
