from script import logged

with logged(snakemake.log[0]):
    from e2e.simulation.electron_photon import simulate

    simulate(snakemake.output[0], snakemake.wildcards.sample, snakemake.params.events, snakemake.params.seed)
