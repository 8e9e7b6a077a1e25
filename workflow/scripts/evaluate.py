from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.evaluation import evaluate

    evaluate(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.input.model,
        snakemake.input.reference,
        snakemake.output.scores,
        snakemake.output.metrics,
        snakemake.output.explained,
        threads=snakemake.threads,
    )
