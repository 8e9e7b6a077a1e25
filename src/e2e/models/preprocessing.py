"""From raw frames in GeV, ns and cm to numbers of order one, as layers that are exported with the network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from e2e.errors import E2EError
from e2e.geometry import CELL, JET_RADIUS, TOWER, Crop
from e2e.tasks import ECAL, HCAL, PROMPT_DZ_CM, TRACK_D0, TRACK_DZ, TRACK_PT, Task

# About the noise of one barrel crystal (40 MeV): below it the scaled energy is linear, above it logarithmic.
ENERGY_SCALE_GEV = 0.04
# The same for the share of the crop's energy: 50 MeV of 50 GeV.
SHARE_SCALE = 1e-3
# Reconstructed times are dominated by noise beyond this (below 1 GeV the resolution is some ns).
TIME_RANGE_NS = 5.0

# Below these the scaled energies of a jet's channels are linear, above them logarithmic [GeV a crystal].
ENERGY_SCALES_GEV = {
    TRACK_PT.name: 0.5,  # about the least momentum that reaches the face of the ECAL in 3.8 T
    ECAL.name: ENERGY_SCALE_GEV,
    # A quarter of the least energy of an HB tower that particle flow uses, 0.8 GeV (arXiv 1706.04965, table
    # 2).
    HCAL.name: 0.2 / TOWER**2,
}
# Impact parameters: scale below which they are linear, and range [cm]. The scales are the resolution of
# tracks of 1 GeV (arXiv 1405.6569); beyond the ranges there are other collisions (dz), or badly measured
# tracks (d0).
IMPACT_SCALES_CM = {TRACK_DZ.name: (0.05, 20.0), TRACK_D0.name: (0.01, 5.0)}
SMALLEST_SPREAD = 0.003  # of a normalised cell over the objects


class CalorimeterFeatures(nn.Module):
    """Energy and time of each crystal -> ``channels`` images of order one, zero where there is no hit.

    Takes frames [N, 2, H, W] (GeV, ns; 0 = no hit) and returns [N, channels, H, W]:

    - the energy on a logarithmic scale, log(1 + E / 40 MeV) / 4: tails and core both matter;
    - the share s = E / sum(E) of the crop's energy on a logarithmic scale, log(1 + s / 0.001) / 3: ratios of
      energies, the stuff of shower shapes, become differences;
    - the share itself, for moments and sums;
    - the time, clipped at 5 ns, times sqrt(s): precise times, which are those of energetic crystals, count.
    """

    channels = 4

    def forward(self, frames: Tensor) -> Tensor:
        energy = frames[:, 0].clamp(min=0.0)
        share = energy / (energy.sum(dim=(1, 2), keepdim=True) + ENERGY_SCALE_GEV)
        time = frames[:, 1].clamp(-TIME_RANGE_NS, TIME_RANGE_NS) * (energy > 0.0)
        return torch.stack(
            (
                torch.log(1.0 + energy / ENERGY_SCALE_GEV) / 4.0,
                torch.log(1.0 + share / SHARE_SCALE) / 3.0,
                share,
                time * torch.sqrt(share + 1e-6),  # the offset keeps the gradient finite where there is no hit
            ),
            dim=1,
        )


class Road(nn.Module):
    """The window of ``rows`` rows on either side of the seed, and all columns, with the seed at its centre.

    Strided convolutions without padding then keep the seed at the centre of every map, so that the two
    reflections about the seed are symmetries of the lattice. The window is as wide as it can be: 31
    columns for a seed at column 15 of 32. Its size is (``height``, ``width``). Raises E2EError for
    rows beyond the crop.
    """

    def __init__(self, crop: Crop, rows: int):
        super().__init__()
        largest = min(crop.seed_row, crop.rows - 1 - crop.seed_row)
        if not 0 <= rows <= largest:
            raise E2EError(
                f"{rows} rows on either side of the seed do not fit the crop; choose 0 to {largest}"
            )
        columns = min(crop.seed_column, crop.columns - 1 - crop.seed_column)
        self.height, self.width = 2 * rows + 1, 2 * columns + 1
        self.rows = slice(crop.seed_row - rows, crop.seed_row + rows + 1)
        self.columns = slice(crop.seed_column - columns, crop.seed_column + columns + 1)

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, :, self.rows, self.columns]


class CellNormalisation(nn.Module):
    """Each cell of maps [N, C, H, W] on the scale of its own mean and spread over the training objects.

    A crop is centred on its seed, so a cell has a meaning: beside the seed a share of 10 % is usual, ten
    columns away it is a bremsstrahlung photon. A normalisation by channel, as convolutions have it,
    would be ruled by the empty cells. No spread below ``SMALLEST_SPREAD`` is resolved.
    """

    def __init__(self, channels: int, height: int, width: int):
        super().__init__()
        self.normalise = nn.BatchNorm1d(channels * height * width, eps=SMALLEST_SPREAD**2)

    def forward(self, maps: Tensor) -> Tensor:
        return self.normalise(maps.flatten(1)).reshape(maps.shape)


class RoadMaps(nn.Module):
    """Frames [N, 2, H, W] (GeV, ns) -> normalised maps [N, channels, height, width] of the seed's road."""

    ROWS = 3

    def __init__(self, task: Task):
        super().__init__()
        require_energy_and_time(task)
        self.features = CalorimeterFeatures()
        self.road = Road(task.crop, self.ROWS)
        self.channels, self.height, self.width = self.features.channels, self.road.height, self.road.width
        self.normalise = CellNormalisation(self.channels, self.height, self.width)

    def forward(self, frames: Tensor) -> Tensor:
        return self.normalise(self.road(self.features(frames)))


