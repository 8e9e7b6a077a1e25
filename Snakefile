import sys
from pathlib import Path

from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from e2e import recovery, runs
from e2e.errors import E2EError

min_version("9.0")


def asked_for():
    """The targets of the command line, which Snakemake itself tells only when it has read this file."""
    known, others = get_argument_parser().parse_known_args(sys.argv[1:])
    return [*known.targets, *others]


# Without --configfile, the configuration is that of the run in which the targets lie.
if "tasks" not in config:
    try:
        chosen = runs.configuration(asked_for(), Path(workflow.basedir))
    except E2EError as error:
        raise WorkflowError(str(error)) from None

    # As though it had been given: processes that Snakemake starts for single jobs do not see the targets.
    workflow.overwrite_configfiles.append(chosen)

    configfile: chosen


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
