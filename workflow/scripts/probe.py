from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.probe import probe

    probe(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.input.model,
        snakemake.output[0],
        threads=snakemake.threads,
    )
