"""`e2e convert` and cmsRun take and refuse the same ntuples for the same reasons, and cut the same frames."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from e2e import tasks
from e2e.data import layouts, store
from e2e.data.convert import convert
from e2e.errors import E2EError
from e2e.tasks import Task

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # pytest does not, in its import mode
from ntuple_cases import CASES, Case, as_in_the_detector

CFG = """
import FWCore.ParameterSet.Config as cms

process = cms.Process("FRAMES")
process.load("RecoE2E.RHTree.detectorFrame_cfi")
process.load("RecoE2E.Taggers.objectFrames_cfi")
process.source = cms.Source("RHTreeSource",
    fileNames=cms.untracked.vstring({files}),
    channels=cms.VPSet({channels}),
    rows=cms.uint32({detector[0]}), columns=cms.uint32({detector[1]}),
    object=cms.string("{object}"), seedCell=cms.uint32({seed_cell}), hcalColumns=cms.string("{columns}"))
process.objectFrames.rows = {crop.rows}
process.objectFrames.columns = {crop.columns}
process.objectFrames.seedRow = {crop.seed_row}
process.objectFrames.seedColumn = {crop.seed_column}
process.objectFrames.outward = {crop.outward}
process.dumper = cms.EDAnalyzer("ObjectFrameDumper", file=cms.string("frames"))
process.path = cms.Path(process.detectorFrame + process.objectFrames + process.dumper)
"""
OBJECT = ("file", "run", "lumi", "event", "object")
TAKEN, REFUSED = ([case for case in CASES if bool(case.refused) == refused] for refused in (False, True))
# Exit codes of cmsRun by what it says; of the rest 65, InvalidNtuple or InvalidFrame
CODES = {"cannot be opened": 84}
UNREADABLE = (
    "empty file",
    "an HTML page",
    "not a ROOT file",
    "truncated",
    "a ROOT file that",
    "damaged",
    "compressed by",
)
CODES |= dict.fromkeys(UNREADABLE, 85)


@pytest.fixture(scope="module")
def frames_of(host) -> Callable[..., tuple[np.ndarray, np.ndarray] | tuple[int, str]]:
    """Objects [N, 5] and frames [N, C, H, W] of ntuples in cmsRun, or its exit code and first line."""

    def run(folder: Path, ntuples: Sequence[Path], task: Task, own_columns: bool = False):
        folder.mkdir()
        channels = (
            f'cms.PSet(name=cms.string("{channel.name}"), cell=cms.uint32({channel.cell}))'
            for channel in task.channels
        )
        (folder / "cfg.py").write_text(
            CFG.format(
                files=[f"file:{path}" for path in ntuples],
                channels=", ".join(channels),
                detector=task.detector,
                object=task.objects,
                seed_cell=task.seed_cell,
                columns="own" if own_columns else "ecal",
                crop=task.crop,
            )
        )
        job = subprocess.run(
            [host / "bin/cmsRun", "cfg.py"], cwd=folder, capture_output=True, text=True, timeout=300
        )
        if job.returncode:
            assert job.stderr.count("Begin Fatal Exception") == 1, job.stderr
            return job.returncode, re.search("Exception Message:\n(.*)", job.stderr)[1]
        frames = np.fromfile(folder / "frames", np.float32).reshape(-1, *task.shape)
        objects = [line.split() for line in (folder / "frames.txt").read_text().splitlines()]
        return np.array(objects, np.int64).reshape(-1, len(OBJECT)), frames

    return run


def task_of(case: Case) -> Task:
    return tasks.task(case.task, case.channels)


@pytest.fixture(scope="module")
def taken(tmp_path_factory, frames_of) -> dict[str, tuple[Path, np.ndarray, np.ndarray]]:
    """File, objects and frames of each case that is not refused, of which one job reads many."""
    folder = tmp_path_factory.mktemp("taken")
    together: dict[tuple, list[Case]] = {}
    for case in TAKEN:
        together.setdefault((case.task, case.channels, case.own_columns), []).append(case)
    found = {}
    for number, cases in enumerate(together.values()):
        paths = [folder / f"{number}-{i}.root" for i in range(len(cases))]
        for case, path in zip(cases, paths, strict=True):
            case.make(path)
        objects, frames = frames_of(folder / str(number), paths, task_of(cases[0]), cases[0].own_columns)
        assert isinstance(objects, np.ndarray), frames
        for i, (case, path) in enumerate(zip(cases, paths, strict=True)):
            found[case.name] = path, objects[objects[:, 0] == i, 1:], frames[objects[:, 0] == i]
    return found


def test_every_mode_of_the_table_has_a_case():
    known = {
        (kind, mode["name"])
        for kind, objects in layouts.TABLE["objects"].items()
        for mode in objects["modes"]
    }
    assert {case.mode for case in CASES} - {None} == known


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_cmsrun_and_convert_cut_the_same_frames(case, taken, tmp_path):
    path, objects, frames = taken[case.name]
    assert [tuple(row) for row in objects[:, 2:].tolist()] == list(case.objects)
    metadata = convert(
        task_of(case), path, tmp_path / "x.parquet", progress=False, own_columns=case.own_columns
    )
    assert {about for about, note in metadata.notes.items() if note.startswith("not read")} == set(
        case.unread
    )
    samples = store.read(tmp_path / "x.parquet")
    assert samples.identity()[list(OBJECT[1:])].to_numpy().tolist() == objects.tolist()
    np.testing.assert_array_equal(samples.images(), frames)


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_cmsrun_and_convert_refuse_a_file_with_the_same_sentence(case, frames_of, tmp_path):
    path, output = tmp_path / "x.root", tmp_path / "x.parquet"
    case.make(path)
    code, first_line = frames_of(tmp_path / "cmsrun", [path], task_of(case), case.own_columns)
    assert isinstance(code, int), "cmsRun takes it"
    assert first_line.startswith(f"{path}: {case.refused}")
    assert code == next((code for start, code in CODES.items() if case.refused.startswith(start)), 65)
    with pytest.raises(E2EError) as error:
        convert(task_of(case), path, output, progress=False, own_columns=case.own_columns)
    assert not output.exists()
    assert known(str(error.value)) == known(first_line)


def known(message: str) -> str:
    """First line of a message, without what uproot or ROOT say of damaged bytes and Python's own advice."""
    first = message.splitlines()[0]
    for own in (
        r"(?<=damaged ROOT file) \(.*\)(?=;)",
        r" \(similar: .*?\)",
        r", or take the first \d+ channels",
    ):
        first = re.sub(own, "", first)
    return first


