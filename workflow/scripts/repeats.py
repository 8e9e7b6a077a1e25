from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.repeats import repeats

    repeats(snakemake.input, snakemake.output.record, snakemake.output.figure)
