"""Writes ``fevt/RHTree`` ntuples as the MLAnalyzer does inside CMSSW: flat std::vector<float> branches.

ROOT itself writes them, since no other library writes true ``std::vector`` branches; hits stay sparse up to
a small C++ function that scatters them into the branch buffers.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from e2e.data.layouts import MARKER, TABLE, TREE
from e2e.errors import E2EError
from e2e.files import output_path, whole
from e2e.geometry import DIRECTION
from e2e.tasks import Task

Sparse = tuple[NDArray[np.uint32], NDArray[np.float32]]

DIRECTORY, TREE_NAME = TREE.split("/")

# Blocks of LZ4 have a checksum, which ROOT and uproot compare; and they are read fastest.
LZ4_LEVEL_4 = 404
# One entry of a barrel frame is 245 kB; a few entries share a basket.
BASKET_BYTES = 1 << 20

_WRITER = """
#include <memory>
#include <string>
#include <vector>
#include <TFile.h>
#include <TNamed.h>
#include <TTree.h>

namespace e2e {
  // Branch buffers of one RHTree. Between events, only those cells of a frame that were set are cleared.
  class RHTreeWriter {
  public:
    RHTreeWriter(TDirectory* directory, const char* tree, const std::vector<std::string>& frames,
                 const std::vector<unsigned int>& cells, const std::vector<std::string>& objects, int basket,
                 const char* marker, const char* about)
        : set_(frames.size()), objects_(objects.size()) {
      for (unsigned int number : cells)
        frames_.emplace_back(number);
      directory->cd();
      TNamed(marker, about).Write();
      tree_ = new TTree(tree, "");  // owned by the directory
      tree_->Branch("runId", &run_, "runId/i");
      tree_->Branch("lumiId", &lumi_, "lumiId/i");
      tree_->Branch("eventId", &event_, "eventId/l");
      for (std::size_t i = 0; i < frames.size(); ++i)
        tree_->Branch(frames[i].c_str(), &frames_[i], basket);
      for (std::size_t i = 0; i < objects.size(); ++i)
        tree_->Branch(objects[i].c_str(), &objects_[i]);
    }
    void frame(std::size_t i, const unsigned int* index, const float* value, std::size_t n) {
      for (unsigned int cell : set_[i])
        frames_[i][cell] = 0.f;
      set_[i].assign(index, index + n);
      for (std::size_t hit = 0; hit < n; ++hit)
        frames_[i][index[hit]] = value[hit];
    }
    void object(std::size_t i, const float* value, std::size_t n) { objects_[i].assign(value, value + n); }
    void fill(unsigned int run, unsigned int lumi, unsigned long long event) {
      run_ = run;
      lumi_ = lumi;
      event_ = event;
      tree_->Fill();
    }

