"""Event displays: what a network sees of an object, channel beside channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from e2e.data import split, store
from e2e.data.store import Samples
from e2e.errors import E2EError
from e2e.report import style
from e2e.tasks import TRACK_D0, TRACK_DZ, TRACK_PT, Channel

PER_CLASS = 3
# What a channel measures, in words.
QUANTITIES = {
    "EB_energy": "Energy",
    "EB_time": "Time",
    "ECAL_energy": "ECAL energy",
    "HCAL_energy": "HCAL energy",
    TRACK_PT.name: r"Track $p_{\mathrm{T}}$",
    TRACK_DZ.name: r"Track $d_z$",
    TRACK_D0.name: r"Track $d_0$",
    **{f"BPIX_layer{layer}": f"Pixel layer {layer}" for layer in (1, 2, 3)},
}


@dataclass(frozen=True)
class Panel:
    """Frame [rows, columns] of a channel in an event, and the (row, column) [N, 2] of objects in it."""

    channel: Channel
    frame: np.ndarray
    seeds: np.ndarray


def displays(stores: Sequence[str | Path], output: str | Path) -> None:
    """Draw the first ``PER_CLASS`` test objects of each class, one class beside the other.

    Of a regression these are those with the smallest and the largest targets. Only the first row group of
    each store file is looked at. Raises E2EError when it holds no test object with truth.
    """
    samples = Samples.concatenate([piece for path in stores for piece in _test_objects(path)])
    columns = [rows for rows in _choose(samples) if len(rows)]
    if not columns:
        raise E2EError(
            f"{', '.join(map(str, stores))}: no test object with truth to display; convert more events"
        )
    channels = len(samples.channels)
    figure, axes = style.figure(
        max(map(len, columns)), channels * len(columns), width=5.2, height=4.4, squeeze=False
    )
    for axis in axes.flat:
        axis.set_visible(False)
    for column, rows in enumerate(columns):
        for line, row in zip(axes, rows, strict=False):
            draw_crop(line[column * channels : (column + 1) * channels], samples, row)
    origin = store.common(store.read_metadata(path).origin for path in stores)
    figure.suptitle(style.events(origin), x=0.01, ha="left", fontstyle="italic")
    style.save(figure, output)


def _test_objects(path: str | Path) -> list[Samples]:
    """The test objects in the first row group of a store."""
    part = store.read_metadata(path).part
    pieces = list(islice(store.iterate(path), 1))
    if part is not None:
        return pieces if part == "test" else [piece[:0] for piece in pieces]
    codes = [split.part(piece.sample, piece.run, piece.lumi, piece.event) for piece in pieces]
    test = split.PARTS.index("test")
    return [piece[code == test] for piece, code in zip(pieces, codes, strict=True)]


def _choose(samples: Samples) -> list[np.ndarray]:
    """Positions of the objects to draw beside each other."""
    if samples.classes:
        codes = range(len(samples.classes))
        return [np.flatnonzero(samples.target == code)[:PER_CLASS] for code in codes]
    known = np.flatnonzero(~np.isnan(samples.target))
    order = known[np.argsort(samples.target[known], kind="stable")]
    return [order[: min(PER_CLASS, len(order) // 2)], order[::-1][: min(PER_CLASS, -(-len(order) // 2))]]


def picture(samples: Samples, origin: str, output: str | Path) -> None:
    """Draw the mean crop of ``samples``, and below it the first ``PER_CLASS`` objects."""
    rows = range(min(PER_CLASS, len(samples)))
    figure, axes = style.figure(1 + len(rows), len(samples.channels), width=5.2, height=4.4, squeeze=False)
    for axis, channel, frame in zip(axes[0], samples.channels, mean_frame(samples), strict=True):
        draw_frame(axis, frame, channel)
        axis.set_title(f"mean of {len(samples)} objects", fontsize="small")
    for line, row in zip(axes[1:], rows, strict=True):
        draw_crop(line, samples, row)
    figure.suptitle(style.events(origin), x=0.01, ha="left", fontstyle="italic")
    style.save(figure, output)


def detector(panels: Sequence[Panel], event: str, origin: str, output: str | Path) -> None:
    """Draw whole-detector frames of an event, one below the other, the objects in them ringed."""
    figure, axes = style.figure(len(panels), 1, width=14, height=6.5, squeeze=False)
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        draw_frame(axis, panel.frame, panel.channel)
        axis.set(xlabel=r"column ($i\phi$)", ylabel=r"row ($i\eta$)")
        axis.scatter(panel.seeds[:, 1], panel.seeds[:, 0], s=300, facecolors="none", edgecolors="red")
        style.label(axis, style.events(origin), f"event {event}, seeds ringed")
    style.save(figure, output)


def mean_frame(samples: Samples) -> np.ndarray:
    """Sum of the hits of each cell over the number of objects [C, H, W]."""
    total = np.bincount(samples.index, samples.value, minlength=int(np.prod(samples.shape)))
    return total.reshape(samples.shape) / max(len(samples), 1)


def draw_crop(line: Sequence[Axes], samples: Samples, row: int) -> None:
    """Draw the channels of one object, each on one of the axes of ``line``."""
    event = f"{samples.run[row]}:{samples.lumi[row]}:{samples.event[row]}"
    name = truth(samples, row)
    for axes, channel, frame in zip(line, samples.channels, samples.images([row])[0], strict=True):
        axes.set_visible(True)
        draw_frame(axes, frame, channel)
        axes.set_title(f"{name}, event {event}, object {samples.object[row]}", fontsize="small")


def truth(samples: Samples, row: int) -> str:
    """What an object is: the name of its class, or its mass."""
    target = samples.target[row]
    if np.isnan(target):
        return "no truth"
    return samples.classes[int(target)] if samples.classes else f"mass {target:.4g} GeV"


def draw_frame(axes: Axes, frame: np.ndarray, channel: Channel) -> None:
    """Draw one channel [H, W] with its colour bar: GeV on a logarithmic scale, hits from 0, others around 0.

    Cells without a hit stay white.
    """
    hits = frame[frame != 0]
    if channel.unit == "GeV":
        top = hits.max(initial=0) or 1  # an empty crop still gets a scale
        look = {"norm": LogNorm(top * 1e-4, top), "cmap": "viridis"}
    elif channel.unit == "hits":
        look = {"norm": Normalize(0, hits.max(initial=0) or 1), "cmap": "viridis"}
    else:
        top = np.quantile(np.abs(hits), 0.95) if len(hits) else 1  # single bad values would wash out the rest
        look = {"norm": Normalize(-top, top), "cmap": "coolwarm"}
    image = axes.imshow(np.ma.masked_equal(frame, 0), origin="lower", **look)
    quantity = QUANTITIES.get(channel.name, channel.name)
    scale = axes.figure.colorbar(image, ax=axes, label=f"{quantity} [{channel.unit}]", extend="both")
    axes.minorticks_off()  # cells have no fractions, and many panels are drawn nearly twice as fast
    scale.minorticks_off()
    axes.set(xlabel=r"$i\phi$ in the crop", ylabel=r"$i\eta$ in the crop")
