"""On a Slurm cluster: jobs that could never start are refused at once, and none stays when the run ends."""

import atexit
import subprocess

# How resources of a job become options of sbatch, as the executor's plugin makes them.
SBATCH = {
    "_cores": "--cpus-per-task",
    "mem_mb": "--mem",
    "runtime": "--time",
    "gres": "--gres",
    "gpu": "--gpus",
    "constraint": "--constraint",
    "qos": "--qos",
    "slurm_partition": "--partition",
    "slurm_account": "--account",
}


def sbatch_options(job):
    return tuple(
        f"{option}={job.resources[name]}"
        for name, option in SBATCH.items()
        if job.resources.get(name) is not None
    )


def refuse_what_cannot_start():
    """Ask Slurm about a job of each kind: it takes one that no node has room for, and leaves it waiting."""
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    kinds = {(job.rule.name, sbatch_options(job)) for job in jobs}
    for rule_name, options in sorted(kinds):
        command = ["sbatch", "--test-only", *options, "--wrap", "true"]
        asked = subprocess.run(command, text=True, capture_output=True, timeout=60)
        if asked.returncode:
            raise WorkflowError(
                f"no node of this cluster can ever run a job of {rule_name} ({' '.join(options)}): "
                f"{' '.join(asked.stderr.split())}. Ask for less: --max-threads, --set-resources "
                f"{rule_name}:mem_mb=... or runtime=..., another slurm_partition; or change the profile. "
                "Where nodes are only down for now, --no-hooks starts nevertheless"
            )


def cancel_at_exit(name):
    """Leave no job in the queue: what Snakemake cancels lacks those whose state it is just asking for."""
    atexit.register(subprocess.run, ["scancel", "--name", name], timeout=60)