  private:
    TTree* tree_;
    UInt_t run_, lumi_;
    ULong64_t event_;
    std::vector<std::vector<float>> frames_;
    std::vector<std::vector<unsigned int>> set_;
    std::vector<std::vector<float>> objects_;
  };
}
"""


@dataclass(frozen=True)
class Event:
    """One entry of the tree.

    ``channels`` holds, by name of the channel, either the dense frame (of ``Task.frame_shape``) or its hits
    as a pair (index uint32 [n] = row * columns + column, strictly increasing; value float32 [n]), in the
    channel's unit. ``objects`` holds, by name of the branch, one number per reconstructed object, all of the
    same length; seeds (``SC_ieta``: row, ``SC_iphi``: column) among them.
    """

    run: int
    lumi: int
    event: int
    channels: Mapping[str, NDArray[np.float32] | Sparse]
    objects: Mapping[str, NDArray[np.float32]]


def write_ntuple(
    path: str | Path,
    events: Iterable[Event],
    task: Task,
    name: str | None = None,
    tracks: str = DIRECTION,
    repeats: bool = False,
) -> int:
    """Write ``events`` to the ROOT file ``path``, whole or not at all, and return how many there were.

    The same events give the same bytes wherever the file lies: ROOT's reproducible mode fixes dates and
    UUIDs and records ``name`` (default: the file's own name) in place of the path. The object branches are
    those of the first event; a task's seeds must be among them. A file without events has the branches of the
    task's seeds and kinematics and no entries. A marker tells that this project wrote the file, where
    ``tracks`` lie in it (``e2e.geometry``), and whether it ``repeats`` objects on purpose.

    Raises E2EError, naming file, event and branch, for a missing or unexpected branch, a wrong shape, an
    index outside the detector, or a value that is not finite.
    """
    path = Path(path)
    output_path(path)
    root = _root()
    events = iter(events)
    first = next(events, None)
    shapes = {channel.name: task.frame_shape(channel) for channel in task.channels}
    table = TABLE["objects"][task.objects]
    branches = list(first.objects) if first else [*table["seeds"], *(q.name for q in task.kinematics)]
    if missing := [branch for branch in table["seeds"] if branch not in branches]:
        raise E2EError(f"{path}: object branch {missing[0]} is missing; task {task.name} needs it")

    frames = list(shapes)
    images = [TABLE["images"][name][0]["branch"] for name in frames]
    about = json.dumps({"tracks": tracks} | ({"repeats": True} if repeats else {}))
    cells = [rows * columns for rows, columns in shapes.values()]
    count = 0
    with whole(path) as scratch, _for_root(scratch) as named, _silent(root):
        try:
            file = root.TFile.Open(f"{named}?reproducible={name or path.name}", "RECREATE", "", LZ4_LEVEL_4)
        except OSError:
            raise E2EError(f"{path}: ROOT cannot write there; check permissions and free space") from None
        try:
            writer = root.e2e.RHTreeWriter(
                file.mkdir(DIRECTORY),
                TREE_NAME,
                images,
                cells,
                branches,
                BASKET_BYTES,
                MARKER.split("/")[-1],
                about,
            )
            for event in chain([first] if first else [], events):
                where = f"{path}: run {event.run} lumi {event.lumi} event {event.event}"
                _check_names(where, "channel", event.channels, frames)
                _check_names(where, "object branch", event.objects, branches)
                for i, frame in enumerate(frames):
                    index, value = _hits(f"{where}: {frame}", event.channels[frame], *shapes[frame])
                    writer.frame(i, _buffer(index), _buffer(value), len(index))
                for i, values in enumerate(_objects(where, event.objects, branches)):
                    writer.object(i, _buffer(values), len(values))
                writer.fill(event.run, event.lumi, event.event)
                count += 1
                if file.TestBit(root.TFile.kWriteError):
                    break
            file.Write()
        finally:
            file.Close()
        if file.TestBit(root.TFile.kWriteError):
            raise E2EError(f"{path}: ROOT could not write all events; check the free space")
    return count


@contextmanager
def _for_root(path: Path) -> Iterator[str]:
    """Another name of ``path``: in that of its folder, ROOT would take # and ? for a URL's and expand $."""
    folder = os.open(path.parent, os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def _silent(root: ModuleType) -> Iterator[None]:
    """ROOT says nothing, where a failure has one sentence of its own instead of a line for each basket."""
    before, root.gErrorIgnoreLevel = root.gErrorIgnoreLevel, root.kFatal
    try:
        yield
    finally:
        root.gErrorIgnoreLevel = before


@cache
def _root() -> ModuleType:
    """ROOT, without graphics, command line or the user's start-up files, and with the writer compiled."""
    os.environ["ROOTENV_NO_HOME"] = "1"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*alpha stage")  # the wheel says so at each import
        import ROOT  # takes seconds: only those who write pay for it

    ROOT.PyConfig.IgnoreCommandLineOptions = True
    ROOT.PyConfig.DisableRootLogon = True
    ROOT.gROOT.SetBatch(True)
    if not ROOT.gInterpreter.Declare(_WRITER):
        raise RuntimeError("ROOT could not compile the ntuple writer")
    return ROOT


def _buffer(values: NDArray) -> NDArray:
    """An array that ROOT takes for a C++ pointer: it refuses one without elements."""
    return values if len(values) else np.zeros(1, values.dtype)


def _check_names(where: str, kind: str, found: Mapping[str, object], expected: list[str]) -> None:
    if wrong := sorted(set(found) ^ set(expected)):
        state = "unexpected" if wrong[0] in found else "missing"
        raise E2EError(f"{where}: {kind} {wrong[0]} is {state}; expected {', '.join(expected)}")


def _hits(where: str, channel: NDArray[np.float32] | Sparse, rows: int, columns: int) -> Sparse:
    """Checked hits (index, value) of a dense or sparse channel, contiguous for C++."""
    if isinstance(channel, tuple):
        index = np.ascontiguousarray(channel[0], dtype=np.uint32)
        value = np.ascontiguousarray(channel[1], dtype=np.float32)
        if index.ndim != 1 or index.shape != value.shape:
            raise E2EError(f"{where} has {index.shape} indices for {value.shape} values; give one each")
        if len(index) and (index[-1] >= rows * columns or np.any(index[1:] <= index[:-1])):
            raise E2EError(f"{where} needs strictly increasing indices below {rows * columns}")
    else:
        frame = np.asarray(channel, dtype=np.float32)
        if frame.shape != (rows, columns):
            raise E2EError(f"{where} has shape {frame.shape}; expected {(rows, columns)}")
        index = np.flatnonzero(frame).astype(np.uint32)
        value = frame.ravel()[index]
    if not np.isfinite(value).all():
        raise E2EError(f"{where} holds a value that is not finite; a crystal without a hit is 0")
    return index, value


def _objects(
    where: str, objects: Mapping[str, NDArray[np.float32]], branches: list[str]
) -> list[NDArray[np.float32]]:
    """Checked values of the object branches, contiguous for C++."""
    arrays = [np.ascontiguousarray(objects[branch], dtype=np.float32) for branch in branches]
    for branch, values in zip(branches, arrays, strict=True):
        if values.shape != (len(arrays[0]),):
            raise E2EError(
                f"{where}: {branch} has shape {values.shape}, {branches[0]} {arrays[0].shape}; "
                "give one number per object"
            )
        if not np.isfinite(values).all():
            raise E2EError(f"{where}: {branch} holds a value that is not finite")
    return arrays
