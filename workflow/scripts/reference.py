from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.reference import reference

    reference(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.output.scores,
        snakemake.output.metrics,
        snakemake.output.model,
        threads=snakemake.threads,
        seed=snakemake.params.seed,
    )
