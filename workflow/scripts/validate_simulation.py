from script import logged

with logged(snakemake.log[0]):
    from e2e.simulation.validation import validate

    validate(snakemake.input.ntuples, snakemake.output.record, snakemake.output.figures)
