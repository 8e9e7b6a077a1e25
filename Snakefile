from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

if "tasks" not in config:  # no --configfile given

    configfile: Path(workflow.basedir) / "config.yaml"


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


rule all:
    default_target: True
    input:
        final_outputs(),
