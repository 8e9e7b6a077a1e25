"""Writes files in the layouts of the public data sets, with contents that the tests choose."""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Code for the most memory [bytes] a process had; its ru_maxrss would start from that of its parent
PEAK = "1024 * int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"


def sparse(random: np.random.Generator, shape: tuple[int, ...], occupancy: float = 0.01) -> np.ndarray:
    """Images float64 with hits of both signs in a share of their pixels."""
    images = np.zeros(shape)
    hits = random.integers(0, images.size, max(1, int(occupancy * images.size)))
    images.reshape(-1)[hits] = random.normal(0, 3, len(hits))
    return images


def jets(random: np.random.Generator, count: int, channels: int = 3) -> np.ndarray:
    """Images [N, C, 125, 125] of which the HCAL's channel, if there is one, is made of towers."""
    images = sparse(random, (count, channels, 125, 125))
    tower = {3: 2, 5: 4, 8: 4, 9: 4}.get(channels)
    if tower is not None:
        images[:, tower] = sparse(random, (count, 25, 25), 0.2).repeat(5, axis=1).repeat(5, axis=2) / 25
    return images


def write_hdf5(path, compression=None, chunks=None, **datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            large = values.ndim == 4
            file.create_dataset(
                name,
                data=values,
                compression=compression if large else None,
                chunks=chunks if large else None,
            )
    return path


def nested(images: np.ndarray) -> pa.Array:
    """Images [N, C, H, W] as arrow lists of lists of lists."""
    lists = pa.array(images.reshape(-1))
    for size in reversed(images.shape[1:]):
        lists = pa.ListArray.from_arrays(pa.array(np.arange(0, len(lists) + 1, size), pa.int32()), lists)
    return lists


def write_parquet(path, row_group=1, **columns):
    """As the public converters wrote them: nested lists, snappy, by default one row group an object."""
    arrays = {
        name: nested(c) if isinstance(c, np.ndarray) and c.ndim == 4 else c for name, c in columns.items()
    }
    pq.write_table(pa.table(arrays), path, compression="snappy", row_group_size=row_group)
    return path


def quark_gluon(path, count=12, seed=1, row_group=1, gluon=0, **columns):
    """A quark/gluon file whose gluon jets, ``y = gluon``, are the heavier ones."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    content = {
        "X_jets": jets(random, count),
        "pt": random.uniform(70, 340, count),
        "m0": np.where(label == gluon, 25, 15) + random.normal(0, 1, count),
        "y": label.astype(float),
    }
    content |= columns
    return write_parquet(path, row_group, **{k: v for k, v in content.items() if v is not None}), content


def electron_photon(path, count=40, seed=1, **datasets):
    """An electron/photon file, normalised as the public ones are."""
    random = np.random.default_rng(seed)
    images = sparse(random, (count, 32, 32, 2), 0.05).astype(np.float32)
    images[0] = 0  # some public crops are empty
    content = {"X": images, "y": (np.arange(count) % 2).astype(np.float32)} | datasets
    return write_hdf5(path, "lzf", **{k: v for k, v in content.items() if v is not None}), content
