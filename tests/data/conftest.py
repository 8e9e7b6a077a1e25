"""Ntuples for the tests of this folder: good ones from the writer, broken ones branch by branch."""

import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.tasks.electron_photon import TASK

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
import rhtree

ROWS, COLUMNS = TASK.detector


def event(number: int, seeds, pdg_id=None, hits: int = 600, run: int = 7) -> Event:
    """An event with random hits, a hot crystal at each seed, and truth where ``pdg_id`` is given."""
    random = np.random.default_rng([run, number])
    cells = random.choice(ROWS * COLUMNS, hits, replace=False)
    energy = np.zeros((ROWS, COLUMNS), np.float32)
    energy.flat[cells] = random.exponential(0.3, hits) + 0.01
    time = np.zeros_like(energy)
    time.flat[cells] = random.normal(0, 2, hits)
    for row, column in seeds:
        energy[row, column], time[row, column] = 40 + random.random(), -0.5
    row, column = np.array(seeds, np.float32).reshape(-1, 2).T
    objects = {
        "SC_ieta": row,
        "SC_iphi": column,
        **{name: random.random(len(seeds)).astype(np.float32) for name in ("pho_pT", "pho_E")},
        "pho_eta": np.float32(0.0174 * (row - 84.5)),
        "pho_phi": np.float32(np.radians(column - 9.5)),
    }
    if pdg_id is not None:
        objects["gen_pdgId"] = np.array(pdg_id, np.float32)
    return Event(run, 1, number, {"EB_energy": energy, "EB_time": time}, objects)


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """Events with truth: seeds at the first and last rows of the barrel, and on both sides of phi = 0."""
    return [
        event(1, [(60, 100), (16, 359)], [11, -11]),
        event(2, [], []),
        event(3, [(14, 10), (153, 0), (154, 20), (80, 344)], [22, 22, 11, 13]),
        event(4, [(0, 0)], [22]),
        event(5, [(100, 14), (100, 343)], [0, 22]),
    ]


@pytest.fixture(scope="session")
def simulated(events, tmp_path_factory) -> Path:
    """The ntuple of ``events``."""
    path = tmp_path_factory.mktemp("ntuples") / "mixture.root"
    write_ntuple(path, events, task=TASK)
    return path


@pytest.fixture
def broken(tmp_path):
    """Writes an ntuple of two events, one object each, after ``change`` was applied to its branches.

    A branch is an array of numbers, one an event, or a list of arrays, which becomes a vector branch.
    """

    def write(change, tree: str = "fevt/RHTree") -> Path:
        events = [event(1, [(60, 100)], [11]), event(2, [(80, 200)], [22])]
        branches = {
            "runId": np.array([7, 7], np.uint32),
            "lumiId": np.array([1, 1], np.uint32),
            "eventId": np.array([1, 2], np.uint64),
        }
        for branch in (*events[0].channels, *events[0].objects):
            branches[branch] = [np.ravel({**e.channels, **e.objects}[branch]) for e in events]
        change(branches)
        path = tmp_path / "in" / "broken.root"
        path.parent.mkdir()
        return rhtree.write(path, branches, tree)

    return write
