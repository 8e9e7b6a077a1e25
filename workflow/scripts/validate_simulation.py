from script import logged

with logged(snakemake.log[0]):
    from e2e.simulation import validate

    output = snakemake.output
    validate(snakemake.wildcards.task, snakemake.input.ntuples, output.record, output.figures)
