"""Draws what_networks_see.png of the README: an object of each task, all channels on top of each other.

python docs/figures/what_networks_see.py STORE:ROW ... OUT.png

Those of the README are electron_photon (sample electron), quark_gluon (qcd), mass_regression (a_tautau) and
tau (tau), row 3 of each, by `e2e simulate --objects 40 --seed 3` and `e2e convert`.
"""

import sys

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from e2e.data import store
from e2e.report import style

QUESTION = {
    "electron_photon": "Electron or photon?",
    "quark_gluon": "Quark or gluon?",
    "mass_regression": "How heavy?",
    "tau": "Tau or jet?",
}
# Colours of a channel, and from which energy on it is drawn, in GeV.
ENERGIES = {"EB_energy": ("YlOrBr", 0.05), "ECAL_energy": ("YlOrBr", 0.05), "HCAL_energy": ("Blues", 0.02)}
TRACK = "#c91f37"


def draw(axes: Axes, path: str, row: int) -> None:
    """Draw an object of a store: towers, crystals on them, rings for cells of tracks, larger for more pT."""
    samples, metadata = store.read(path), store.read_metadata(path)
    (frames,) = samples.images([row])
    images = {channel.name: frame for channel, frame in zip(samples.channels, frames, strict=True)}
    rows, columns = frames.shape[1:]
    for name in ("HCAL_energy", "ECAL_energy", "EB_energy"):
        if name in images:
            colours, least = ENERGIES[name]
            frame = np.ma.masked_less(images[name], least)
            axes.imshow(frame, origin="lower", norm=LogNorm(least / 5, max(frame.max(), 1)), cmap=colours)
    if "track_pT" in images:
        at = np.argwhere(images["track_pT"] > 0)
        size = 6 + 9 * images["track_pT"][tuple(at.T)]
        axes.scatter(at[:, 1], at[:, 0], size, facecolors="none", edgecolors=TRACK, linewidths=1.2)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
    axes.set_title(QUESTION[metadata.task], fontweight="bold", fontsize=17)
    answer = (
        samples.classes[int(samples.target[row])] if samples.classes else f"{samples.target[row]:.1f} GeV"
    )
    axes.set_xlabel(f"{rows} x {columns} cells.  Truth: {answer}", fontsize=12)


def main(arguments: list[str]) -> None:
    """Draw all objects side by side."""
    *objects, output = arguments
    figure, axes = style.figure(1, len(objects), width=3.5, height=4.2)
    for panel, chosen in zip(axes, objects, strict=True):
        path, _, row = chosen.rpartition(":")
        draw(panel, path, int(row))
    figure.suptitle(style.SIMULATION, x=0.005, ha="left", fontstyle="italic", fontsize=13)
    for x, word, colour in ((0.885, "tracks", TRACK), (0.94, "HCAL", "#2f7ebc"), (0.995, "ECAL", "#cc6a0c")):
        figure.text(x, 0.985, word, color=colour, ha="right", va="top", fontsize=14)
    style.save(figure, output)


if __name__ == "__main__":
    main(sys.argv[1:])
