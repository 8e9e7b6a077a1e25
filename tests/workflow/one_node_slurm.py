"""A Slurm of one node in a folder: its own key, ports, configuration and logs; the machine stays as it is."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CPUS, MEMORY_MB = 2, 8000  # what the node claims to have, whatever the machine has

# Memory of a job is sampled each second, and a job above its own is killed. Without accounting, as on small
# sites: squeue alone knows of ended jobs, for MinJobAge seconds.
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=2
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
MinJobAge=600
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def missing() -> list[str]:
    """The daemons that are not installed; Debian has them in slurm-wlm and munge."""
    return [name for name in DAEMONS if shutil.which(name, path=_path()) is None]


@contextmanager
def one_node_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Run Slurm while the block runs; yields the environment in which its commands find it.

    Raises RuntimeError, with the daemons' logs, when the node is not idle within 30 s.
    """
    for name in ("munge", "state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge/key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=_user(),
            folder=folder,
            controller=_free_port(),
            node=_free_port(),
            cpus=CPUS,
            memory=MEMORY_MB,
        )
    )
    environment = os.environ | {
        "SLURM_CONF": str(configuration),
        "PATH": f"{folder / 'bin'}:{_path()}",
    }
    # The plugin's job steps drop every SLURM_ variable but a few, this one included, before they call srun.
    step = folder / "bin/srun"
    step.write_text(
        f'#!/bin/sh\nSLURM_CONF="{configuration}" exec {shutil.which("srun", path=_path())} "$@"\n'
    )
    step.chmod(0o755)
    munge = [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={key}", *munge],
        ["slurmctld", "-D", "-f", str(configuration)],
        ["slurmd", "-D", "-f", str(configuration)],
    ]
    with ExitStack() as running:
        for command in commands:
            log = running.enter_context((folder / f"{command[0]}.out").open("wb"))
            daemon = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
            running.callback(_stop, daemon)
        deadline = time.monotonic() + 30
        while _state(environment) != "idle":
            if time.monotonic() > deadline:
                logs = sorted([*folder.glob("*.out"), *folder.glob("*.log")])
                raise RuntimeError("\n".join(f"{path}:\n{path.read_text()}" for path in logs))
            time.sleep(0.2)
        try:
            yield environment
        finally:
            subprocess.run(["scancel", f"--user={_user()}"], env=environment, timeout=30, check=False)
            deadline = time.monotonic() + 10
            while _state(environment) != "idle" and time.monotonic() < deadline:
                time.sleep(0.2)


def _state(environment: dict[str, str]) -> str:
    """State of the node, such as idle; empty when the controller does not answer."""
    command = ["sinfo", "--noheader", "--format=%t"]
    answer = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=30, check=False)
    return answer.stdout.strip()


def _stop(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _path() -> str:
    """PATH with the folders of daemons, which not every user has."""
    return ":".join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
