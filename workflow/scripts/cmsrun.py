from pathlib import Path

from script import CFG, logged

with logged(snakemake.log[0]):
    from e2e.deploy import cmssw
    from e2e.files import whole

    with whole(snakemake.output.scores) as scores, whole(snakemake.output.timing) as timing:
        cmssw.run(
            snakemake.wildcards.host,
            Path(snakemake.input.area).parent,
            CFG,
            [
                *(f"inputFiles=file:{Path(path).resolve()}" for path in snakemake.input.ntuples),
                f"model={Path(snakemake.input.onnx).resolve()}",
                f"outputFile={scores.resolve()}",
                f"timing={timing.resolve()}",
                f"numberOfThreads={snakemake.threads}",
                f"hcalColumns={snakemake.params.hcal_columns}",
            ],
            log=Path(snakemake.log[0]),
            settings=snakemake.params.settings,
        )
