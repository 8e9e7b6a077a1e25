"""Ctrl-C and SIGTERM in the `e2e` command: one line, the shell's exit code, nothing left, nobody left."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from e2e import models
from e2e.data.ntuple_writer import Event, write_ntuple
from e2e.deploy.export import export
from e2e.models.saved import save
from e2e.tasks.electron_photon import TASK

REPOSITORY = Path(__file__).parents[1]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
# Both take the same ways, which cost seconds each.
NUMBERS = [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
COMMAND = "import sys; from e2e.cli import main; sys.exit(main())"
START_S, LIMIT_S = 300, 60  # until a command is at work, until it has ended; both on a busy machine


def until(happened, process):
    """Wait for something that the running process does."""
    deadline = time.monotonic() + START_S
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def opened(pid):
    """The files that a process has open."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed by now
            found.append(link.readlink())
    return found


@pytest.fixture
def e2e(tmp_path):
    """Function (*arguments, **environment) -> a running `e2e` in a group of processes of its own."""
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell's background job, as in CI, may ignore it, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def group(leader):
    """Processes of a group that are alive."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == leader and state != "Z":
            alive.append(int(stat.parent.name))
    return alive


def gone(leader):
    """Wait for the end of all in a group: multiprocessing's tracker sees a moment later that it is alone."""
    deadline = time.monotonic() + LIMIT_S
    while alive := group(leader):
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def stop(process, number, folder, left=()):
    """Send a signal as a terminal (SIGINT) or a batch system (SIGTERM) does; one line, and all is gone."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=LIMIT_S)
    said = [line for line in errors.splitlines() if "%|" not in line and line.strip()]  # but for its bar
    assert said == [f"e2e: stopped by {number.name}"], errors
    assert process.returncode == CODES[number]
    gone(process.pid)
    assert sorted(path.name for path in folder.iterdir()) == sorted(left)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_simulation_is_stopped(e2e, tmp_path, number):
    process = e2e(
        *("simulate", "--task", "electron_photon", "--sample", "photon"),
        *("--objects", "30000", "--seed", "1", "out/photon.root"),
    )
    until(lambda: list(tmp_path.glob("out/.photon.*.part.root")), process)
    stop(process, number, tmp_path)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """An exported network, whatever it says."""
    path = tmp_path_factory.mktemp("network") / "model.pt"
    hyperparameters = {"widths": [4], "blocks": [1]}
    info = {
        "task": TASK.name,
        "channels": len(TASK.channels),
        "architecture": "resnet",
        "hyperparameters": hyperparameters,
        "training_data": {"sha256": "0" * 64, "objects": 40, "origin": "e2e simulation", "tracks": None},
    }
    save(path, models.build("resnet", TASK, **hyperparameters), info)
    onnx = path.with_suffix(".onnx")
    export(path, onnx, onnx.with_suffix(".json"), opset=17, ir_version=8)
    return onnx


@pytest.fixture(scope="session")
def ntuple(tmp_path_factory):
    """An ntuple that takes some seconds to read."""
    path = tmp_path_factory.mktemp("long") / "long.root"
    row, column = np.divmod(np.arange(0, 170 * 360, 101), 360)
    frame = np.zeros((170, 360), np.float32)
    frame[row, column] = frame[85, 100] = frame[60, 200] = 1
    objects = {"SC_ieta": [85, 60], "SC_iphi": [100, 200]}
    objects |= {name: [1, 1] for name in ("pho_pT", "pho_E", "pho_eta", "pho_phi")}
    objects = {name: np.array(values, np.float32) for name, values in objects.items()}
    channels = {"EB_energy": frame, "EB_time": frame}
    write_ntuple(path, (Event(1, 1, number, channels, objects) for number in range(1, 4001)), task=TASK)
    return path


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["here", "dask"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_conversion_is_stopped(e2e, tmp_path, ntuple, number, workers):
    (tmp_path / "tmp").mkdir()
    process = e2e(
        *("convert", "--task", "electron_photon", *workers, ntuple, "out/long.parquet"),
        TMPDIR=str(tmp_path / "tmp"),
    )
    until(lambda: list(tmp_path.glob("out/.long.*.part.parquet")), process)
    stop(process, number, tmp_path, left=["tmp"])
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("number", NUMBERS)
def test_dask_is_stopped_while_it_starts(e2e, tmp_path, ntuple, number):
    process = e2e("convert", "--task", "electron_photon", "--workers", "2", ntuple, "out/long.parquet")
    until(lambda: len(group(process.pid)) > 2, process)
    stop(process, number, tmp_path)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_prediction_is_stopped(e2e, tmp_path, ntuple, number, model):
    (tmp_path / "tmp").mkdir()
    process = e2e("predict", "--model", model, ntuple, "out/scores.parquet", TMPDIR=str(tmp_path / "tmp"))
    until(lambda: ntuple in opened(process.pid), process)
    stop(process, number, tmp_path, left=["tmp"])
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("number", NUMBERS)
def test_cmsrun_is_stopped_and_waited_for(e2e, tmp_path, number):
    """What cmsRun started is stopped with it, and it has the time to remove what it was writing."""
    area = tmp_path / "results/cmssw/standalone"
    (area / "bin").mkdir(parents=True)
    (area / "area.json").write_text(f'{{"host": "standalone", "path": "{area}"}}')
    cmsrun = area / "bin/cmsRun"
    cmsrun.write_text(
        "#!/bin/bash\ntrap 'sleep 1; rm scores.partial; exit 1' TERM\n"
        "touch scores.partial\nsleep 1000 &\nwait $!\nwait\n"
    )
    cmsrun.chmod(0o755)
    process = e2e("cmssw", "run", "--host", "standalone", "cfg.py")
    until((tmp_path / "scores.partial").exists, process)
    (measured,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(group(int(measured))) >= 3  # measured.py, cmsRun, sleep
    stop(process, number, tmp_path, left=["cmsRun.log", "results"])
    gone(int(measured))


def at_work_in(folder):
    """Processes whose working directory is that folder or one in it; ninja puts each compiler in a group."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if place.readlink().is_relative_to(folder):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_a_build_is_stopped(e2e, tmp_path, number):
    """No area appears, and no compiler goes on; the build tree stays, for the next build."""
    process = e2e("cmssw", "build", "--host", "standalone")
    folder = tmp_path / "results/cmssw"
    tree, log = folder / "build/standalone", folder / "logs/standalone.log"
    until(lambda: log.exists() and "cmake --build" in log.read_text(), process)
    until(lambda: len(at_work_in(tree)) > 2, process)  # ninja, the compiler's driver, the compiler
    stop(process, number, tmp_path, left=["results"])
    deadline = time.monotonic() + LIMIT_S
    while alive := at_work_in(tree):
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
    assert sorted(path.name for path in folder.iterdir()) == ["build", "logs"]


DROPPED = """
import os, signal, time
from e2e.errors import Stopped, stoppable

class Deleted:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.1)

try:
    with stoppable():
        Deleted()
        time.sleep(60)
        print("went on")
except Stopped as error:
    print(error)
"""


@pytest.mark.parametrize("number", CODES)
def test_a_signal_is_not_dropped_with_what_python_drops(number):
    ended = subprocess.run(
        [sys.executable, "-c", DROPPED.format(name=number.name)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
    )
    assert (ended.stdout, ended.stderr) == (f"stopped by {number.name}\n", "")
