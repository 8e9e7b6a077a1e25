"""After a run that was killed: what it left is told from what still runs, and removed.

While a run of the workflow lives, it has a record in ``.snakemake/runs``; its processes inherit ``E2E_RUN``.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from e2e.errors import E2EError
from e2e.files import read_json, write_json

RUNS, LOCKS, RESULTS = Path(".snakemake/runs"), Path(".snakemake/locks"), Path("results")
VARIABLE = "E2E_RUN"
# Scratch of `e2e.files` with the process that writes it, and what cmsRun writes beside it.
SCRATCH = re.compile(r"\..+\.(\d+)\.part(\.\w+)?(\.partial-\d+)?")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def register(slurm: str | None = None) -> None:
    """Keep a record of this process's run until it ends; ``slurm`` is the name of its jobs there."""
    name = f"{socket.gethostname()}.{os.getpid()}"
    record = RUNS / f"{name}.json"
    write_json(record, {"host": socket.gethostname(), "process": _identity(os.getpid()), "slurm": slurm})
    os.environ[VARIABLE] = name
    atexit.register(record.absolute().unlink, missing_ok=True)


def recover() -> None:
    """Remove what killed runs left in the working directory: their locks and scratch files; says so.

    Nothing is removed while a run lives. Raises E2EError where processes or Slurm jobs of a killed run go on,
    or where it cannot be known, since it was started on another machine.
    """
    killed = []
    for path in sorted(RUNS.glob("*.json")):
        record = read_json(path)
        if record["host"] != socket.gethostname():
            raise E2EError(
                f"a run was started here on {record['host']}: stop it there; if it was killed, "
                f"rm {path}, then `snakemake --unlock`"
            )
        if _identity(int(path.stem.rpartition(".")[2])) == record["process"]:
            return  # Snakemake's lock says which targets are taken
        if alive := _processes(path.stem):
            listed = " ".join(map(str, alive))
            raise E2EError(f"jobs of a killed run still run: wait for them, or stop them: kill {listed}")
        if record["slurm"] and _queued(record["slurm"]):
            raise E2EError(
                f"jobs of a killed run are still in the queue: stop them: scancel --name {record['slurm']}"
            )
        killed.append(path)
    if not killed:
        return
    left = [path for path in _scratch(RESULTS) if not _identity(int(SCRATCH.fullmatch(path.name)[1]))]
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (*LOCKS.glob("*.lock"), *killed):
        path.unlink()
    print(
        f"A run was killed here: its lock is removed, and {len(left)} unfinished files; it goes on from there"
    )


def _identity(process: int) -> list[str] | None:
    """What tells a living process from others of its number: the boot and, in it, the time of its start."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if stat[0] == "Z" else [_BOOT.read_text().strip(), stat[19]]


def _processes(run: str) -> list[int]:
    """Processes here that are of a run."""
    mark = f"{VARIABLE}={run}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes() + b"\0":
                found.append(int(path.parent.name))
        except OSError:  # of somebody else, or gone
            continue
    return sorted(found)


def _queued(name: str) -> bool:
    """Whether Slurm has jobs with this name; not if it does not answer, since then it runs none from here."""
    command = ["squeue", "--noheader", "--name", name]
    try:
        return bool(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip())
    except (OSError, subprocess.TimeoutExpired):
        return False


def _scratch(folder: Path) -> Iterator[Path]:
    """Scratch files and folders in ``folder``, as deep as they lie."""
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if SCRATCH.fullmatch(name):
                yield Path(above, name)
        folders[:] = [name for name in folders if not SCRATCH.fullmatch(name)]


if __name__ == "__main__":
    try:
        recover()
    except E2EError as error:
        sys.exit(f"error: {error}")
