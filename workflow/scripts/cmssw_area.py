from pathlib import Path

from script import REPOSITORY, logged

with logged(snakemake.log[0]):
    from e2e.deploy import cmssw

    cmssw.build(
        snakemake.wildcards.host,
        Path(snakemake.output[0]).parent,
        REPOSITORY / "cmssw",
        snakemake.params.settings,
        jobs=snakemake.threads,
        log=Path(snakemake.log[0]),
    )