BRANCHES = {way["branch"]: quantity for quantity, ways in layouts.TABLE["images"].items() for way in ways}
TASKS = {"photon": [("electron_photon", None)], "jet": [("tau", 5), ("mass_regression", None)]}


def test_cmsrun_finds_the_pixels_that_genuine_files_hold(shared, frames_of, tmp_path):
    expected = json.loads((shared / "data/genuine/expected.json").read_text())
    seen = set()
    for name, wanted in expected.items():
        for task in (tasks.task(*numbers) for numbers in TASKS[name.split("_")[0]]):
            found = frames_of(tmp_path / f"{name}-{task.name}", [shared / "data/genuine" / name], task)
            if name == "jet_dijet_gg_qq.root" and task.name == "mass_regression":
                assert "no branch BPIX_layer1_ECAL_atPV" in found[1]  # this mode's file has no pixels
                continue
            objects, frames = found
            assert objects[:, 1:].tolist() == [[each[key] for key in OBJECT[1:]] for each in wanted]
            place = {channel.name: i for i, channel in enumerate(task.channels)}
            for each, crop in zip(wanted, frames, strict=True):
                frame = as_in_the_detector(crop, task, each["seed"][0])
                for branch, hits in each["hits"].items():
                    if (quantity := BRANCHES[branch]) in place:
                        values = [frame[place[quantity], row, column] for row, column, _ in hits]
                        assert values == pytest.approx([value for *_, value in hits], rel=1e-5), (
                            each,
                            branch,
                        )
                        seen.add((name, branch))
    missing = {(name, branch) for name in expected for branch in expected[name][0]["hits"]} - seen
    assert missing <= {("jet_dijet_gg_qq.root", "BPIX_layer1_ECAL_atPV")}
