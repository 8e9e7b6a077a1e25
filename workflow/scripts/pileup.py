from script import logged

with logged(snakemake.log[0]):
    from e2e.simulation.pileup_pool import write

    write(snakemake.output[0], snakemake.params.collisions, snakemake.params.seed)
