from pathlib import Path

from snakemake.utils import min_version

from e2e import recovery

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/simulate.smk"
include: "rules/fetch.smk"
include: "rules/convert.smk"
include: "rules/train.smk"
include: "rules/search.smk"
include: "rules/evaluate.smk"
include: "rules/export.smk"
include: "rules/cmssw.smk"
include: "rules/benchmark.smk"
include: "rules/compare.smk"
include: "rules/notebooks.smk"
include: "rules/slurm.smk"


onstart:
    # For each job that is done the limiter has the scheduler look for work once a second, to the end of the run:
    # with hundreds of jobs a third of a core.
    workflow.scheduler.job_rate_limiter = None
    slurm = None
    if workflow.executor_plugin.name == "slurm":
        refuse_what_cannot_start()
        slurm = workflow.scheduler._executor.run_uuid
        cancel_at_exit(slurm)
    recovery.register(slurm)


rule all:
    default_target: True
    input:
        final_outputs(),