class Energies(nn.Module):
    """The energies of a jet's channels [N, C, ...] -> [N, channels, ...] in GeV, not negative.

    These are the channels in GeV, in their order; then, where tracks have a dz, the transverse momentum of
    those from the primary vertex (``PROMPT_DZ_CM``): sums over cells cannot tell the others, of pileup, any
    more.
    """

    def __init__(self, task: Task):
        super().__init__()
        require_jet_channels(task)
        names = [channel.name for channel in task.channels]
        self.places = [place for place, channel in enumerate(task.channels) if channel.unit == "GeV"]
        scales = [ENERGY_SCALES_GEV[names[place]] for place in self.places]
        self.tracks = None
        if TRACK_PT in task.channels and TRACK_DZ in task.channels:
            self.tracks = names.index(TRACK_PT.name), names.index(TRACK_DZ.name)
            scales.append(ENERGY_SCALES_GEV[TRACK_PT.name])
        self.channels = len(scales)
        self.register_buffer("scales", torch.tensor(scales), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        energies = [frames[:, place] for place in self.places]
        if self.tracks:
            momentum, dz = (frames[:, place] for place in self.tracks)
            energies.append(momentum * (dz.abs() < PROMPT_DZ_CM))
        return torch.stack(energies, dim=1).clamp(min=0.0)


class JetFeatures(nn.Module):
    """Each channel of a jet on a scale of order one: [N, C, ...] -> [N, channels, ...], 0 without a hit.

    - ``Energies`` e with their scales s, as log(1 + e / s) / 4;
    - impact parameters d of tracks (cm), signed and clipped to their range, as sign(d) log(1 + |d| / s) / 4;
    - hits of pixel layers: the square root of their number.
    """

    def __init__(self, task: Task):
        super().__init__()
        self.energies = Energies(task)
        self.impacts = [
            (place, *IMPACT_SCALES_CM[channel.name])
            for place, channel in enumerate(task.channels)
            if channel.unit == "cm"
        ]
        self.counts = [place for place, channel in enumerate(task.channels) if channel.unit == "hits"]
        self.channels = self.energies.channels + len(self.impacts) + len(self.counts)

    def forward(self, frames: Tensor) -> Tensor:
        energies = self.energies(frames)
        scales = self.energies.scales.reshape(-1, *[1] * (frames.ndim - 2))
        features = [torch.log(1.0 + energies / scales) / 4.0]
        for place, scale, largest in self.impacts:
            distance = frames[:, place : place + 1].clamp(-largest, largest)
            features.append(torch.sign(distance) * torch.log(1.0 + distance.abs() / scale) / 4.0)
        for place in self.counts:
            # The offset keeps the gradient finite where there is no hit; taking it off again keeps that cell
            # 0.
            hits = frames[:, place : place + 1].clamp(min=0.0)
            features.append(torch.sqrt(hits + 1e-4) - 1e-2)
        return torch.cat(features, dim=1)


def shares(energies: Tensor, frames_energies: Tensor) -> Tensor:
    """Energies [N, G, ...] over the sum of the crop's [N, G, H, W], scaled as in CalorimeterFeatures."""
    total = frames_energies.sum(dim=(1, 2, 3)) + ENERGY_SCALE_GEV
    share = energies / total.reshape(-1, *[1] * (energies.ndim - 1))
    return torch.log(1.0 + share / SHARE_SCALE) / 3.0


class Window(nn.Module):
    """The ``REACH`` towers on either side of the seed's: a jet, and around it a ring for its isolation.

    Takes frames [N, C, H, W] of ``task`` and returns those of ``self.task``, which has smaller crops and the
    seed at their centre. Raises E2EError for other channels than a jet's, or crops without so many towers.
    """

    REACH = 6

    def __init__(self, task: Task):
        super().__init__()
        require_jet_channels(task)
        crop, reach = task.crop, self.REACH * TOWER + TOWER // 2
        for seed, cells in ((crop.seed_row, crop.rows), (crop.seed_column, crop.columns)):
            if not reach <= seed < cells - reach or seed % TOWER != TOWER // 2:
                raise E2EError(
                    f"task {task.name!r} has crops of {crop.rows} x {crop.columns} cells with the seed at"
                    f" ({crop.seed_row}, {crop.seed_column}), and not {self.REACH} whole towers of {TOWER} x"
                    f" {TOWER} on either side of the seed's; choose another architecture"
                )
        self.rows, self.columns = (
            slice(seed - reach, seed + reach + 1) for seed in (crop.seed_row, crop.seed_column)
        )
        size = 2 * reach + 1
        self.task = replace(task, crop=Crop(size, size, seed_row=reach, seed_column=reach))

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, :, self.rows, self.columns]


