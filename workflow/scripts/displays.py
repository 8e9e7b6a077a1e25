from script import logged

with logged(snakemake.log[0]):
    from e2e.report.displays import displays

    displays(snakemake.input.stores, snakemake.output[0])
