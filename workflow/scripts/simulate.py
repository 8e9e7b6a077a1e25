from script import logged

with logged(snakemake.log[0]):
    from e2e.simulation import simulate

    wildcards, params = snakemake.wildcards, snakemake.params
    simulate(
        snakemake.output[0],
        wildcards.task,
        wildcards.sample,
        params.objects,
        params.seed,
        pileup=snakemake.input.pileup or None,
        **params.settings,
    )