class TowerMaps(nn.Module):
    """Jets [N, C, H, W] -> normalised maps [N, channels, height, width] of the towers of ``Window``.

    For each tower of 5 x 5 crystals: ``width`` learned sums over them, of as many features of each crystal
    and its neighbours; and, of the sum of each of its ``Energies``, the logarithm and the share of the
    window's energy. Nothing is lost that the HCAL, whose cells these are, has measured, nor where the
    energies lie; and further convolutions are 25 times faster.
    """

    def __init__(self, task: Task, width: int):
        super().__init__()
        self.window = Window(task)
        self.features = JetFeatures(task)
        self.height = self.width = 2 * Window.REACH + 1
        energies = self.features.energies
        self.embed = nn.Sequential(
            nn.Conv2d(self.features.channels, width, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(width, width, TOWER, stride=TOWER, bias=False),
        )
        self.register_buffer("scales", energies.scales.reshape(-1, 1, 1) * TOWER**2, persistent=False)
        self.channels = width + 2 * energies.channels
        self.normalise = CellNormalisation(self.channels, self.height, self.width)

    def forward(self, frames: Tensor) -> Tensor:
        frames = self.window(frames)
        energies = self.features.energies(frames)
        towers = functional.avg_pool2d(energies, TOWER) * TOWER**2
        sums = torch.log(1.0 + towers / self.scales) / 4.0
        maps = torch.cat((self.embed(self.features(frames)), sums, shares(towers, energies)), dim=1)
        return self.normalise(maps)


class Moments(nn.Module):
    """Sums over a whole jet, of each of its ``Energies`` e: [N, C, H, W] -> normalised [N, features].

    Within ``JET_RADIUS`` of the seed: logarithms of the sum in GeV, of the number of hits, and of the width,
    the root of the variance of eta and phi weighted by e, a hit being spread over its cell; and the momentum
    dispersion sqrt(sum e^2) / sum e (CMS-PAS-JME-13-002). Beyond it, sum and number. Sum times width is the
    mass of a narrow jet. Images of towers and clouds of few points know a part, and learn the rest slowly.
    """

    def __init__(self, task: Task):
        super().__init__()
        self.energies = Energies(task)
        self.features = 6 * self.energies.channels
        crop = task.crop
        eta, phi = torch.meshgrid(
            (torch.arange(crop.rows) - crop.seed_row) * CELL,
            (torch.arange(crop.columns) - crop.seed_column) * CELL,
            indexing="ij",
        )
        square = eta * eta + phi * phi
        inside = (square < JET_RADIUS**2).float()
        sums = torch.stack((inside, 1.0 - inside, inside * eta, inside * phi, inside * square))
        self.register_buffer("sums", sums.flatten(1).T.contiguous(), persistent=False)  # [H * W, 5]
        self.normalise = nn.BatchNorm1d(self.features)

    def forward(self, frames: Tensor) -> Tensor:
        energies = self.energies(frames).flatten(2)
        inside, beyond, eta, phi, square = self._sum(energies, 5)
        hits, hits_beyond = self._sum((energies > 0.0).float(), 2)
        logarithms = torch.log(1.0 + torch.cat((inside, hits, beyond, hits_beyond), dim=1))
        (squares,) = self._sum(energies * energies, 1)
        dispersion = torch.sqrt(squares + 1e-6)  # the gradient stays finite
        total = inside + ENERGY_SCALE_GEV
        variance = square / total - (eta / total) ** 2 - (phi / total) ** 2
        width = torch.log(variance.clamp(min=0.0) + CELL**2 / 6) / 2.0
        return self.normalise(torch.cat((logarithms, dispersion / total, width), dim=1))

    def _sum(self, values: Tensor, number: int) -> tuple[Tensor, ...]:
        """The first ``number`` weighted sums [N, channels] over the cells of [N, channels, H * W]."""
        device = values.device.type
        if torch.is_autocast_enabled(device):  # a variance is a small difference: not in mixed precision
            with torch.autocast(device, enabled=False):
                return self._sum(values.float(), number)
        # As one product of matrices: of a batch of them, ONNX Runtime cannot do without objects.
        sums = values.flatten(0, 1) @ self.sums[:, :number]
        return sums.unflatten(0, (-1, values.shape[1])).unbind(dim=2)


def require_jet_channels(task: Task) -> None:
    """Raise E2EError unless every channel of the task is one of a jet's, and one of them is in GeV."""
    known = {"GeV": ENERGY_SCALES_GEV, "cm": IMPACT_SCALES_CM}
    for channel in task.channels:
        if channel.unit != "hits" and channel.name not in known.get(channel.unit, ()):
            raise E2EError(
                f"task {task.name!r} has the channel {channel.name} [{channel.unit}], which is none of a"
                f" jet's ({', '.join((*ENERGY_SCALES_GEV, *IMPACT_SCALES_CM))}, pixel layers [hits]);"
                " choose another architecture"
            )
    if not any(channel.unit == "GeV" for channel in task.channels):
        raise E2EError(f"task {task.name!r} has no channel in GeV; give it more channels")


def is_energy_and_time(task: Task) -> bool:
    """Whether the channels are an energy in GeV and a time in ns: those of electrons and photons."""
    return tuple(channel.unit for channel in task.channels) == ("GeV", "ns")


def require_energy_and_time(task: Task) -> None:
    """Raise E2EError unless the task's channels are one energy in GeV and one time in ns, in this order."""
    if not is_energy_and_time(task):
        units = ", ".join(channel.unit for channel in task.channels)
        raise E2EError(
            f"task {task.name!r} has channels in {units}; this network takes an energy in GeV and a time"
            " in ns"
        )


class Scalars(nn.Module):
    """The task's scalars as they are, [N, S] -> of order one [N, S].

    Momenta become log(1 + p / GeV). Of a pseudorapidity only the magnitude counts: the ends of the detector
    are alike, crops may be reflected, and those that look outward are turned. Then each is standardised by
    its mean and spread in the training part (``set_range``). Raises E2EError for another unit.
    """

    def __init__(self, task: Task):
        super().__init__()
        for quantity in task.scalars:
            if quantity.unit not in ("GeV", "1"):
                raise E2EError(
                    f"scalar {quantity.name} [{quantity.unit}] has no scale; give it one in preprocessing.py"
                )
        momenta = torch.tensor([quantity.unit == "GeV" for quantity in task.scalars])
        self.register_buffer("momenta", momenta, persistent=False)
        self.register_buffer("mean", torch.zeros(len(momenta)))
        self.register_buffer("spread", torch.ones(len(momenta)))

    def set_range(self, scalars: Tensor) -> None:
        """Standardise by these of the training part [N, S]; one that is always the same keeps its scale."""
        values = self._even(scalars).double()
        spread = values.std(dim=0, correction=0)
        self.mean.copy_(values.mean(dim=0))
        self.spread.copy_(torch.where(spread > 0.0, spread, 1.0))

    def forward(self, scalars: Tensor) -> Tensor:
        return (self._even(scalars.float()) - self.mean) / self.spread

    def _even(self, scalars: Tensor) -> Tensor:
        magnitude = scalars.abs()
        return torch.where(self.momenta, torch.log(1.0 + magnitude), magnitude)
